//! The opening handshake, from the client's side (RFC 6455 section 4.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use httparse::Header;

use crate::credential::Credential;
use crate::headers;
use crate::proof::{Challenge, ID_HEADER, PROOF_HEADER};
use crate::subprotocols::is_subprotocol;
use crate::text::escape;
use crate::token::Token;
use crate::upgrade::accept_key;
use crate::url::Url;

/// Maximum size of a response head in bytes; a server sends a few hundred.
const MAX_HEAD_BYTES: usize = 8 * 1024;
/// Maximum number of headers in a response head.
const MAX_HEADERS: usize = 64;

/// Maximum length of the text of a refusal in bytes: room for a sentence.
const MAX_REFUSAL_BYTES: usize = 300;

/// One handshake: the request contains a key, and the response must contain its hash, and what else identifies the server.
///
/// ```
/// use halloo_proto::handshake::{Handshake, Response};
///
/// let handshake = Handshake::new(*b"the sample nonce"); // use random bytes instead
/// let request = handshake.request(&"ws://192.168.1.5:8765".parse()?);
/// assert!(request.starts_with(b"GET / HTTP/1.1\r\nHost: 192.168.1.5:8765\r\n"));
/// assert_eq!(handshake.read_response(b"HTTP/1.1 101 Switching", false), Response::Incomplete);
/// # Ok::<(), halloo_proto::url::UrlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handshake {
    key: String,
    credential: Option<Credential>,
    server: Option<ExpectedServer>,
    subprotocols: Vec<String>,
}

/// The server that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedServer {
    /// Its id.
    pub id: String,
    /// Whether the server must confirm its id, which other programs than halloo do not.
    pub must_confirm: bool,
}

/// The state of the server's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// More bytes are needed.
    Incomplete,
    /// The server accepted. Frames begin after `head` bytes of input.
    Accepted {
        /// Bytes of the response head.
        head: usize,
        /// Whether the server named the id that it is expected to have.
        confirmed: bool,
        /// The subprotocol that the server chose; `None` if it chose none.
        subprotocol: Option<String>,
    },
    /// The server refused.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The text of the response, escaped for a log; the reason phrase if there is no text.
        text: String,
        /// How to prove that the client knows the token, if the server requires one, and whether the last proof was refused
        /// only because its challenge was too old.
        challenge: Option<(Challenge, bool)>,
    },
    /// The server accepted, but it is not the one that is meant.
    WrongServer(&'static str),
    /// The response is not a valid WebSocket handshake.
    Invalid(&'static str),
}

impl Handshake {
    /// Creates a handshake with this nonce, which must be random for each connection.
    pub fn new(nonce: [u8; 16]) -> Handshake {
        Handshake { key: STANDARD.encode(nonce), credential: None, server: None, subprotocols: Vec::new() }
    }

    /// Sets how the client shows that it knows the token.
    #[must_use]
    pub fn credential(mut self, credential: Option<Credential>) -> Handshake {
        self.credential = credential;
        self
    }

    /// Sets the server that is meant. Without it, any server at the address is.
    #[must_use]
    pub fn server(mut self, server: Option<ExpectedServer>) -> Handshake {
        self.server = server;
        self
    }

    /// Sets the subprotocols to offer, the preferred one first (RFC 6455 section 1.9). A name that is not
    /// [valid](crate::subprotocols::is_subprotocol) is not offered.
    #[must_use]
    pub fn subprotocols(mut self, names: Vec<String>) -> Handshake {
        self.subprotocols = names;
        self.subprotocols.retain(|name| is_subprotocol(name));
        self
    }

    /// Returns how the client shows that it knows the token.
    pub fn given_credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// Returns the request. It has no `Origin`, which is for browsers (RFC 6455 section 10.2). Credentials are in a
    /// header, which is less exposed than a URL (RFC 6750 section 2.1).
    pub fn request(&self, url: &Url) -> Vec<u8> {
        let credential = self.credential.as_ref().and_then(Credential::authorization);
        let credential = credential.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
        let subprotocols = match self.subprotocols.join(", ") {
            names if names.is_empty() => String::new(),
            names => format!("Sec-WebSocket-Protocol: {names}\r\n"),
        };
        let server = self.server.as_ref().map_or_else(String::new, |server| format!("{ID_HEADER}: {}\r\n", server.id));
        format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n{subprotocols}{credential}{server}\r\n",
            url.resource(),
            url.authority(),
            self.key
        )
        .into_bytes()
    }

    /// Parses the bytes received so far; `ended` if the server closed its side. Interim responses (RFC 9110 section 15.2)
    /// are skipped.
    ///
    /// At most 8 KiB are needed. The text of a refusal is read to its end.
    pub fn read_response(&self, bytes: &[u8], ended: bool) -> Response {
        let mut skipped = 0;
        loop {
            let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut response = httparse::Response::new(&mut fields);
            let head = match response.parse(&bytes[skipped..]) {
                Ok(httparse::Status::Complete(head)) if skipped + head <= MAX_HEAD_BYTES => skipped + head,
                Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => return Response::Incomplete,
                Ok(_) | Err(httparse::Error::TooManyHeaders) => {
                    return Response::Invalid("its response head is too large");
                }
                Err(_) => return Response::Invalid("it does not speak HTTP"),
            };
            return match response.code.unwrap_or_default() {
                101 if response.version != Some(1) => Response::Invalid("its response is not HTTP/1.1"),
                101 => match self.check(response.headers) {
                    Err(reason) => Response::Invalid(reason),
                    Ok(subprotocol) => {
                        self.identify(response.headers).map_or_else(Response::WrongServer, |confirmed| {
                            Response::Accepted { head, confirmed, subprotocol }
                        })
                    }
                },
                100..200 => {
                    skipped = head;
                    continue;
                }
                status => {
                    let more = !ended && bytes.len() < MAX_HEAD_BYTES;
                    let phrase = response.reason.unwrap_or_default();
                    refusal(status, phrase, response.headers, &bytes[head..], more)
                }
            };
        }
    }

    /// Checks the response (RFC 6455 section 4.1). Returns the subprotocol that the server chose.
    fn check(&self, fields: &[Header<'_>]) -> Result<Option<String>, &'static str> {
        const NOT_TEXT: &str = "its response has a header that is not UTF-8";
        let all = |name| headers::all(fields, name).ok_or(NOT_TEXT);
        if !matches!(all("upgrade")?[..], [upgrade] if upgrade.eq_ignore_ascii_case("websocket")) {
            return Err("its response lacks `Upgrade: websocket`");
        }
        if !headers::has_token(fields, "connection", "upgrade").ok_or(NOT_TEXT)? {
            return Err("its response lacks `Connection: Upgrade`");
        }
        if all("sec-websocket-accept")? != [accept_key(&self.key)] {
            return Err("its Sec-WebSocket-Accept does not match the key, so the response is for another request");
        }
        if all("sec-websocket-extensions")?.iter().any(|extension| !extension.is_empty()) {
            return Err("it uses an extension that was not offered");
        }
        match all("sec-websocket-protocol")?[..] {
            [] => Ok(None),
            [chosen] if self.subprotocols.iter().any(|offered| offered == chosen) => Ok(Some(chosen.to_owned())),
            _ => Err("it chose a subprotocol that was not offered"),
        }
    }

    /// Checks that the response is from the server that is meant. Returns whether the server named its id.
    fn identify(&self, fields: &[Header<'_>]) -> Result<bool, &'static str> {
        let mut confirmed = false;
        if let Some(expected) = &self.server {
            match headers::all(fields, ID_HEADER).as_deref() {
                Some([id]) if *id == expected.id => confirmed = true,
                Some([]) if !expected.must_confirm => {}
                _ => return Err("it is not the server that was found, so the address belongs to another one now"),
            }
        }
        let proof = headers::all(fields, PROOF_HEADER).filter(|values| values.len() == 1).map(|values| values[0]);
        self.credential.as_ref().map_or(Ok(()), |credential| credential.check_response(proof))?;
        Ok(confirmed)
    }
}

fn refusal(status: u16, phrase: &str, fields: &[Header<'_>], body: &[u8], more: bool) -> Response {
    let first = |name| headers::all(fields, name).and_then(|values| values.first().copied());
    let has_text = first("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/plain"))
        && first("transfer-encoding").is_none();
    let length = first("content-length").and_then(|length| length.parse().ok()).unwrap_or(usize::MAX);
    if has_text && more && body.len() < length {
        return Response::Incomplete;
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(length)]);
    let text = if has_text && !text.trim().is_empty() { text.trim() } else { phrase.trim() };
    let mut text = escape(text, MAX_REFUSAL_BYTES);
    // Redirects are not followed: the token would go to another server.
    if let Some(location) = first("location").filter(|location| (300..400).contains(&status) && !location.is_empty()) {
        text.push_str(&describe_redirect(location));
    }
    let challenge = if status == 401 { Challenge::from_headers(fields) } else { None };
    Response::Refused { status, text, challenge }
}

/// Returns what to do about a redirect (RFC 9110 section 10.2.2).
fn describe_redirect(location: &str) -> String {
    let location = escape(&Token::hide(location), MAX_REFUSAL_BYTES);
    let is_path = !location.starts_with("//") && !location.contains("://");
    let place = if is_path { "path on the same server" } else { "address" };
    format!("; the server redirects to {location}, so connect to that {place} if you trust it")
}
