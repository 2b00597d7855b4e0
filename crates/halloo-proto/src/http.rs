//! HTTP responses.

const CACHE_CONTROL: &str = "Cache-Control";

/// Returns a complete HTTP/1.1 response that closes the connection (RFC 9112 section 6).
///
/// `Content-Length` is the length of `body` even if `head_only` omits it (RFC 9110 section 9.3.2). If the `extra`
/// headers contain `Upgrade`, `Connection` lists it too (RFC 9110 section 7.8). `Cache-Control` is `no-store` unless
/// they contain it. Status 204 has neither a length nor a type (section 8.6). A header whose value contains a control character is omitted, so that input from the network cannot
/// split the response.
///
/// ```
/// let response = halloo_proto::http::respond(404, "text/plain", &[("X", "a\r\nSet-Cookie: b")], b"nope", false);
/// let response = String::from_utf8(response).unwrap();
/// assert!(response.starts_with("HTTP/1.1 404 Not Found\r\n") && response.ends_with("\r\n\r\nnope"));
/// assert!(!response.contains("Set-Cookie"));
/// ```
pub fn respond(status: u16, content_type: &str, extra: &[(&str, &str)], body: &[u8], head_only: bool) -> Vec<u8> {
    let phrase = match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    };
    let upgrade = if extra.iter().any(|(name, _)| *name == "Upgrade") { ", upgrade" } else { "" };
    let given = extra.iter().find(|(name, _)| *name == CACHE_CONTROL);
    let cache_control = given.map_or("no-store", |(_, value)| *value);
    let mut head = format!("HTTP/1.1 {status} {phrase}\r\n");
    if status != 204 {
        head.push_str(&format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len()));
    }
    head.push_str(&format!(
        "{CACHE_CONTROL}: {cache_control}\r\nX-Content-Type-Options: nosniff\r\nConnection: close{upgrade}\r\n"
    ));
    let is_extra = |(name, value): &&(&str, &str)| *name != CACHE_CONTROL && !value.contains(char::is_control);
    for (name, value) in extra.iter().filter(is_extra) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut response = head.into_bytes();
    if !head_only {
        response.extend_from_slice(body);
    }
    response
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
    }
}
