//! HTTP responses.

/// Returns a whole HTTP/1.1 response that ends the connection (RFC 9112 section 6).
///
/// The length is stated also when `head_only` leaves the body out (RFC 9110 section 9.3.2). With an `Upgrade` among the
/// `extra` headers, `Connection` names it too (RFC 9110 section 7.8). Without a `Cache-Control` among them, it is
/// `no-store`. A header whose value contains a control character is left out, so nothing from the network can split a
/// response.
///
/// ```
/// let answer = halloo_proto::http::respond(404, "text/plain", &[("X", "a\r\nSet-Cookie: b")], b"nothing here", false);
/// let answer = String::from_utf8(answer).unwrap();
/// assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n") && answer.ends_with("\r\n\r\nnothing here"));
/// assert!(!answer.contains("Set-Cookie"));
/// ```
pub fn respond(status: u16, content_type: &str, extra: &[(&str, &str)], body: &[u8], head_only: bool) -> Vec<u8> {
    let phrase = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    };
    let upgrade = if extra.iter().any(|(name, _)| *name == "Upgrade") { ", upgrade" } else { "" };
    let mut head = format!(
        "HTTP/1.1 {status} {phrase}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close{upgrade}\r\n",
        body.len()
    );
    if !extra.iter().any(|(name, _)| *name == "Cache-Control") {
        head.push_str("Cache-Control: no-store\r\n");
    }
    for (name, value) in extra.iter().filter(|(_, value)| !value.contains(char::is_control)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut response = head.into_bytes();
    if !head_only {
        response.extend_from_slice(body);
    }
    response
}
