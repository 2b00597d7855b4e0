//! The token that clients authenticate with, and the rate limit for wrong tokens.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::Time;
use crate::defaults::{MAX_WRONG_TOKENS, MIN_TOKEN_LENGTH, WRONG_TOKEN_INTERVAL};
use crate::percent;

/// Maximum length of a token in characters: several tokens fit into a request head.
const MAX_LENGTH: usize = 256;

/// A secret that server and client share. Only [`Token::reveal`] returns it; `Debug` does not show it.
///
/// It has 16 to 256 of the characters `A-Z a-z 0-9 - . _ ~`, which need no escaping in a URL, a header, or the name of
/// a subprotocol.
///
/// ```
/// use halloo_proto::token::Token;
///
/// let token = Token::new("twelve-purple-otters")?;
/// assert!(token.matches("twelve-purple-otters") && !token.matches("twelve-purple-otter"));
/// assert_eq!(format!("{token:?}"), "Token(…)");
/// assert_eq!(Token::from([0; 16]).reveal(), "AAAAAAAAAAAAAAAAAAAAAA"); // use random bytes instead
/// # Ok::<(), halloo_proto::token::TokenError>(())
/// ```
#[derive(Clone)]
pub struct Token(String);

/// Why a token is invalid. The error does not contain the token: it may be the real one with a typing error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The token does not have 16 to 256 characters.
    #[error(
        "a token needs {MIN_TOKEN_LENGTH} to {MAX_LENGTH} characters; choose another, or leave it out for a random one"
    )]
    Length,
    /// The token contains a character that needs escaping.
    #[error(
        "a token may only contain A-Z, a-z, 0-9, `-`, `.`, `_` and `~`; change it, or leave it out for a random one"
    )]
    Character,
}

impl Token {
    /// Creates a token from a text that a person chose.
    ///
    /// # Errors
    /// [`TokenError`] if the text is too short or too long, or contains other characters.
    pub fn new(text: impl Into<String>) -> Result<Token, TokenError> {
        let text = text.into();
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            return Err(TokenError::Character);
        }
        if (MIN_TOKEN_LENGTH..=MAX_LENGTH).contains(&text.len()) { Ok(Token(text)) } else { Err(TokenError::Length) }
    }

    /// Returns the secret. Do not log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns `text` without percent-encoding (RFC 3986 section 2.1), which clients may apply to a token in a URL.
    ///
    /// ```
    /// assert_eq!(halloo_proto::token::Token::decode("tilde%7Etoken"), "tilde~token");
    /// ```
    pub fn decode(text: &str) -> Cow<'_, str> {
        if !text.contains('%') {
            return text.into();
        }
        String::from_utf8_lossy(&percent::decode(text)).into_owned().into()
    }

    /// Returns `text` with `…` for what follows each `token=`, up to `&`: for errors that repeat an address.
    ///
    /// ```
    /// use halloo_proto::token::Token;
    ///
    /// assert_eq!(Token::hide("den.local/#Token=my secret&fp=1"), "den.local/#Token=…&fp=1");
    /// ```
    pub fn hide(text: &str) -> Cow<'_, str> {
        const KEY: &str = "token=";
        // Positions are the same in both, since only ASCII letters change.
        let lower = text.to_ascii_lowercase();
        let Some(first) = lower.find(KEY) else { return text.into() };
        let mut shown = String::new();
        let (mut from, mut key) = (0, Some(first));
        while let Some(at) = key {
            let value = at + KEY.len();
            let end = text[value..].find('&').map_or(text.len(), |length| value + length);
            shown.extend([&text[from..value], "…"]);
            (from, key) = (end, lower[end..].find(KEY).map(|at| end + at));
        }
        shown.push_str(&text[from..]);
        shown.into()
    }

    /// Returns whether `given` is this token. The time this takes reveals only whether the length was right.
    pub fn matches(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl From<[u8; 16]> for Token {
    /// Encodes 128 random bits as 22 characters of base64url.
    fn from(random: [u8; 16]) -> Token {
        Token(URL_SAFE_NO_PAD.encode(random))
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Token, TokenError> {
        Token::new(text)
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Token) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Maximum number of addresses stored; beyond that, the address whose last wrong token is the oldest is forgotten.
const MAX_ADDRESSES: usize = 1024;

/// The rate limit for wrong tokens: each address may send ten in a row, then one a second. Further requests are refused
/// without checking their token, so that guessing faster does not help. Loopback is exempt, because all programs of a
/// machine share that address, and one program could lock out the others.
#[derive(Debug, Default)]
pub struct TokenRateLimiter {
    /// Addresses with the time when their last wrong token is forgotten, least recent first.
    addresses: VecDeque<(IpAddr, Time)>,
}

impl TokenRateLimiter {
    /// Returns whether to check a token from `ip` now.
    pub fn allows(&self, ip: IpAddr, now: Time) -> bool {
        let until = self.addresses.iter().find(|(address, _)| *address == ip).map_or(now, |&(_, until)| until);
        until <= now + WRONG_TOKEN_INTERVAL * (MAX_WRONG_TOKENS - 1)
    }

    /// Counts a wrong token from `ip`.
    pub fn handle_wrong_token(&mut self, ip: IpAddr, now: Time) {
        if ip.to_canonical().is_loopback() {
            return;
        }
        let known = self.addresses.iter().position(|(address, _)| *address == ip);
        let until = known.and_then(|index| self.addresses.remove(index)).map_or(now, |(_, until)| until.max(now));
        while self.addresses.len() >= MAX_ADDRESSES || self.addresses.front().is_some_and(|&(_, until)| until <= now) {
            self.addresses.pop_front();
        }
        self.addresses.push_back((ip, until + WRONG_TOKEN_INTERVAL));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn token_has_16_to_256_unreserved_characters() {
        for wrong in ["", "short", &"x".repeat(15), &"x".repeat(257)] {
            assert_eq!(Token::new(wrong), Err(TokenError::Length));
        }
        for character in [' ', '+', '/', '=', '%', '#', '&', ',', '"', '\r', '\n', 'é'] {
            assert_eq!(Token::new(format!("{character}{}", "x".repeat(20))), Err(TokenError::Character));
        }
        assert_eq!(Token::from([255; 16]).reveal(), "_____________________w");
        assert!(Token::new(Token::from([7; 16]).reveal()).is_ok());
    }

    #[test]
    fn ten_wrong_tokens_are_checked_at_once_and_then_one_a_second() {
        let (mut limiter, ip) = (TokenRateLimiter::default(), IpAddr::from([10, 0, 0, 1]));
        let is_checked = |limiter: &mut TokenRateLimiter, at: Time| {
            let allowed = limiter.allows(ip, at);
            if allowed {
                limiter.handle_wrong_token(ip, at);
            }
            allowed
        };
        let start = Time::ZERO + Duration::from_secs(100);
        let at_once = (0..10_000).filter(|_| is_checked(&mut limiter, start)).count();
        assert_eq!(at_once, 10);
        let in_a_minute =
            (0..10_000).filter(|n| is_checked(&mut limiter, start + Duration::from_millis(6 * n))).count();
        assert_eq!(in_a_minute, 59);
        assert!(limiter.allows(IpAddr::from([10, 0, 0, 2]), start), "other addresses are not limited");
        assert!(limiter.allows(ip, start + Duration::from_secs(62)), "the limit expires");
    }

    #[test]
    fn loopback_is_not_limited() {
        let (mut limiter, now) = (TokenRateLimiter::default(), Time::ZERO);
        for ip in ["127.0.0.1", "::1", "::ffff:127.0.0.1"].map(|ip| ip.parse().unwrap()) {
            (0..100).for_each(|_| limiter.handle_wrong_token(ip, now));
            assert!(limiter.allows(ip, now));
        }
    }

    #[test]
    fn addresses_are_forgotten_and_bounded() {
        let (mut limiter, now) = (TokenRateLimiter::default(), Time::ZERO);
        (0..5000_u32).for_each(|n| limiter.handle_wrong_token(IpAddr::from(n.to_be_bytes()), now));
        assert_eq!(limiter.addresses.len(), MAX_ADDRESSES);
        let later = now + WRONG_TOKEN_INTERVAL;
        limiter.handle_wrong_token(IpAddr::from([10, 0, 0, 1]), later);
        assert_eq!(limiter.addresses.len(), 1);
    }
}
