//! How a client and a server prove to each other that they know the token, without sending it.
//!
//! The server issues a [`Challenge`], and the client responds with a proof: a hash of it under the token (HMAC-SHA-256,
//! RFC 2104). In its response, the server proves the same in the other direction. An eavesdropper learns neither the
//! token nor anything that it could send again. `PROTOCOL.md` has the exact form, and test vectors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use httparse::Header;
use sha2::Sha256;

use crate::headers;
use crate::token::Token;

/// The authentication scheme in `Authorization` and `WWW-Authenticate` (RFC 9110 section 11.1).
pub(crate) const SCHEME: &str = "Halloo";
/// The prefix of a subprotocol that contains a proof, for web pages. Such a subprotocol is never accepted.
pub(crate) const SUBPROTOCOL_PREFIX: &str = "halloo.proof.";
/// The header in which a server proves that it knows the token.
pub const PROOF_HEADER: &str = "Halloo-Proof";
/// The header with the id of a server: in a request that of the server that is meant, in its response that of the server.
pub const ID_HEADER: &str = "Halloo-Id";

/// Bounds of the length of a client's nonce in characters.
const NONCE_LENGTH: std::ops::RangeInclusive<usize> = 16..=64;
/// Maximum length of a challenge in characters; those of this server have 32.
const MAX_CHALLENGE_LENGTH: usize = 64;
/// Maximum length of an id in characters.
const MAX_ID_LENGTH: usize = 32;

/// What a server asks a client to prove its knowledge of the token with. It is valid for a minute, or less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The id of the server.
    pub id: String,
    /// A text that the server can recognise, and issues once.
    pub text: String,
}

impl Challenge {
    /// Returns a challenge that was received, or `None` if it contains other characters than base64url, or is longer
    /// than 32 (id) or 64 (text) characters.
    pub fn new(id: &str, text: &str) -> Option<Challenge> {
        let is_valid = is_base64url(id, 1..=MAX_ID_LENGTH) && is_base64url(text, 1..=MAX_CHALLENGE_LENGTH);
        is_valid.then(|| Challenge { id: id.to_owned(), text: text.to_owned() })
    }

    /// Returns the challenge of a 401 response, and whether the proof before it was refused only because its challenge was
    /// too old. `None` if it has none.
    pub fn from_headers(fields: &[Header<'_>]) -> Option<(Challenge, bool)> {
        let all = headers::all(fields, "www-authenticate")?;
        let given = all.into_iter().find_map(|value| parameters(value, SCHEME))?;
        let value = |name| given.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|&(_, value)| value);
        let is_stale = value("stale") == Some("true");
        Some((Challenge::new(value("id")?, value("challenge")?)?, is_stale))
    }

    /// Returns the value of `WWW-Authenticate` with this challenge.
    pub(crate) fn to_header(&self, is_stale: bool) -> String {
        let stale = if is_stale { ", stale=true" } else { "" };
        format!(r#"{SCHEME} id="{}", challenge="{}"{stale}"#, self.id, self.text)
    }
}

/// One exchange of proofs, as the client begins it.
///
/// ```
/// use halloo_proto::proof::{Challenge, Exchange};
/// use halloo_proto::token::Token;
///
/// let token = Token::new("the-otters-meet-at-nine")?;
/// let challenge = Challenge::new("5f0c9a3be1d24477", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
/// let exchange = Exchange::new(challenge, *b"sixteen random b");
/// assert_ne!(exchange.client_proof(&token), exchange.server_proof(&token));
/// # Ok::<(), halloo_proto::token::TokenError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    challenge: Challenge,
    nonce: String,
}

impl Exchange {
    /// Creates an exchange with a nonce of the client, which must be random.
    pub fn new(challenge: Challenge, nonce: [u8; 16]) -> Exchange {
        Exchange { challenge, nonce: URL_SAFE_NO_PAD.encode(nonce) }
    }

    /// Returns the proof of the client, 43 characters of base64url.
    pub fn client_proof(&self, token: &Token) -> String {
        URL_SAFE_NO_PAD.encode(self.mac("halloo client", token).finalize().into_bytes())
    }

    /// Returns the proof of the server, 43 characters of base64url.
    pub fn server_proof(&self, token: &Token) -> String {
        URL_SAFE_NO_PAD.encode(self.mac("halloo server", token).finalize().into_bytes())
    }

    /// Returns whether `proof` is that of the server. The comparison takes the same time for every proof.
    pub fn is_server_proof(&self, proof: &str, token: &Token) -> bool {
        let proof = URL_SAFE_NO_PAD.decode(proof).unwrap_or_default();
        self.mac("halloo server", token).verify_slice(&proof).is_ok()
    }

    /// Returns the value of `Authorization` with the proof of the client.
    pub fn to_header(&self, token: &Token) -> String {
        let (challenge, nonce, proof) = (&self.challenge.text, &self.nonce, self.client_proof(token));
        format!(r#"{SCHEME} challenge="{challenge}", nonce="{nonce}", proof="{proof}""#)
    }

    /// The lines contain no line feed themselves, so that no two exchanges have the same text.
    fn mac(&self, role: &str, token: &Token) -> Hmac<Sha256> {
        let Exchange { challenge, nonce } = self;
        let text = format!("{role}\n{}\n{}\n{nonce}", challenge.id, challenge.text);
        keyed(token.reveal().as_bytes()).chain_update(text)
    }
}

/// The proof in a client's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientProof<'a> {
    /// The challenge that the client responds to.
    pub challenge: &'a str,
    nonce: &'a str,
    proof: &'a str,
}

impl<'a> ClientProof<'a> {
    /// Parses the value of `Authorization`. Returns `None` if it is of another scheme. What is missing or malformed is
    /// empty, so that the proof is wrong.
    pub(crate) fn from_header(value: &'a str) -> Option<ClientProof<'a>> {
        let given = parameters(value, SCHEME)?;
        let value = |name| given.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |&(_, value)| value);
        Some(ClientProof { challenge: value("challenge"), nonce: value("nonce"), proof: value("proof") })
    }

    /// Parses a subprotocol, `halloo.proof.CHALLENGE.NONCE.PROOF`. Returns `None` if it is another one.
    pub(crate) fn from_subprotocol(subprotocol: &'a str) -> Option<ClientProof<'a>> {
        let mut parts = subprotocol.strip_prefix(SUBPROTOCOL_PREFIX)?.splitn(3, '.');
        let mut next = || parts.next().unwrap_or_default();
        Some(ClientProof { challenge: next(), nonce: next(), proof: next() })
    }

    /// Returns the exchange with the server `id`, and the proof, if the proof is right.
    pub(crate) fn verify(&self, id: &str, token: &Token) -> Option<(Exchange, [u8; 32])> {
        let challenge = Challenge { id: id.to_owned(), text: self.challenge.to_owned() };
        let exchange = Exchange { challenge, nonce: self.nonce.to_owned() };
        let proof: [u8; 32] = URL_SAFE_NO_PAD.decode(self.proof).ok()?.try_into().ok()?;
        let is_right = exchange.mac("halloo client", token).verify_slice(&proof).is_ok();
        (is_right && is_base64url(self.nonce, NONCE_LENGTH)).then_some((exchange, proof))
    }
}

/// Returns HMAC-SHA-256 with `key`.
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // A key of every length is accepted: a long one is hashed first.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

fn is_base64url(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Returns the parameters of `scheme` in the value of a header (RFC 9110 section 11.2). Values in quotes must not contain
/// a quote or a comma, which base64url does not.
fn parameters<'a>(value: &'a str, scheme: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let (given, rest) = value.trim().split_once(' ')?;
    let pairs = rest.split(',').filter_map(|pair| pair.split_once('='));
    given
        .eq_ignore_ascii_case(scheme)
        .then(|| pairs.map(|(name, value)| (name.trim(), value.trim().trim_matches('"'))).collect())
}
