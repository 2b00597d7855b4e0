//! The extensions that a client offers (RFC 6455 section 9.1). Only permessage-deflate (RFC 7692) is supported.

use crate::deflate::WINDOW_BITS;

/// An offer of permessage-deflate that can be accepted.
///
/// The server always responds that neither side keeps its window from one message to the next, which RFC 7692 section
/// 7.1.1 allows. Therefore a connection needs no memory for compression, and a broadcast is compressed once for all
/// clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateOffer {
    /// The largest window of the server that the client supports, in bits; `None` for any.
    server_window: Option<u8>,
}

impl DeflateOffer {
    /// Returns the first offer in the values of `Sec-WebSocket-Extensions` that can be accepted. An offer with a
    /// parameter that is unknown, repeated or out of range is skipped (RFC 7692 section 7.1).
    pub(crate) fn first_in(values: &[&str]) -> Option<DeflateOffer> {
        values.iter().flat_map(|value| value.split(',')).find_map(DeflateOffer::parse)
    }

    fn parse(offer: &str) -> Option<DeflateOffer> {
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

    /// Adds a header that accepts the offer to `response`, which must end in an empty line.
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

    /// Returns whether the window of the client is large enough for the output of a
    /// [`Deflater`](crate::deflate::Deflater). Other clients get uncompressed messages, which a sender may always send
    /// (RFC 7692 section 6).
    pub fn takes_compressed(&self) -> bool {
        self.server_window.is_none_or(|most| most >= WINDOW_BITS)
    }
}

/// Returns a value without quotes.
fn unquoted(value: &str) -> Option<&str> {
    let value = value.trim_start_matches([' ', '\t']);
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(value),
    }
}

/// Parses 8 to 15, in decimal without leading zeros (RFC 7692 section 7.1.2).
fn window(bits: &str) -> Option<u8> {
    let number: u8 = bits.parse().ok().filter(|number| (8..=15).contains(number))?;
    (number.to_string() == bits).then_some(number)
}
