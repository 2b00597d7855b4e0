//! The opening handshake from the client's side (RFC 6455 section 4.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use httparse::Header;

use crate::headers;
use crate::text::escape;
use crate::token::Token;
use crate::upgrade::accept_key;
use crate::url::Url;

/// Bytes of a response head that are read at most; a server needs a few hundred.
const MAX_HEAD_BYTES: usize = 8 * 1024;
/// Headers of a response head at most.
const MAX_HEADERS: usize = 64;

/// Bytes of a refusal that are shown: a sentence, not a page.
const REFUSAL: usize = 300;

/// One handshake: the key goes out with the request and its hash must come back.
///
/// ```
/// use halloo_proto::handshake::{Answer, Handshake};
///
/// let handshake = Handshake::new(*b"the sample nonce"); // random, in earnest
/// let request = handshake.request(&"ws://192.168.1.5:8765".parse()?, None);
/// assert!(request.starts_with(b"GET / HTTP/1.1\r\nHost: 192.168.1.5:8765\r\n"));
/// assert_eq!(handshake.judge(b"HTTP/1.1 101 Switching", false), Answer::Incomplete);
/// # Ok::<(), halloo_proto::url::UrlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handshake {
    key: String,
}

/// What the server's bytes so far say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// More bytes are needed.
    Incomplete,
    /// A WebSocket: frames follow `head` bytes into the input.
    Accepted {
        /// Bytes of the answer's head.
        head: usize,
    },
    /// The server does not want to.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's own sentence, fit for a log; the phrase of the status when it sent none.
        text: String,
    },
    /// What answers does not speak WebSocket, or not as asked.
    Broken(&'static str),
}

impl Handshake {
    /// A handshake with this nonce, which must be random for each connection.
    pub fn new(nonce: [u8; 16]) -> Handshake {
        Handshake { key: STANDARD.encode(nonce) }
    }

    /// The request. It has no `Origin`: that is for browsers, where it names the page (RFC 6455 section 10.2).
    /// The `token` goes into a header, which fewer see than a URL (RFC 6750 section 2.1).
    pub fn request(&self, url: &Url, token: Option<&Token>) -> Vec<u8> {
        let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {}\r\n", token.reveal()));
        format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n{token}\r\n",
            url.resource(),
            url.authority(),
            self.key
        )
        .into_bytes()
    }

    /// Judges what has come so far; `ended` says that nothing more comes.
    ///
    /// At most 8 KiB are asked for. A refusal is read to the end of its sentence.
    pub fn judge(&self, bytes: &[u8], ended: bool) -> Answer {
        let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut fields);
        let head = match response.parse(bytes) {
            Ok(httparse::Status::Complete(head)) if head <= MAX_HEAD_BYTES => head,
            Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => return Answer::Incomplete,
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Answer::Broken("its answer is too large"),
            Err(_) => return Answer::Broken("what answers does not speak HTTP"),
        };
        let status = response.code.unwrap_or_default();
        if status != 101 {
            let more = !ended && bytes.len() < MAX_HEAD_BYTES;
            let phrase = response.reason.unwrap_or_default();
            return refusal(status, phrase, response.headers, &bytes[head..], more);
        }
        if response.version != Some(1) {
            return Answer::Broken("its answer is not HTTP/1.1");
        }
        match self.check(response.headers) {
            Ok(()) => Answer::Accepted { head },
            Err(what) => Answer::Broken(what),
        }
    }

    fn check(&self, fields: &[Header<'_>]) -> Result<(), &'static str> {
        const GARBLED: &str = "its answer has a header that is not text";
        let all = |name| headers::all(fields, name).ok_or(GARBLED);
        if !matches!(all("upgrade")?[..], [upgrade] if upgrade.eq_ignore_ascii_case("websocket")) {
            return Err("its answer lacks `Upgrade: websocket`");
        }
        if !headers::has_token(fields, "connection", "upgrade").ok_or(GARBLED)? {
            return Err("its answer lacks `Connection: Upgrade`");
        }
        if all("sec-websocket-accept")? != [accept_key(&self.key)] {
            return Err("its Sec-WebSocket-Accept does not fit the key, so it answered somebody else");
        }
        if all("sec-websocket-extensions")?.iter().any(|extension| !extension.is_empty()) {
            return Err("it uses an extension that was not asked for");
        }
        if !all("sec-websocket-protocol")?.is_empty() {
            return Err("it chose a subprotocol that was not asked for");
        }
        Ok(())
    }
}

fn refusal(status: u16, phrase: &str, fields: &[Header<'_>], body: &[u8], more: bool) -> Answer {
    let first = |name| headers::all(fields, name).and_then(|values| values.first().copied());
    let is_sentence = first("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/plain"))
        && first("transfer-encoding").is_none();
    let length = first("content-length").and_then(|length| length.parse().ok()).unwrap_or(usize::MAX);
    if is_sentence && more && body.len() < length {
        return Answer::Incomplete;
    }
    let sentence = String::from_utf8_lossy(&body[..body.len().min(length)]);
    let text = if is_sentence && !sentence.trim().is_empty() { sentence.trim() } else { phrase.trim() };
    Answer::Refused { status, text: escape(text, REFUSAL) }
}
