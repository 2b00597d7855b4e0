//! The fingerprint of the key of a server.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The SHA-256 hash of the public key of a server (`SubjectPublicKeyInfo` in DER form, RFC 5280 section 4.1.2.7), or of its
/// certificate in DER form. A client that knows it needs no certificate authority.
///
/// It is displayed in hexadecimal digits without colons. It is parsed with or without colons, as `openssl x509 -fingerprint
/// -sha256` prints that of a certificate, and in the base64url form that links contain.
///
/// ```
/// use halloo_proto::fingerprint::Fingerprint;
///
/// let fingerprint = Fingerprint::from([0xab; 32]);
/// assert!(fingerprint.to_string().starts_with("abababab"));
/// assert_eq!(fingerprint.short().parse(), Ok(fingerprint));
/// assert_eq!(["AB"; 32].join(":").parse(), Ok(fingerprint));
/// # let _: Result<Fingerprint, _> = "".parse();
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// The error for a text that is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a fingerprint has 64 hexadecimal digits, with or without colons; copy the one that the server shows when it starts"
)]
pub struct FingerprintError;

impl Fingerprint {
    /// Returns the form for links: 43 characters of base64url.
    pub fn short(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(hash: [u8; 32]) -> Fingerprint {
        Fingerprint(hash)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Fingerprint, FingerprintError> {
        let text = text.trim();
        if text.len() == 43 {
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| FingerprintError)?;
            return bytes.try_into().map(Fingerprint).map_err(|_| FingerprintError);
        }
        let digits: Vec<u32> = text
            .chars()
            .filter(|&c| c != ':')
            .map(|c| c.to_digit(16))
            .collect::<Option<_>>()
            .ok_or(FingerprintError)?;
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(FingerprintError);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            // Two hexadecimal digits fit into a byte.
            *byte = (pair[0] * 16 + pair[1]) as u8;
        }
        Ok(Fingerprint(hash))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_parsed_and_no_other() {
        let fingerprint = Fingerprint(std::array::from_fn(|n| n as u8 * 7));
        let hex = fingerprint.to_string();
        let pairs: Vec<&str> = (0..32).map(|n| &hex[2 * n..2 * n + 2]).collect();
        for form in [hex.clone(), hex.to_uppercase(), pairs.join(":"), format!(" {hex}\n"), fingerprint.short()] {
            assert_eq!(form.parse(), Ok(fingerprint), "{form}");
        }
        for wrong in ["", "ab", &hex[1..], &format!("{hex}0"), &hex.replace('0', "g"), &"=".repeat(43), &"é".repeat(32)]
        {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(FingerprintError), "{wrong}");
        }
    }
}
