//! HTTP responses.

use crate::defaults::KEEP_ALIVE_TIMEOUT;

const CACHE_CONTROL: &str = "Cache-Control";

/// Returns a complete HTTP/1.1 response that closes the connection (RFC 9112 section 6).
///
/// `Content-Length` is the length of `body` even if `head_only` omits it (RFC 9110 section 9.3.2). If the `extra`
/// headers contain `Upgrade`, `Connection` lists it too (RFC 9110 section 7.8). `Cache-Control` is `no-store` unless
/// they contain it. Status 204 has neither a length nor a type (section 8.6). A header whose value contains a control
/// character is omitted, so that input from the network cannot split the response.
///
/// ```
/// let response = halloo_proto::http::respond(404, "text/plain", &[("X", "a\r\nSet-Cookie: b")], b"nope", false);
/// let response = String::from_utf8(response).unwrap();
/// assert!(response.starts_with("HTTP/1.1 404 Not Found\r\n") && response.ends_with("\r\n\r\nnope"));
/// assert!(!response.contains("Set-Cookie"));
/// ```
pub fn respond(status: u16, content_type: &str, extra: &[(&str, &str)], body: &[u8], head_only: bool) -> Vec<u8> {
    respond_and(After::Close, status, content_type, extra, body, head_only)
}

/// What happens to the connection after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It is closed.
    Close,
    /// It stays open for further requests (RFC 9112 section 9.3), for [`KEEP_ALIVE_TIMEOUT`].
    KeepAlive,
}

/// Returns a response as [`respond`] does, for a connection of which `after` says what happens to it.
pub fn respond_and(
    after: After,
    status: u16,
    content_type: &str,
    extra: &[(&str, &str)],
    body: &[u8],
    head_only: bool,
) -> Vec<u8> {
    let given = extra.iter().find(|(name, _)| *name == CACHE_CONTROL);
    let length = body.len().to_string();
    let mut headers = vec![("Content-Type", content_type), ("Content-Length", &length)];
    if status == 204 {
        headers.clear();
    }
    headers.push((CACHE_CONTROL, given.map_or("no-store", |(_, value)| *value)));
    let mut response = head(after, status, &headers, extra);
    if !head_only {
        response.extend_from_slice(body);
    }
    response
}

/// Returns the head of a response: the `first` headers, those that every response has, and `extra` ones without
/// `Cache-Control`.
pub(crate) fn head(after: After, status: u16, first: &[(&str, &str)], extra: &[(&str, &str)]) -> Vec<u8> {
    let phrase = match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    };
    let timeout = format!("timeout={}", KEEP_ALIVE_TIMEOUT.as_secs());
    let connection: &[(&str, &str)] = match after {
        After::Close if extra.iter().any(|(name, _)| *name == "Upgrade") => &[("Connection", "close, upgrade")],
        After::Close => &[("Connection", "close")],
        After::KeepAlive => &[("Connection", "keep-alive"), ("Keep-Alive", &timeout)],
    };
    let mut head = format!("HTTP/1.1 {status} {phrase}\r\n");
    let extra = extra.iter().filter(|(name, _)| *name != CACHE_CONTROL);
    for (name, value) in first.iter().chain(&[("X-Content-Type-Options", "nosniff")]).chain(connection).chain(extra) {
        if !value.contains(char::is_control) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str("\r\n");
    head.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_a_fixed_order_whether_or_not_caching_is_given() {
        let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nCache-Control: no-store\r\n\
                        X-Content-Type-Options: nosniff\r\nConnection: close\r\nVary: Origin\r\n\r\nhi";
        for extra in [&[("Vary", "Origin")][..], &[("Vary", "Origin"), (CACHE_CONTROL, "no-store")]] {
            assert_eq!(respond(200, "text/plain", extra, b"hi", false), expected.as_bytes());
        }
        let cached = respond(200, "text/plain", &[(CACHE_CONTROL, "max-age=60")], b"hi", false);
        let cached = String::from_utf8(cached).unwrap();
        assert!(cached.contains("max-age=60") && !cached.contains("no-store"), "{cached}");
        let kept = String::from_utf8(respond_and(After::KeepAlive, 200, "text/plain", &[], b"hi", false)).unwrap();
        assert!(kept.contains("\r\nConnection: keep-alive\r\nKeep-Alive: timeout=10\r\n"), "{kept}");
    }
}
