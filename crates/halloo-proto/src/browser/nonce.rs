//! Nonces that cannot be predicted: a reply to one shows that its probe was received.

use std::fmt;

use hmac::Mac;

use crate::proof::keyed;

/// What a reply repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce(u64);

impl Nonce {
    /// Parses a nonce as it is sent.
    pub(super) fn parse(text: &str) -> Option<Nonce> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let number = u64::from_str_radix(text, 16).ok()?;
        (text.len() == 16 && text.bytes().all(is_digit)).then_some(Nonce(number))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// A sequence of nonces. A nonce that is broadcast can be read by every device, so it must not reveal those that are
/// sent to one address: each is an HMAC under a secret key.
#[derive(Debug)]
pub(super) struct Nonces {
    key: [u8; 16],
    count: u64,
}

impl Nonces {
    pub(super) fn new(secret: u128) -> Nonces {
        Nonces { key: secret.to_be_bytes(), count: 0 }
    }

    /// Returns a random number that reveals no nonce.
    pub(super) fn seed(&mut self) -> u64 {
        self.next().0
    }

    pub(super) fn next(&mut self) -> Nonce {
        self.count += 1;
        let mut mac = keyed(&self.key);
        mac.update(&self.count.to_be_bytes());
        let bytes = mac.finalize().into_bytes();
        Nonce(bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_differ_and_are_recognised_as_they_are_sent() {
        let mut nonces = Nonces::new(1);
        let (first, second) = (nonces.next(), nonces.next());
        assert_ne!(first, second);
        assert_ne!(first, Nonces::new(2).next());
        for nonce in [first, second, Nonce(0), Nonce(u64::MAX)] {
            assert_eq!(Nonce::parse(&nonce.to_string()), Some(nonce));
        }
        for invalid in ["", "1", "+000000000000001", "000000000000000A", "00000000000000001", "b64e21"] {
            assert_eq!(Nonce::parse(invalid), None, "{invalid}");
        }
    }
}
