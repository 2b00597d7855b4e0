//! The request head: a WebSocket handshake, a page, or neither (RFC 6455 section 4.2).

use std::net::IpAddr;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

use crate::access::{AccessRules, Denied};
use crate::extensions::DeflateOffer;
use crate::headers;
use crate::http::respond;
use crate::limits::HandshakeLimits;
use crate::routes::{self, Route};
use crate::setting_names::SettingNames;

/// Small clients draw the characters of their key at random, and leave bits set that encode nothing.
const KEY: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// No method that anybody sends is longer (the longest registered one has 17 letters).
const LONGEST_METHOD: usize = 32;

/// The subprotocol that is chosen when it is offered. It stands for no more than plain messages.
pub const SUBPROTOCOL: &str = "halloo.v1";
/// A subprotocol that begins so is no protocol but brings the token: a page can set no other header (the WHATWG's
/// WebSocket constructor), and a URL is seen by more people. It is never the one that is chosen.
const TOKEN_PREFIX: &str = "halloo.token.";

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext {
    /// From which address.
    pub ip: IpAddr,
    /// Whether a token of theirs is looked at ([`Guesses::allows`](crate::token::Guesses::allows)).
    pub may_guess: bool,
}

/// What a request head asks for, and what it gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// More bytes are needed.
    Incomplete,
    /// A WebSocket handshake: send `response`; frames follow `head` bytes into the input.
    Accept {
        /// Bytes of the head.
        head: usize,
        /// The 101 answer.
        response: Vec<u8>,
        /// The compression that the client offers: a server that wants it adds its own word to the answer.
        deflate: Option<DeflateOffer>,
    },
    /// A `GET` or `HEAD` request that passed the access rules: send the response of `route` and close.
    Respond {
        /// What is requested.
        route: &'static Route,
        /// Whether the response has no body (`HEAD`).
        head_only: bool,
        /// The origin whose pages may read the response, when the request has one.
        origin: Option<String>,
    },
    /// Send `response` and close.
    Refuse {
        /// Why, for the log and the peer.
        reason: Refusal,
        /// The answer.
        response: Vec<u8>,
    },
}

/// Why a request got no for an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not HTTP at all.
    #[error("this is not HTTP; connect with ws:// and any WebSocket client")]
    Garbage,
    /// The first byte of TLS.
    #[error("this port does not speak TLS; use ws:// or http:// instead of wss:// or https://")]
    Tls,
    /// No TLS, where nothing else is spoken.
    #[error("this port speaks TLS; use wss:// or https:// instead of ws:// or http://")]
    Plain,
    /// The head is too large.
    #[error("the request head is larger than {size} bytes or {headers} headers")]
    TooLarge {
        /// Bytes that it may have.
        size: usize,
        /// Headers that it may have.
        headers: usize,
    },
    /// Not `GET` or `HEAD`.
    #[error("only GET and HEAD are answered")]
    Method,
    /// A handshake that breaks RFC 6455.
    #[error("the WebSocket handshake is wrong: {0}")]
    Handshake(&'static str),
    /// Another version than 13.
    #[error("only WebSocket version 13 is spoken")]
    Version,
    /// An access rule.
    #[error(transparent)]
    Denied(#[from] Denied),
}

impl Refusal {
    /// Returns the reason in a sentence, with the setting that would allow the request if there is one.
    pub fn describe(&self, names: SettingNames) -> String {
        let advice = match self {
            Refusal::Denied(denied) => denied.advice(names),
            _ => None,
        };
        advice.map_or_else(|| self.to_string(), |advice| format!("{self}; {advice}"))
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::TooLarge { .. } => 431,
            Refusal::Method => 405,
            Refusal::Version => 426,
            Refusal::Denied(Denied::HostMissing) => 400,
            Refusal::Denied(Denied::TokenMissing | Denied::TokenWrong) => 401,
            Refusal::Denied(Denied::TooManyGuesses) => 429,
            Refusal::Denied(_) => 403,
            _ => 400,
        }
    }
}

/// Reads the request head at the start of `bytes`, sent by `context`.
pub fn read_head(bytes: &[u8], context: RequestContext, rules: &AccessRules, limits: &HandshakeLimits) -> Decision {
    judge(bytes, context, rules, limits).unwrap_or_else(|reason| {
        let extra: &[(&str, &str)] = match reason {
            Refusal::Version => &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
            Refusal::Method => &[("Allow", "GET, HEAD")],
            Refusal::Denied(Denied::TokenMissing | Denied::TokenWrong) => &[("WWW-Authenticate", "Bearer")],
            Refusal::Denied(Denied::TooManyGuesses) => &[("Retry-After", "10")],
            _ => &[],
        };
        let body = format!("{}\n", reason.describe(rules.setting_names));
        let head_only = bytes.starts_with(b"HEAD ");
        let response = respond(reason.status(), "text/plain; charset=utf-8", extra, body.as_bytes(), head_only);
        Decision::Refuse { reason, response }
    })
}

fn judge(
    bytes: &[u8],
    context: RequestContext,
    rules: &AccessRules,
    limits: &HandshakeLimits,
) -> Result<Decision, Refusal> {
    if bytes.first() == Some(&0x16) {
        return Err(Refusal::Tls);
    }
    if bytes.len() > LONGEST_METHOD && !bytes[..LONGEST_METHOD].contains(&b' ') {
        return Err(Refusal::Garbage);
    }
    let size = limits.max_head_bytes;
    let mut headers = vec![httparse::EMPTY_HEADER; limits.max_headers];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head)) if head <= size => head,
        Ok(httparse::Status::Partial) if bytes.len() < size => return Ok(Decision::Incomplete),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal::TooLarge { size, headers: limits.max_headers });
        }
        Err(_) => return Err(Refusal::Garbage),
    };
    let request = Request { inner: &request };
    let host = rules.check_host(&request.all("host")?)?;
    let origins = request.all("origin")?;
    rules.check_origin(&origins, host, context.ip)?;
    let get = request.inner.method == Some("GET");
    if !request.has_token("upgrade", "websocket")? {
        if !get && request.inner.method != Some("HEAD") {
            return Err(Refusal::Method);
        }
        if !request.all("sec-websocket-key")?.is_empty() {
            return Err(Refusal::Handshake("`Upgrade: websocket` is missing; a proxy on the way may have dropped it"));
        }
        let route = routes::find(request.path());
        if route.needs_token {
            request.check_token(context, rules)?;
        }
        let origin = origins.first().map(|&origin| origin.to_owned());
        return Ok(Decision::Respond { route, head_only: !get, origin });
    }
    let wrong = |what| Err(Refusal::Handshake(what));
    if !get {
        return wrong("its method must be GET");
    }
    if request.inner.version != Some(1) {
        return wrong("it needs HTTP/1.1");
    }
    if !request.has_token("connection", "upgrade")? {
        return wrong("`Connection: Upgrade` is missing");
    }
    if request.all("sec-websocket-version")? != ["13"] {
        return Err(Refusal::Version);
    }
    let &[key] = request.all("sec-websocket-key")?.as_slice() else {
        return wrong("it needs exactly one Sec-WebSocket-Key");
    };
    if !KEY.decode(key).is_ok_and(|key| key.len() == 16) {
        return wrong("Sec-WebSocket-Key must be 16 bytes in base64");
    }
    request.check_token(context, rules)?;
    let accept = accept_key(key);
    // Only what was offered may be chosen, and a browser that offered something hangs up when nothing is.
    let offered = request.all("sec-websocket-protocol")?;
    let chosen = match offered.iter().flat_map(|list| list.split(',')).any(|item| item.trim() == SUBPROTOCOL) {
        true => format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"),
        false => String::new(),
    };
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{chosen}\r\n"
    );
    let deflate = DeflateOffer::first_in(&request.all("sec-websocket-extensions")?);
    Ok(Decision::Accept { head, response: response.into_bytes(), deflate })
}

struct Request<'r, 'h, 'b> {
    inner: &'r httparse::Request<'h, 'b>,
}

impl<'b> Request<'_, '_, 'b> {
    /// The trimmed values of every header called `name`.
    fn all(&self, name: &str) -> Result<Vec<&'b str>, Refusal> {
        headers::all(self.inner.headers, name).ok_or(Refusal::Garbage)
    }

    /// The path, without its query.
    fn path(&self) -> &'b str {
        self.inner.path.unwrap_or("/").split(['?', '#']).next().unwrap_or("/")
    }

    /// Checks the tokens given in the query, as a subprotocol, or as RFC 6750 section 2.1 has it.
    fn check_token(&self, context: RequestContext, rules: &AccessRules) -> Result<(), Refusal> {
        if rules.token.is_none() {
            return Ok(());
        }
        let query = self.inner.path.and_then(|target| target.split('#').next()?.split_once('?')).map_or("", |(_, q)| q);
        let mut given: Vec<&str> = query.split('&').filter_map(|pair| pair.strip_prefix("token=")).collect();
        let offered = self.all("sec-websocket-protocol")?;
        given.extend(
            offered.iter().flat_map(|list| list.split(',')).filter_map(|p| p.trim().strip_prefix(TOKEN_PREFIX)),
        );
        for credentials in self.all("authorization")? {
            match credentials.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => given.push(token.trim_matches(' ')),
                _ => {}
            }
        }
        if !given.is_empty() && !context.may_guess {
            return Err(Denied::TooManyGuesses.into());
        }
        Ok(rules.check_token(&given)?)
    }

    /// Whether a list of tokens, possibly over several headers, has `token`.
    fn has_token(&self, name: &str, token: &str) -> Result<bool, Refusal> {
        headers::has_token(self.inner.headers, name, token).ok_or(Refusal::Garbage)
    }
}

/// The answer to a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2).
pub fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}
