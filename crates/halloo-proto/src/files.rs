//! Requests for the files that a server publishes: which file, and how much of it (RFC 9110).

mod accepted_encodings;
mod byte_range;
mod file_path;
mod media_type;

use std::ops::Range;

use httparse::Header;

use crate::headers;
use crate::http::{After, head, respond_and};
use crate::http_fault::HttpFault;
use byte_range::{Requested, requested_range};

pub use accepted_encodings::{AcceptedEncodings, Encoding};
pub use file_path::{FilePath, INDEX};
pub use media_type::media_type;

/// The page of the server itself, if `/` is a file.
pub const BUILT_IN_PAGE: &str = "/_halloo/";

/// Files change while a page is developed, so a browser asks each time whether its copy is current.
const CACHE_CONTROL: (&str, &str) = ("Cache-Control", "no-cache");
const VARY: (&str, &str) = ("Vary", "Accept-Encoding, Origin");
/// Pages of other sites cannot embed the files, and so cannot run a script among them to learn what it contains (Fetch
/// standard).
const RESOURCE_POLICY: (&str, &str) = ("Cross-Origin-Resource-Policy", "same-site");
const TEXT: &str = "text/plain; charset=utf-8";

/// Names of headers that the server sets for files, in lower case; they cannot be added.
const OWN_HEADERS: [&str; 19] = [
    "accept-ranges",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "keep-alive",
    "location",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
    "x-content-type-options",
];

/// A `GET` or `HEAD` request for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRequest {
    /// The path of the file; `None` if no file can have the requested path.
    pub path: Option<FilePath>,
    /// The encodings that the response may have. A part of a file has none, so that the parts of it fit together.
    pub encodings: AcceptedEncodings,
    /// Whether only the head of the response is sent.
    pub head_only: bool,
    /// The URL of the requested directory, if the path is one, relative to the one that was requested.
    location: String,
    if_none_match: Vec<String>,
    range: Option<String>,
    if_range: Option<String>,
}

/// What is sent of a file, as it is or encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// The type of the file, by its name.
    pub media_type: &'static str,
    /// The encoding, if it is not the file itself.
    pub encoding: Option<Encoding>,
    /// The length in bytes.
    pub length: u64,
    /// Text without quotation marks that differs for each version (RFC 9110 section 8.8.3).
    pub version: String,
}

/// The headers of responses that do not depend on the file.
#[derive(Clone, Copy, Debug)]
pub struct ResponseContext<'a> {
    /// What happens to the connection.
    pub after: After,
    /// Additional headers, which passed [`check_header`].
    pub headers: &'a [(String, String)],
    /// The origin whose pages may read the response, if the request has one.
    pub origin: Option<&'a str>,
}

impl FileRequest {
    /// Returns the request for `path`, still encoded and without its `query`, that has these headers.
    pub(crate) fn new(
        path: &str,
        query: &str,
        headers: &[Header<'_>],
        head_only: bool,
    ) -> Result<FileRequest, HttpFault> {
        let all = |name: &'static str| headers::all(headers, name).ok_or(HttpFault::NotUtf8(name));
        // Two of a header that is allowed once have no meaning.
        let only =
            |name| Ok(all(name)?.split_first().filter(|(_, rest)| rest.is_empty()).map(|(&one, _)| one.to_owned()));
        let range = only("range")?.filter(|_| !head_only);
        let encodings = match range {
            None => AcceptedEncodings::parse(&all("accept-encoding")?),
            Some(_) => AcceptedEncodings::default(),
        };
        let question_mark = if query.is_empty() { "" } else { "?" };
        Ok(FileRequest {
            path: FilePath::parse(path),
            encodings,
            head_only,
            // Relative (RFC 9110 section 10.2.2), because a proxy may serve the files below a path.
            location: format!("./{}/{question_mark}{query}", path.rsplit('/').next().unwrap_or_default()),
            if_none_match: all("if-none-match")?.into_iter().map(str::to_owned).collect(),
            range,
            if_range: only("if-range")?,
        })
    }

    /// Returns the head of the response with a file, and the range of its bytes that follows.
    pub fn respond(&self, file: &Representation, context: &ResponseContext<'_>) -> (Vec<u8>, Range<u64>) {
        let length = file.length;
        let suffix = file.encoding.map_or("", Encoding::name);
        let tag = format!("\"{}{suffix}\"", file.version);
        let (status, range) = match self.requested(&tag, length) {
            _ if self.is_known(&tag) => (304, 0..0),
            Requested::Whole => (200, 0..length),
            Requested::Part(range) => (206, range),
            Requested::Unsatisfiable => (416, 0..0),
        };
        let (content_length, content_range) = match status {
            206 => (range.end - range.start, format!("bytes {}-{}/{length}", range.start, range.end - 1)),
            416 => (0, format!("bytes */{length}")),
            _ => (length, String::new()),
        };
        let content_length = content_length.to_string();
        let mut first = vec![("ETag", tag.as_str()), CACHE_CONTROL, VARY];
        if status != 304 {
            first.extend([
                ("Content-Type", file.media_type),
                ("Content-Length", &content_length),
                ("Accept-Ranges", "bytes"),
            ]);
            first.extend(file.encoding.map(|encoding| ("Content-Encoding", encoding.name())));
        }
        if !content_range.is_empty() {
            first.push(("Content-Range", &content_range));
        }
        let head = head(context.after, status, &first, &context.extra());
        (head, if self.head_only { 0..0 } else { range })
    }

    /// Returns the response to a request for a directory whose path does not end with a slash.
    pub fn redirect(&self, context: &ResponseContext<'_>) -> Vec<u8> {
        let mut extra = context.extra();
        extra.extend([("Location", self.location.as_str()), CACHE_CONTROL, VARY]);
        let body = "this is a directory, whose address ends with a slash\n";
        respond_and(context.after, 301, TEXT, &extra, body.as_bytes(), self.head_only)
    }

    /// Returns the response to a request for something that is no file.
    pub fn not_found(&self, context: &ResponseContext<'_>) -> Vec<u8> {
        let is_root = self.path.as_ref().is_some_and(FilePath::is_root);
        let body = match is_root {
            true => format!("there is no {INDEX}; the server's own page is at {BUILT_IN_PAGE}\n"),
            false => "there is no such file; check the spelling of the address, also capital letters\n".to_owned(),
        };
        respond_and(context.after, 404, TEXT, &context.extra(), body.as_bytes(), self.head_only)
    }

    /// Returns whether the client has the version with this `tag` (RFC 9110 section 13.1.2).
    fn is_known(&self, tag: &str) -> bool {
        self.if_none_match.iter().any(|list| {
            // No tag of this server contains a comma.
            let mut tags = list.split(',').map(str::trim);
            list == "*" || tags.any(|known| known.strip_prefix("W/").unwrap_or(known) == tag)
        })
    }

    /// Returns the requested range, unless it is one of another version (RFC 9110 section 13.1.5).
    fn requested(&self, tag: &str, length: u64) -> Requested {
        match &self.range {
            Some(range) if self.if_range.as_ref().is_none_or(|version| version == tag) => {
                requested_range(range, length)
            }
            _ => Requested::Whole,
        }
    }
}

impl<'a> ResponseContext<'a> {
    /// Returns the headers that follow the others.
    fn extra(&self) -> Vec<(&'a str, &'a str)> {
        let mut extra: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if !extra.iter().any(|(name, _)| name.eq_ignore_ascii_case(RESOURCE_POLICY.0)) {
            extra.push(RESOURCE_POLICY);
        }
        extra.extend(self.origin.map(|origin| ("Access-Control-Allow-Origin", origin)));
        extra
    }
}

/// Why a header cannot be added to responses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// There is no colon between the name and the value.
    #[error("a header has the form `Name: value`")]
    NoColon,
    /// The name is empty or contains a character that names cannot have.
    #[error("the name of a header has only letters, digits and `-`")]
    Name,
    /// The value contains a character that is not in printable ASCII.
    #[error("the value of the header {0} is empty or has a character outside of printable ASCII")]
    Value(String),
    /// The server sets it.
    #[error("the server sets the header {0} itself; leave it out")]
    Own(String),
}

/// Checks a header that is to be added to all responses with files.
///
/// # Errors
/// [`HeaderError`] if it is malformed or one that the server sets.
///
/// ```
/// use halloo_proto::files::check_header;
///
/// assert!(check_header("Cross-Origin-Opener-Policy", "same-origin").is_ok());
/// assert!(check_header("Content-Length", "3").is_err() && check_header("X", "a\r\nB: c").is_err());
/// ```
pub fn check_header(name: &str, value: &str) -> Result<(), HeaderError> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(HeaderError::Name);
    }
    if value.trim().is_empty() || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(HeaderError::Value(name.to_owned()));
    }
    let lower = name.to_ascii_lowercase();
    if OWN_HEADERS.contains(&lower.as_str()) || lower.starts_with("sec-websocket-") || lower.starts_with("halloo-") {
        return Err(HeaderError::Own(name.to_owned()));
    }
    Ok(())
}
