//! The server's side of a request: a WebSocket handshake (RFC 6455 section 4.2) or another HTTP request.

use std::borrow::Cow;
use std::net::IpAddr;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

use crate::Time;
use crate::access::{AccessRules, Denied};
use crate::authenticator::{Authenticator, Credentials};
use crate::client_request::ClientRequest;
use crate::connection_key::{ConnectionKey, ConnectionQuery};
use crate::extensions::DeflateOffer;
use crate::files::FileRequest;
use crate::headers;
use crate::http::{After, respond};
use crate::http_fault::HttpFault;
use crate::limits::HandshakeLimits;
use crate::proof::{ClientProof, ID_HEADER, PROOF_HEADER};
use crate::room::{self, RoomNameError};
use crate::routes::{self, Resource, Route};
use crate::setting_names::SettingNames;
use crate::subprotocols::{self, OWN_PREFIX};
use crate::target::Target;
use crate::token::Token;

/// Some clients use random characters as the key, in which trailing bits may be set that encode nothing.
const KEY: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Maximum length of a method in bytes; the longest registered one has 17.
const MAX_METHOD_BYTES: usize = 32;

/// The prefix of a subprotocol that contains the token. A web page cannot set another header (the `WebSocket`
/// constructor of the WHATWG standard), and a URL is more exposed. Such a subprotocol is never accepted.
const TOKEN_PREFIX: &str = "halloo.token.";

/// What is known about a request besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext<'s> {
    /// The address of the peer.
    pub ip: IpAddr,
    /// When the request was received.
    pub now: Time,
    /// Whether the application publishes files.
    pub has_files: bool,
    /// The subprotocols of the application, in the order in which they are preferred.
    pub subprotocols: &'s [String],
}

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// More bytes are needed.
    Incomplete,
    /// A WebSocket handshake that passed the access rules: send `response`. Frames begin after `head` bytes of input.
    Accept {
        /// Bytes of the request head.
        head: usize,
        /// The response with status 101.
        response: Vec<u8>,
        /// The compression that the client offers; to accept it, add it to the response.
        deflate: Option<DeflateOffer>,
        /// The key by which a page asks about this connection later.
        key: Option<ConnectionKey>,
        /// What the client said.
        request: Box<ClientRequest>,
    },
    /// A `GET` or `HEAD` request that passed the access rules: send the response of `route`.
    Respond {
        /// Bytes of the request head.
        head: usize,
        /// The requested route.
        route: &'static Route,
        /// Whether to send the head of the response only (`HEAD`).
        head_only: bool,
        /// The origin whose pages may read the response, if the request has one.
        origin: Option<String>,
        /// The proof of the server, for [`PROOF_HEADER`], if the client sent one.
        proof: Option<String>,
        /// What is asked about a connection, if the route is about one.
        query: Option<ConnectionQuery>,
        /// What is requested of a file, if `route` leads to one.
        file: Option<Box<FileRequest>>,
        /// Whether the connection stays open for further requests.
        after: After,
    },
    /// An `OPTIONS` request that passed the access rules, such as a CORS preflight: send `response` and close.
    Options {
        /// The requested route.
        route: &'static Route,
        /// The whole response.
        response: Vec<u8>,
    },
    /// Send `response` and close.
    Refuse {
        /// The reason, for the log.
        reason: Refusal,
        /// The whole response, which contains the reason.
        response: Vec<u8>,
    },
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes are not HTTP.
    #[error("this is not an HTTP request; connect with ws:// and a WebSocket client")]
    NotHttp,
    /// The bytes are HTTP with a fault.
    #[error("malformed HTTP request: {0}")]
    MalformedHttp(#[from] HttpFault),
    /// The bytes are TLS, which this server does not use.
    #[error("this port does not speak TLS; use ws:// or http:// instead of wss:// or https://")]
    UnexpectedTls,
    /// The request came without TLS, which this server requires.
    #[error("this port only speaks TLS; use wss:// or https:// instead of ws:// or http://")]
    TlsRequired,
    /// The request head is too large.
    #[error(
        "the request head has more than {size} bytes or {headers} headers; send fewer or shorter headers, or clear the cookies of this host"
    )]
    TooLarge {
        /// The limit in bytes.
        size: usize,
        /// The limit in headers.
        headers: usize,
    },
    /// The method is not `GET`, `HEAD` or `OPTIONS`.
    #[error("the method is not supported; use GET or HEAD")]
    UnsupportedMethod,
    /// The handshake violates RFC 6455.
    #[error("invalid WebSocket handshake: {0}")]
    InvalidHandshake(&'static str),
    /// The WebSocket version is not 13.
    #[error("the WebSocket version is not supported; use version 13")]
    UnsupportedVersion,
    /// The request is for another server, which was at this address or is claimed to be.
    #[error("this is not the server that the client is looking for; search for it again")]
    OtherServer,
    /// The path is that of a room, but not of one that the client can join.
    #[error(transparent)]
    Room(#[from] RoomNameError),
    /// An access rule refuses the request.
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

    /// Returns the HTTP status of the response.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::TooLarge { .. } => 431,
            Refusal::UnsupportedMethod => 405,
            Refusal::UnsupportedVersion => 426,
            Refusal::Denied(Denied::MissingHost) => 400,
            Refusal::Denied(denied) if is_about_token(denied) => 401,
            Refusal::OtherServer => 421,
            Refusal::Room(_) => 404,
            Refusal::Denied(Denied::TooManyWrongTokens) => 429,
            Refusal::Denied(_) => 403,
            _ => 400,
        }
    }
}

/// The methods of HTTP requests.
const METHODS: &str = "GET, HEAD, OPTIONS";

/// Returns whether the client may try again with the token, or with a proof of it.
fn is_about_token(denied: &Denied) -> bool {
    matches!(
        denied,
        Denied::MissingToken | Denied::WrongToken | Denied::StaleProof | Denied::TokenInClear | Denied::TokenInUrl
    )
}

/// Parses the request head at the start of `bytes`, and decides what to do with the request.
pub fn read_head(
    bytes: &[u8],
    context: RequestContext<'_>,
    rules: &AccessRules,
    limits: &HandshakeLimits,
    authenticator: &mut Authenticator,
) -> Decision {
    decide(bytes, context, rules, limits, authenticator).unwrap_or_else(|Refused { reason, origin }| {
        let is_stale = reason == Refusal::Denied(Denied::StaleProof);
        let challenge = authenticator.challenger().issue(context.now).to_header(is_stale);
        let mut headers: Vec<(&str, &str)> = match &reason {
            Refusal::UnsupportedVersion => vec![("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
            Refusal::UnsupportedMethod => vec![("Allow", METHODS)],
            Refusal::Denied(denied) if is_about_token(denied) => {
                let bearer = (!rules.token_proof_only).then_some("Bearer");
                let schemes = std::iter::once(challenge.as_str()).chain(bearer);
                schemes.map(|scheme| ("WWW-Authenticate", scheme)).collect()
            }
            Refusal::Denied(Denied::TooManyWrongTokens) => vec![("Retry-After", "10")],
            _ => Vec::new(),
        };
        if let Some(origin) = &origin {
            headers.extend(cross_origin(origin));
        }
        let body = format!("{}\n", reason.describe(rules.setting_names));
        let head_only = bytes.starts_with(b"HEAD ");
        let response = respond(reason.status(), "text/plain; charset=utf-8", &headers, body.as_bytes(), head_only);
        Decision::Refuse { reason, response }
    })
}

/// Returns the headers that let pages of `origin` read a response (the CORS protocol of the Fetch standard).
pub fn cross_origin(origin: &str) -> [(&'static str, &str); 2] {
    [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
}

/// A refusal, and the origin whose pages may read it.
struct Refused {
    reason: Refusal,
    origin: Option<String>,
}

impl<E: Into<Refusal>> From<E> for Refused {
    fn from(reason: E) -> Refused {
        Refused { reason: reason.into(), origin: None }
    }
}

fn decide(
    bytes: &[u8],
    context: RequestContext<'_>,
    rules: &AccessRules,
    limits: &HandshakeLimits,
    authenticator: &mut Authenticator,
) -> Result<Decision, Refused> {
    if bytes.first() == Some(&0x16) {
        return Err(Refusal::UnexpectedTls.into());
    }
    if bytes.len() > MAX_METHOD_BYTES && !bytes[..MAX_METHOD_BYTES].contains(&b' ') {
        return Err(Refusal::NotHttp.into());
    }
    let size = limits.max_head_bytes;
    let mut headers = vec![httparse::EMPTY_HEADER; limits.max_headers];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head)) if head <= size => head,
        Ok(httparse::Status::Partial) if bytes.len() < size => return Ok(Decision::Incomplete),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal::TooLarge { size, headers: limits.max_headers }.into());
        }
        Err(error) => return Err(HttpFault::find(bytes, error).map_or(Refusal::NotHttp, Refusal::from).into()),
    };
    let request = Request { inner: &request, target: Target::parse(request.path.unwrap_or("/")) };
    let origin = request.check_page(context, rules)?.map(str::to_owned);
    let get = request.inner.method == Some("GET");
    if !request.has_token("upgrade", "websocket")? {
        let route = routes::find(request.target.path, context.has_files);
        if request.inner.method == Some("OPTIONS") {
            return Ok(Decision::Options { route, response: request.respond_to_options(route, origin.as_deref())? });
        }
        if !get && request.inner.method != Some("HEAD") {
            return Err(Refusal::UnsupportedMethod.into());
        }
        if !request.all("sec-websocket-key")?.is_empty() {
            let missing = "`Upgrade: websocket` is missing; a proxy may have removed it";
            return Err(Refusal::InvalidHandshake(missing).into());
        }
        let mut proof = None;
        if route.needs_token {
            let readable = origin.clone().filter(|_| route.is_readable_across_origins());
            // Any page of the Web can make a browser request a URL, and a browser names the page in `Origin` only where it may
            // read the response. So a token in the URL is ignored unless no browser sends the request.
            let is_from_browser = request.inner.version != Some(0) || !request.all("host")?.is_empty();
            let checked = request.check_token(context, rules, authenticator, !is_from_browser);
            proof = checked.map_err(|reason| Refused { reason, origin: readable })?;
        }
        let query = ConnectionQuery::parse(route, request.target.query);
        let file = (route.resource == Resource::File).then(|| {
            FileRequest::new(request.target.path, request.target.query, request.inner.headers, !get).map(Box::new)
        });
        let file = file.transpose()?;
        let after = if context.has_files { request.after()? } else { After::Close };
        return Ok(Decision::Respond { head, route, head_only: !get, origin, proof, query, file, after });
    }
    let invalid = |what| Err(Refusal::InvalidHandshake(what).into());
    if !get {
        return invalid("the method must be GET");
    }
    if request.inner.version != Some(1) {
        return invalid("the version must be HTTP/1.1");
    }
    if !request.has_token("connection", "upgrade")? {
        return invalid("`Connection: Upgrade` is missing");
    }
    if request.all("sec-websocket-version")? != ["13"] {
        return Err(Refusal::UnsupportedVersion.into());
    }
    let &[key] = request.all("sec-websocket-key")?.as_slice() else {
        return invalid("exactly one Sec-WebSocket-Key is required");
    };
    if !KEY.decode(key).is_ok_and(|key| key.len() == 16) {
        return invalid("Sec-WebSocket-Key must be 16 bytes in base64");
    }
    let id = authenticator.challenger().id();
    let id = match request.all("halloo-id")?[..] {
        [] => String::new(),
        [expected] if expected == id => format!("{ID_HEADER}: {id}\r\n"),
        _ => return Err(Refusal::OtherServer.into()),
    };
    // A page that opens a WebSocket is named in `Origin`, which has been checked.
    let proof = request.check_token(context, rules, authenticator, true)?;
    let proof = proof.map_or_else(String::new, |proof| format!("{PROOF_HEADER}: {proof}\r\n"));
    let accept = accept_key(key);
    let room = room::from_path(request.target.path)?;
    // A server may only accept what was offered, and a browser that offered a subprotocol fails if none is accepted.
    let lists = request.all("sec-websocket-protocol")?;
    let offered: Vec<&str> = lists.iter().flat_map(|list| list.split(',')).map(str::trim).collect();
    let key = offered.iter().copied().find_map(ConnectionKey::from_subprotocol);
    let subprotocol = subprotocols::choose(&offered, context.subprotocols);
    let mut client = request.describe(&offered, subprotocol)?;
    client.set_room(room);
    if let Some(token) = &rules.token {
        client.hide(token.reveal());
    }
    let subprotocol = subprotocol.map_or_else(String::new, |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{subprotocol}{id}{proof}\r\n"
    );
    let deflate = DeflateOffer::first_in(&request.all("sec-websocket-extensions")?);
    Ok(Decision::Accept { head, response: response.into_bytes(), deflate, key, request: Box::new(client) })
}

struct Request<'r, 'h, 'b> {
    inner: &'r httparse::Request<'h, 'b>,
    target: Target<'b>,
}

impl<'b> Request<'_, '_, 'b> {
    /// Returns the trimmed values of all headers called `name`.
    fn all(&self, name: &'static str) -> Result<Vec<&'b str>, HttpFault> {
        headers::all(self.inner.headers, name).ok_or(HttpFault::NotUtf8(name))
    }

    /// Returns what the client says, of which it offers these subprotocols.
    fn describe(&self, offered: &[&str], chosen: Option<&str>) -> Result<ClientRequest, HttpFault> {
        let Target { path, query, .. } = self.target;
        let mut client = match query {
            "" => ClientRequest::new(path),
            query => ClientRequest::new(&format!("{path}?{query}")),
        };
        let is_own =
            |name: &str| name.get(..OWN_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN_PREFIX));
        let of_application: Vec<&str> =
            offered.iter().copied().filter(|name| !name.is_empty() && !is_own(name)).collect();
        client.set_subprotocols(&of_application, chosen.filter(|name| !is_own(name)));
        let first = |name| self.all(name).map(|values| values.first().copied());
        client.set_program(
            first("origin")?,
            headers::all(self.inner.headers, "user-agent").and_then(|all| all.first().copied()),
        );
        Ok(client)
    }

    /// Checks the host and the origin. Returns the origin, if a page in a browser sent the request.
    fn check_page(&self, context: RequestContext<'_>, rules: &AccessRules) -> Result<Option<&'b str>, Refusal> {
        let (mut hosts, origins) = (self.all("host")?, self.all("origin")?);
        let is_old = self.inner.version == Some(0);
        match self.target.authority {
            // A health check by HTTP/1.0, which has no `Host` (RFC 1945). Browsers always send HTTP/1.1 and `Host`.
            None if is_old && hosts.is_empty() && origins.is_empty() => return Ok(None),
            Some(authority) if hosts.len() == 1 || (is_old && hosts.is_empty()) => hosts = vec![authority],
            _ => {}
        }
        Ok(rules.check_page(&hosts, &origins, context.ip)?)
    }

    /// Returns whether the connection can be used for another request (RFC 9112 section 9.3): not after a request with
    /// content, which is not read.
    fn after(&self) -> Result<After, HttpFault> {
        let lengths = self.all("content-length")?;
        let has_content = lengths.iter().any(|&length| length != "0") || !self.all("transfer-encoding")?.is_empty();
        let is_last = self.inner.version != Some(1) || self.has_token("connection", "close")?;
        Ok(if has_content || is_last { After::Close } else { After::KeepAlive })
    }

    /// Returns the response to `OPTIONS`, which allows pages of `origin` to send a token if it is a CORS preflight.
    fn respond_to_options(&self, route: &Route, origin: Option<&str>) -> Result<Vec<u8>, Refusal> {
        let mut headers = vec![("Allow", METHODS)];
        let is_preflight = !self.all("access-control-request-method")?.is_empty();
        if let Some(origin) = origin.filter(|_| is_preflight && route.is_readable_across_origins()) {
            headers.extend(cross_origin(origin));
            headers.extend([
                ("Access-Control-Allow-Methods", "GET, HEAD"),
                ("Access-Control-Allow-Headers", "Authorization"),
                ("Access-Control-Max-Age", "600"),
            ]);
            // Asked for by browsers that tell apart public and private networks.
            if self.all("access-control-request-private-network")? == ["true"] {
                headers.push(("Access-Control-Allow-Private-Network", "true"));
            }
        }
        Ok(respond(204, "", &headers, b"", true))
    }

    /// Checks the tokens in the query, in the subprotocols and in `Authorization` (RFC 6750 section 2.1), and the proofs in
    /// the last two. The query is only used if it `may_have_token`. Returns the proof of the server, if the client sent one.
    fn check_token(
        &self,
        context: RequestContext<'_>,
        rules: &AccessRules,
        authenticator: &mut Authenticator,
        may_have_token: bool,
    ) -> Result<Option<String>, Refusal> {
        if rules.token.is_none() {
            return Ok(None);
        }
        let mut given = Credentials::default();
        let in_query = self.target.query.split('&').filter_map(|pair| pair.strip_prefix("token="));
        if may_have_token {
            given.tokens.extend(in_query.clone().map(Token::decode));
        }
        for item in self.all("sec-websocket-protocol")?.into_iter().flat_map(|list| list.split(',')).map(str::trim) {
            given.tokens.extend(item.strip_prefix(TOKEN_PREFIX).map(Cow::from));
            given.proofs.extend(ClientProof::from_subprotocol(item));
        }
        for credentials in self.all("authorization")? {
            given.proofs.extend(ClientProof::from_header(credentials));
            match credentials.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    given.tokens.push(token.trim_matches(' ').into());
                }
                _ => {}
            }
        }
        match authenticator.check(rules, &given, context.ip, context.now) {
            Err(Denied::MissingToken) if in_query.count() > 0 => Err(Denied::TokenInUrl.into()),
            outcome => Ok(outcome?),
        }
    }

    /// Returns whether a list of tokens, possibly in several headers, contains `token`.
    fn has_token(&self, name: &'static str, token: &str) -> Result<bool, HttpFault> {
        headers::has_token(self.inner.headers, name, token).ok_or(HttpFault::NotUtf8(name))
    }
}

/// Returns the `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2).
pub fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}
