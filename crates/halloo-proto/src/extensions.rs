//! Extensions that a client offers (RFC 6455 section 9.1), of which one is known: permessage-deflate (RFC 7692).

use crate::deflate::WINDOW_BITS;

/// An offer of permessage-deflate that can be accepted.
///
/// Neither side keeps its window from message to message, which the server may ask for unasked (RFC 7692 section 7.1.1):
/// so a connection costs no memory, and a broadcast is compressed once for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateOffer {
    /// The largest window that the client takes, in bits, if it says so.
    server_window: Option<u8>,
}

impl DeflateOffer {
    /// The first offer in the values of `Sec-WebSocket-Extensions` that can be accepted. One with a parameter that is
    /// unknown, twice there or out of range is passed over (RFC 7692 section 7.1).
    pub(crate) fn first_in(values: &[&str]) -> Option<DeflateOffer> {
        values.iter().flat_map(|value| value.split(',')).find_map(DeflateOffer::read)
    }

    fn read(offer: &str) -> Option<DeflateOffer> {
        let mut parts = offer.split(';').map(|part| part.trim_matches([' ', '\t']));
        if parts.next()? != "permessage-deflate" {
            return None;
        }
        let mut seen = Vec::new();
        let mut server_window = None;
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_end_matches([' ', '\t']), Some(unquoted(value)?)),
                None => (part, None),
            };
            match (name, value) {
                ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => {}
                ("client_max_window_bits", Some(bits)) => _ = window(bits)?,
                ("server_max_window_bits", Some(bits)) => server_window = Some(window(bits)?),
                _ => return None,
            }
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
        }
        Some(DeflateOffer { server_window })
    }

    /// Accepts it in the answer to the handshake, behind whose last header stands an empty line.
    pub fn accept_in(&self, response: &mut Vec<u8>) {
        let mut header = String::from(
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        );
        if let Some(most) = self.server_window {
            header += &format!("; server_max_window_bits={}", most.min(WINDOW_BITS));
        }
        header += "\r\n";
        let end = response.len().saturating_sub(2);
        response.splice(end..end, header.into_bytes());
    }

    /// Whether the client's window is large enough for what a [`Deflater`](crate::deflate::Deflater) makes. To others
    /// messages go uncompressed, as a sender may choose for each (RFC 7692 section 6).
    pub fn takes_compressed(&self) -> bool {
        self.server_window.is_none_or(|most| most >= WINDOW_BITS)
    }
}

/// A value without the quotes that it may have.
fn unquoted(value: &str) -> Option<&str> {
    let value = value.trim_start_matches([' ', '\t']);
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(value),
    }
}

/// 8 to 15, written in decimal without leading zeros (RFC 7692 section 7.1.2).
fn window(bits: &str) -> Option<u8> {
    let number: u8 = bits.parse().ok().filter(|number| (8..=15).contains(number))?;
    (number.to_string() == bits).then_some(number)
}
