//! Whether a client knows the token of the server.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;

use crate::Time;
use crate::access::{AccessRules, Denied};
use crate::proof::{Challenge, ClientProof, keyed};
use crate::token::TokenRateLimiter;

/// How long a challenge is valid: long enough for a client on a slow network that lists servers before it chooses one.
pub const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum number of proofs stored, so that they are not accepted again: 270 clients a second for the whole timeout, at
/// about 50 bytes each. Beyond that, the oldest challenges expire early, and their clients get a new one.
const MAX_PROOFS: usize = 16 * 1024;
/// Bytes of the code by which a challenge is recognised.
const CODE_BYTES: usize = 16;

/// Issues the challenges of one server, and recognises them without storing them: a challenge is the time at which it was
/// issued, and a hash of that time under a secret key.
#[derive(Clone)]
pub struct Challenger {
    id: String,
    key: [u8; 32],
}

impl Challenger {
    /// Creates the challenger of the server `id`, which is random for each start. `key` must be random and secret.
    pub fn new(id: impl Into<String>, key: [u8; 32]) -> Challenger {
        Challenger { id: id.into(), key }
    }

    /// Returns the id of the server.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns a challenge.
    pub fn issue(&self, now: Time) -> Challenge {
        let time = now.as_micros().to_be_bytes();
        Challenge { id: self.id.clone(), text: URL_SAFE_NO_PAD.encode([&time[..], &self.code(time)].concat()) }
    }

    /// Returns when a challenge was issued, or `None` if it is not one of this server.
    fn issued_at(&self, challenge: &str) -> Option<Time> {
        let bytes = URL_SAFE_NO_PAD.decode(challenge).ok()?;
        let (time, code) = bytes.split_first_chunk()?;
        // Encoding is not unique for a decoder that ignores trailing bits, but this length leaves none.
        let is_own = subtle::ConstantTimeEq::ct_eq(&self.code(*time)[..], code);
        bool::from(is_own).then(|| Time::from_micros(u64::from_be_bytes(*time)))
    }

    fn code(&self, time: [u8; 8]) -> [u8; CODE_BYTES] {
        let hash = keyed(&self.key).chain_update(b"halloo challenge\n").chain_update(time).finalize().into_bytes();
        let mut code = [0; CODE_BYTES];
        code.copy_from_slice(&hash[..CODE_BYTES]);
        code
    }
}

impl fmt::Debug for Challenger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenger").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a request contains to show that its client knows the token.
#[derive(Debug, Default)]
pub struct Credentials<'a> {
    /// The tokens, which were sent in the clear.
    pub tokens: Vec<std::borrow::Cow<'a, str>>,
    /// The proofs.
    pub proofs: Vec<ClientProof<'a>>,
}

/// Decides whether clients know the token: limits wrong tokens, and accepts each proof once.
#[derive(Debug)]
pub struct Authenticator {
    challenger: Challenger,
    /// The time of the challenge of each accepted proof, and the start of the proof.
    used: BTreeSet<(Time, [u8; CODE_BYTES])>,
    /// Challenges that were issued earlier are not valid.
    not_before: Time,
    rate_limiter: TokenRateLimiter,
}

impl Authenticator {
    /// Creates the authenticator of a server that issues challenges by `challenger`.
    pub fn new(challenger: Challenger) -> Authenticator {
        let (used, rate_limiter) = (BTreeSet::new(), TokenRateLimiter::default());
        Authenticator { challenger, used, not_before: Time::ZERO, rate_limiter }
    }

    /// Returns what issues the challenges.
    pub fn challenger(&self) -> &Challenger {
        &self.challenger
    }

    /// Checks the credentials of a request from `ip` against the token of `rules`. Everything in it must be right, so
    /// that a request is a single guess. Returns the proof of the server, if the client sent one.
    ///
    /// # Errors
    /// [`Denied`], when the client does not know the token, or did not show it in a way that is accepted.
    pub fn check(
        &mut self,
        rules: &AccessRules,
        given: &Credentials<'_>,
        ip: IpAddr,
        now: Time,
    ) -> Result<Option<String>, Denied> {
        let Some(token) = &rules.token else { return Ok(None) };
        if given.tokens.is_empty() && given.proofs.is_empty() {
            return Err(Denied::MissingToken);
        }
        if !given.tokens.is_empty() && rules.token_proof_only {
            return Err(Denied::TokenInClear);
        }
        if !self.rate_limiter.allows(ip, now) {
            return Err(Denied::TooManyWrongTokens);
        }
        let outcome = match given.proofs[..] {
            _ if !given.tokens.iter().all(|given| token.matches(given)) => Err(Denied::WrongToken),
            [] => Ok(None),
            [proof] => self.check_proof(&proof, token, now).map(Some),
            _ => Err(Denied::WrongToken),
        };
        if outcome == Err(Denied::WrongToken) {
            self.rate_limiter.handle_wrong_token(ip, now);
        }
        outcome
    }

    fn check_proof(
        &mut self,
        given: &ClientProof<'_>,
        token: &crate::token::Token,
        now: Time,
    ) -> Result<String, Denied> {
        let issued = self.challenger.issued_at(given.challenge).ok_or(Denied::StaleProof)?;
        if issued < self.not_before || now > issued + CHALLENGE_TIMEOUT {
            return Err(Denied::StaleProof);
        }
        let (exchange, proof) = given.verify(self.challenger.id(), token).ok_or(Denied::WrongToken)?;
        let mut start = [0; CODE_BYTES];
        start.copy_from_slice(&proof[..CODE_BYTES]);
        while self.used.first().is_some_and(|&(issued, _)| now > issued + CHALLENGE_TIMEOUT) {
            self.used.pop_first();
        }
        if !self.used.insert((issued, start)) {
            return Err(Denied::StaleProof);
        }
        if self.used.len() > MAX_PROOFS
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.not_before = oldest + Duration::from_micros(1);
        }
        Ok(exchange.server_proof(token))
    }
}
