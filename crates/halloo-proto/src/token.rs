//! The secret that lets a client in, and how often it may be guessed at.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::Time;
use crate::defaults::{TOKEN_GUESS_TIME, TOKEN_GUESSES, TOKEN_LENGTH};

/// The most characters of a token: several of them fit into a request head.
const LONGEST: usize = 256;

/// A secret that server and client share. It is shown by [`Token::reveal`] and by nothing else, `Debug` least of all.
///
/// At least 16 and at most 256 of the characters `A-Z a-z 0-9 - . _ ~`, so that it stands unchanged in a URL, in a
/// header and in the name of a subprotocol.
///
/// ```
/// use halloo_proto::token::Token;
///
/// let token = Token::new("twelve-purple-otters")?;
/// assert!(token.matches("twelve-purple-otters") && !token.matches("twelve-purple-otter"));
/// assert_eq!(format!("{token:?}"), "Token(…)");
/// assert_eq!(Token::from([0; 16]).reveal(), "AAAAAAAAAAAAAAAAAAAAAA"); // random bytes, in earnest
/// # Ok::<(), halloo_proto::token::TokenError>(())
/// ```
#[derive(Clone)]
pub struct Token(String);

/// What is wrong with a token. The token itself is not repeated: it may be the right one with a slip in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not between 16 and 256 characters.
    #[error(
        "a token has {TOKEN_LENGTH} to {LONGEST} characters, so that nobody guesses it; leave it out to get a random one"
    )]
    Length,
    /// A character that would have to be escaped somewhere.
    #[error("a token consists of A-Z, a-z, 0-9, `-`, `.`, `_` and `~`; leave it out to get a random one")]
    Character,
}

impl Token {
    /// The token that somebody chose.
    ///
    /// # Errors
    /// [`TokenError`] when it is too short or long, or has other characters.
    pub fn new(text: impl Into<String>) -> Result<Token, TokenError> {
        let text = text.into();
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            return Err(TokenError::Character);
        }
        if (TOKEN_LENGTH..=LONGEST).contains(&text.len()) { Ok(Token(text)) } else { Err(TokenError::Length) }
    }

    /// The secret itself, for whoever is to have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `given` is this token. How long this takes tells nothing but whether the length was right.
    pub fn matches(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl From<[u8; 16]> for Token {
    /// 128 random bits as 22 characters of base64url.
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

/// Addresses that guessed wrong lately; with more of them, the one that guessed longest ago is forgotten.
const GUESSERS: usize = 1024;

/// How often each address may guess wrong: ten times at once, then once a second. What it asks beyond that is refused
/// without a look at the token, so that a fast guesser learns no more than a slow one. Loopback is exempt, for all
/// programs of a machine share that address, and one that guesses would shut the others out.
#[derive(Debug, Default)]
pub struct Guesses {
    /// Oldest first: until when all of the address's wrong guesses are forgiven.
    guessers: VecDeque<(IpAddr, Time)>,
}

impl Guesses {
    /// Whether a token from `ip` is looked at now.
    pub fn allows(&self, ip: IpAddr, now: Time) -> bool {
        let forgiven = self.guessers.iter().find(|(guesser, _)| *guesser == ip).map_or(now, |&(_, until)| until);
        forgiven <= now + TOKEN_GUESS_TIME * (TOKEN_GUESSES - 1)
    }

    /// A token from `ip` was looked at and was wrong.
    pub fn handle_wrong(&mut self, ip: IpAddr, now: Time) {
        if ip.to_canonical().is_loopback() {
            return;
        }
        let known = self.guessers.iter().position(|(guesser, _)| *guesser == ip);
        let until = known.and_then(|index| self.guessers.remove(index)).map_or(now, |(_, until)| until.max(now));
        while self.guessers.len() >= GUESSERS || self.guessers.front().is_some_and(|&(_, until)| until <= now) {
            self.guessers.pop_front();
        }
        self.guessers.push_back((ip, until + TOKEN_GUESS_TIME));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_token_is_long_and_plain() {
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
    fn ten_thousand_guesses_are_looked_at_ten_times_and_then_once_a_second() {
        let (mut guesses, ip) = (Guesses::default(), IpAddr::from([10, 0, 0, 1]));
        let looked_at = |guesses: &mut Guesses, at: Time| {
            let allowed = guesses.allows(ip, at);
            if allowed {
                guesses.handle_wrong(ip, at);
            }
            allowed
        };
        let start = Time::ZERO + Duration::from_secs(100);
        let at_once = (0..10_000).filter(|_| looked_at(&mut guesses, start)).count();
        assert_eq!(at_once, 10);
        let in_a_minute = (0..10_000).filter(|n| looked_at(&mut guesses, start + Duration::from_millis(6 * n))).count();
        assert_eq!(in_a_minute, 59);
        assert!(guesses.allows(IpAddr::from([10, 0, 0, 2]), start), "another device is not the guesser");
        assert!(guesses.allows(ip, start + Duration::from_secs(62)), "retry_limit is enough");
    }

    #[test]
    fn programs_of_this_machine_do_not_shut_each_other_out() {
        let (mut guesses, now) = (Guesses::default(), Time::ZERO);
        for ip in ["127.0.0.1", "::1", "::ffff:127.0.0.1"].map(|ip| ip.parse().unwrap()) {
            (0..100).for_each(|_| guesses.handle_wrong(ip, now));
            assert!(guesses.allows(ip, now));
        }
    }

    #[test]
    fn guessers_are_forgotten_and_never_too_many() {
        let (mut guesses, now) = (Guesses::default(), Time::ZERO);
        (0..5000_u32).for_each(|n| guesses.handle_wrong(IpAddr::from(n.to_be_bytes()), now));
        assert_eq!(guesses.guessers.len(), GUESSERS);
        let later = now + TOKEN_GUESS_TIME;
        guesses.handle_wrong(IpAddr::from([10, 0, 0, 1]), later);
        assert_eq!(guesses.guessers.len(), 1);
    }
}
