//! Nonces that nobody can predict: a reply to one shows that its probe was received.

use std::fmt;

use hmac::Mac;

use crate::proof::keyed;

/// What a reply repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce(u64);

impl Nonce {
    /// Returns whether `text` is this nonce as it is sent.
    pub(super) fn is(self, text: &str) -> bool {
        text == self.to_string()
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
        assert!(first.is(&first.to_string()) && !first.is(&second.to_string()) && !first.is(""));
        assert!(!Nonce(1).is("1") && !Nonce(1).is("+000000000000001"));
    }
}
