//! What is wrong with a request that is almost HTTP.

/// A fault in the syntax of a request head (RFC 9112 sections 2 to 5).
///
/// It follows from the bytes up to the fault alone, so that a head in pieces gets the same response as a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpFault {
    /// Another version than HTTP/1.1 and HTTP/1.0.
    #[error("its version is not supported; use HTTP/1.1")]
    Version,
    /// A line begins with a space or a tab (RFC 9112 section 5.2).
    #[error("a header is folded over several lines; write it on one line")]
    FoldedHeader,
    /// White space between the name of a header and the colon (RFC 9112 section 5.1).
    #[error("a header has no colon directly after its name; remove the space before the colon")]
    SpaceBeforeColon,
    /// Another character that is not allowed in the name of a header.
    #[error("a line is no header; write `Name: value`, with only letters, digits and `-` in the name")]
    HeaderName,
    /// A control character in the value of a header.
    #[error("the value of a header contains a control character; remove it")]
    HeaderValue,
    /// A line that ends with neither CR LF nor LF.
    #[error("a line does not end with CR LF")]
    LineEnd,
    /// A header that the server reads is not UTF-8.
    #[error("the header {0} is not UTF-8")]
    NotUtf8(&'static str),
}

impl HttpFault {
    /// Returns the fault that made the parser fail at `head` with `error`; `None` if it is not HTTP at all.
    pub(crate) fn find(head: &[u8], error: httparse::Error) -> Option<HttpFault> {
        let start = head.iter().position(|byte| !b"\r\n".contains(byte))?;
        // Empty lines may precede a request (RFC 9112 section 2.2), but no other line ends.
        if head[..=start].windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n') {
            return None;
        }
        let mut lines = head[start..].split(|&byte| byte == b'\n');
        let version = lines.next()?.splitn(3, |&byte| byte == b' ').nth(2)?;
        // What follows the target is the version, also in a protocol that merely looks like HTTP.
        if !version.starts_with(b"HTTP/") {
            return None;
        }
        match error {
            httparse::Error::Version => Some(HttpFault::Version),
            httparse::Error::HeaderName => Some(lines.find_map(fault_of_name).unwrap_or(HttpFault::HeaderName)),
            httparse::Error::HeaderValue => Some(HttpFault::HeaderValue),
            httparse::Error::NewLine => Some(HttpFault::LineEnd),
            _ => None,
        }
    }
}

/// Returns what is wrong with the name of the header in `line`, if anything is.
fn fault_of_name(line: &[u8]) -> Option<HttpFault> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = line.iter().position(|byte| !is_name(byte)).unwrap_or(line.len());
    match line.get(end) {
        Some(b':') if end > 0 => None,
        Some(b' ' | b'\t') if end == 0 => Some(HttpFault::FoldedHeader),
        Some(b' ' | b'\t') => Some(HttpFault::SpaceBeforeColon),
        _ => Some(HttpFault::HeaderName),
    }
}
