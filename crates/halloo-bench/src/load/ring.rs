//! Messages framed before the clock starts, and what must come back for them.

use super::wire;

/// What is spoken over the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    WebSocket,
    /// The same bytes without any meaning: what comes back is what was sent.
    Tcp,
}

/// A circle of different messages of one size. Every client walks it from a place of its own, so that an answer which
/// is lost, doubled, out of order or somebody else's does not compare equal.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) protocol: Protocol,
    /// Twice the circle, so that any stretch of it is one slice.
    requests: Vec<u8>,
    answers: Vec<u8>,
    pub(super) request_length: usize,
    pub(super) answer_length: usize,
    pub(super) messages: usize,
}

impl Ring {
    pub(super) fn new(protocol: Protocol, payload_length: usize, messages: usize) -> Ring {
        Ring::with_opcode(protocol, payload_length, messages, wire::BINARY)
    }

    pub(super) fn with_opcode(protocol: Protocol, payload_length: usize, messages: usize, opcode: u8) -> Ring {
        let (mut requests, mut answers) = (Vec::new(), Vec::new());
        for number in (0..messages).chain(0..messages) {
            let payload = payload(number, payload_length);
            let key = (0x9e37_79b9_u32.wrapping_mul(number as u32 + 1)).to_be_bytes();
            wire::encode(&mut requests, opcode, &payload, Some(key));
            wire::encode(&mut answers, opcode, &payload, None);
        }
        if protocol == Protocol::Tcp {
            answers.clone_from(&requests);
        }
        let (request_length, answer_length) = (requests.len() / messages / 2, answers.len() / messages / 2);
        Ring { protocol, requests, answers, request_length, answer_length, messages }
    }

    /// Bytes of all requests.
    pub(super) fn requests_length(&self) -> usize {
        self.request_length * self.messages
    }

    /// Bytes of all answers.
    pub(super) fn answers_length(&self) -> usize {
        self.answer_length * self.messages
    }

    /// `length` bytes of requests from byte `at` of the circle; at most once around.
    pub(super) fn requests(&self, at: usize, length: usize) -> &[u8] {
        &self.requests[at..at + length]
    }

    /// Whether `bytes` are the answers from byte `at` of the circle on.
    pub(super) fn matches(&self, at: usize, bytes: &[u8]) -> bool {
        let circle = self.answers_length();
        if bytes.len() <= circle {
            return self.answers[at..at + bytes.len()] == *bytes;
        }
        bytes.chunks(circle).all(|chunk| self.answers[at..at + chunk.len()] == *chunk)
    }
}

/// Printable, so that it may travel as text too.
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
    fn each_message_is_another_and_any_stretch_is_one_slice() {
        let ring = Ring::new(Protocol::WebSocket, 64, 16);
        assert_eq!((ring.request_length, ring.answer_length), (70, 66));
        let first = ring.requests(0, 70).to_vec();
        assert!((1..16).all(|number| ring.requests(number * 70, 70) != first));
        assert_eq!(ring.requests(8 * 70, 16 * 70)[8 * 70..][..70], first);
    }

    #[test]
    fn answers_match_at_their_own_place_only() {
        let ring = Ring::new(Protocol::WebSocket, 64, 4);
        let all = ring.answers[..ring.answers_length()].to_vec();
        assert!(ring.matches(0, &all));
        assert!(ring.matches(0, &all.repeat(3)), "several times around");
        assert!(ring.matches(66 + 10, &all[66 + 10..]));
        assert!(!ring.matches(66, &all[..66]), "the answer to another message");
        let mut wrong = all.repeat(3);
        *wrong.last_mut().unwrap() ^= 1;
        assert!(!ring.matches(0, &wrong));
    }

    #[test]
    fn over_plain_tcp_the_request_comes_back() {
        let ring = Ring::new(Protocol::Tcp, 64, 4);
        assert!(ring.matches(0, ring.requests(0, ring.requests_length())));
    }
}
