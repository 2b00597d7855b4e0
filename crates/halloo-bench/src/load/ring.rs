//! Messages as frames that are built before the clock starts, and the expected replies.

use super::target::Protocol;
use super::wire;

/// A ring of different messages of the same size. Every client starts at its own position, so that a reply that is lost,
/// duplicated, out of order or meant for another client is not equal to the expected one.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) protocol: Protocol,
    /// The ring twice, so that any section of it is a slice.
    requests: Vec<u8>,
    /// The replies, twice as well.
    replies: Vec<u8>,
    pub(super) request_length: usize,
    pub(super) reply_length: usize,
    pub(super) messages: usize,
}

impl Ring {
    pub(super) fn new(protocol: Protocol, payload_length: usize, messages: usize) -> Ring {
        Ring::with_opcode(protocol, payload_length, messages, wire::BINARY)
    }

    pub(super) fn with_opcode(protocol: Protocol, payload_length: usize, messages: usize, opcode: u8) -> Ring {
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        for number in (0..messages).chain(0..messages) {
            let payload = payload(number, payload_length);
            let key = (0x9e37_79b9_u32.wrapping_mul(number as u32 + 1)).to_be_bytes();
            wire::encode(&mut requests, opcode, &payload, Some(key));
            wire::encode(&mut replies, opcode, &payload, None);
        }
        if protocol == Protocol::Tcp {
            replies.clone_from(&requests);
        }
        let (request_length, reply_length) = (requests.len() / messages / 2, replies.len() / messages / 2);
        Ring { protocol, requests, replies, request_length, reply_length, messages }
    }

    /// Returns the bytes of all requests.
    pub(super) fn requests_length(&self) -> usize {
        self.request_length * self.messages
    }

    /// Returns the bytes of all replies.
    pub(super) fn replies_length(&self) -> usize {
        self.reply_length * self.messages
    }

    /// Returns `length` bytes of requests from byte `at` on; at most the length of the ring.
    pub(super) fn requests(&self, at: usize, length: usize) -> &[u8] {
        &self.requests[at..at + length]
    }

    /// Returns whether `bytes` are the replies from byte `at` on.
    pub(super) fn matches(&self, at: usize, bytes: &[u8]) -> bool {
        let ring = self.replies_length();
        if bytes.len() <= ring {
            return self.replies[at..at + bytes.len()] == *bytes;
        }
        bytes.chunks(ring).all(|chunk| self.replies[at..at + chunk.len()] == *chunk)
    }
}

/// Returns a payload of printable characters, which may also be sent as text.
fn payload(number: usize, length: usize) -> Vec<u8> {
    let mut payload = format!("{number:06} ").into_bytes();
    payload.extend((0..length).map(|at| b'a' + ((at + number) % 26) as u8));
    payload.truncate(length);
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_differ_and_any_section_is_a_slice() {
        let ring = Ring::new(Protocol::WebSocket, 64, 16);
        assert_eq!((ring.request_length, ring.reply_length), (70, 66));
        let first = ring.requests(0, 70).to_vec();
        assert!((1..16).all(|number| ring.requests(number * 70, 70) != first));
        assert_eq!(ring.requests(8 * 70, 16 * 70)[8 * 70..][..70], first);
    }

    #[test]
    fn replies_match_only_at_their_own_position() {
        let ring = Ring::new(Protocol::WebSocket, 64, 4);
        let all = ring.replies[..ring.replies_length()].to_vec();
        assert!(ring.matches(0, &all));
        assert!(ring.matches(0, &all.repeat(3)), "several times around");
        assert!(ring.matches(66 + 10, &all[66 + 10..]));
        assert!(!ring.matches(66, &all[..66]), "the reply to another message");
        let mut wrong = all.repeat(3);
        *wrong.last_mut().unwrap() ^= 1;
        assert!(!ring.matches(0, &wrong));
    }

    #[test]
    fn the_reply_over_raw_tcp_is_the_request() {
        let ring = Ring::new(Protocol::Tcp, 64, 4);
        assert!(ring.matches(0, ring.requests(0, ring.requests_length())));
    }
}
