//! Requests for files: which responses they get, and when the connection stays open.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::Ipv4Addr;
use std::ops::Range;

use halloo_proto::Time;
use halloo_proto::access::AccessRules;
use halloo_proto::authenticator::{Authenticator, Challenger};
use halloo_proto::files::{
    Encoding, FileRequest, HeaderError, Representation, ResponseContext, check_header, media_type,
};
use halloo_proto::http::After;
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::token::Token;
use halloo_proto::upgrade::{Decision, RequestContext, read_head};

const CONTEXT: RequestContext<'_> = RequestContext {
    ip: std::net::IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9)),
    now: Time::ZERO,
    has_files: true,
    subprotocols: &[],
};

fn decide(text: &str, rules: &AccessRules) -> Decision {
    let mut authenticator = Authenticator::new(Challenger::new("5f0c9a3be1d24477", [7; 32]));
    read_head(text.as_bytes(), CONTEXT, rules, &HandshakeLimits::default(), &mut authenticator)
}

/// Returns the request of `line` with `headers`, and what happens after the response.
fn request(line: &str, headers: &str) -> (FileRequest, After) {
    let text = format!("{line} HTTP/1.1\r\nHost: 192.168.1.5:8765\r\n{headers}\r\n");
    match decide(&text, &AccessRules::default()) {
        Decision::Respond { file: Some(file), after, head, .. } if head == text.len() => (*file, after),
        other => panic!("{line}, {headers}: {other:?}"),
    }
}

/// Returns the status, the headers and the body range of the response with a file of `length` bytes.
fn respond(line: &str, headers: &str, length: u64) -> (u16, String, Range<u64>) {
    let file = Representation { media_type: media_type("a.mp4"), encoding: None, length, version: "v1".into() };
    let context = ResponseContext { after: After::KeepAlive, headers: &[], origin: None };
    let (head, range) = request(line, headers).0.respond(&file, &context);
    let head = String::from_utf8(head).unwrap();
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    (head[9..12].parse().unwrap(), head, range)
}

#[test]
fn whole_file_has_its_length_type_and_version() {
    let (status, head, range) = respond("GET /a.mp4", "", 10);
    assert_eq!((status, range), (200, 0..10));
    for header in [
        "Content-Length: 10",
        "Content-Type: video/mp4",
        "ETag: \"v1\"",
        "Accept-Ranges: bytes",
        "Cache-Control: no-cache",
        "X-Content-Type-Options: nosniff",
        "Vary: Accept-Encoding, Origin",
        "Cross-Origin-Resource-Policy: same-site",
        "Connection: keep-alive",
    ] {
        assert!(head.contains(&format!("\r\n{header}\r\n")), "{header} is not in {head}");
    }
    let (status, head, range) = respond("HEAD /a.mp4", "Range: bytes=0-1\r\n", 10);
    assert_eq!((status, range), (200, 0..0));
    assert!(head.contains("Content-Length: 10\r\n"), "{head}");
}

#[test]
fn version_that_the_client_has_is_not_sent_again() {
    for (headers, expected) in [
        ("If-None-Match: \"v1\"\r\n", 304),
        ("If-None-Match: W/\"v1\"\r\n", 304),
        ("If-None-Match: \"v0\", \"v1\"\r\n", 304),
        ("If-None-Match: \"v0\"\r\nIf-None-Match: \"v1\"\r\n", 304),
        ("If-None-Match: *\r\n", 304),
        ("If-None-Match: \"v0\"\r\n", 200),
        ("If-None-Match: v1\r\n", 200),
        ("If-None-Match: \"v1\"\r\nRange: bytes=0-1\r\n", 304),
    ] {
        let (status, head, range) = respond("GET /", headers, 10);
        assert_eq!(status, expected, "{headers}");
        assert!(head.contains("ETag: \"v1\""), "{head}");
        if status == 304 {
            assert!(range.is_empty() && !head.contains("Content-Length"), "{head}");
        }
    }
}

#[test]
fn range_is_sent_unless_it_is_of_another_version() {
    for (headers, expected, range, content) in [
        ("Range: bytes=2-4\r\n", 206, 2..5, "Content-Range: bytes 2-4/10\r\n"),
        ("Range: bytes=-1\r\n", 206, 9..10, "Content-Range: bytes 9-9/10\r\n"),
        ("Range: bytes=2-4\r\nIf-Range: \"v1\"\r\n", 206, 2..5, "Content-Length: 3\r\n"),
        ("Range: bytes=2-4\r\nIf-Range: \"v0\"\r\n", 200, 0..10, "Content-Length: 10\r\n"),
        ("Range: bytes=2-4\r\nIf-Range: W/\"v1\"\r\n", 200, 0..10, "Content-Length: 10\r\n"),
        ("Range: bytes=2-4\r\nIf-Range: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 200, 0..10, "Content-Length: 10\r\n"),
        ("Range: bytes=0-1\r\nRange: bytes=2-3\r\n", 200, 0..10, "Content-Length: 10\r\n"),
        ("Range: bytes=10-\r\n", 416, 0..0, "Content-Range: bytes */10\r\n"),
    ] {
        let (status, head, body) = respond("GET /a.mp4", headers, 10);
        assert_eq!((status, body), (expected, range), "{headers}");
        assert!(head.contains(content), "{headers}: {head}");
    }
}

#[test]
fn encoded_file_says_so_and_has_its_own_version() {
    let (request, _) = request("GET /a.js", "Accept-Encoding: gzip, br\r\n");
    assert_eq!(request.encodings.iter().next(), Some(Encoding::Brotli));
    let encoding = Some(Encoding::Brotli);
    let file = Representation { media_type: media_type("a.js"), encoding, length: 3, version: "v1".into() };
    let context = ResponseContext { after: After::Close, headers: &[], origin: Some("http://a.example") };
    let head = String::from_utf8(request.respond(&file, &context).0).unwrap();
    for header in
        ["Content-Encoding: br", "ETag: \"v1br\"", "Access-Control-Allow-Origin: http://a.example", "Connection: close"]
    {
        assert!(head.contains(&format!("\r\n{header}\r\n")), "{header} is not in {head}");
    }
    let (part, _) = self::request("GET /a.js", "Accept-Encoding: gzip, br\r\nRange: bytes=0-1\r\n");
    assert_eq!(part.encodings.iter().next(), None, "parts of the file itself");
}

#[test]
fn connection_stays_open_after_requests_without_content() {
    for (headers, expected) in [
        ("", After::KeepAlive),
        ("Connection: keep-alive\r\n", After::KeepAlive),
        ("Content-Length: 0\r\n", After::KeepAlive),
        ("Connection: Close\r\n", After::Close),
        ("Connection: a, close\r\n", After::Close),
        ("Content-Length: 1\r\n", After::Close),
        ("Content-Length: 0\r\nContent-Length: 1\r\n", After::Close),
        ("Transfer-Encoding: chunked\r\n", After::Close),
    ] {
        assert_eq!(request("GET /", headers).1, expected, "{headers}");
    }
    let old = decide("GET / HTTP/1.0\r\n\r\n", &AccessRules::default());
    assert!(matches!(old, Decision::Respond { after: After::Close, .. }));
}

#[test]
fn files_are_public_but_the_rules_for_pages_apply() {
    let rules = AccessRules::default().token(Token::new("sixteen-characters").unwrap());
    let get = |path: &str, headers: &str| decide(&format!("GET {path} HTTP/1.1\r\n{headers}\r\n"), &rules);
    for path in ["/", "/a.png", "/nothing", "/../a"] {
        assert!(matches!(get(path, "Host: den\r\n"), Decision::Respond { .. }), "{path}");
    }
    for (path, headers) in [
        ("/status", "Host: den\r\n"),
        ("/_halloo/nothing", "Host: den\r\n"),
        ("/a.png", "Host: evil.example\r\n"),
        ("/a.png", "Host: den\r\nOrigin: http://evil.example\r\n"),
        ("/a.png", ""),
    ] {
        assert!(matches!(get(path, headers), Decision::Refuse { .. }), "{path}, {headers}");
    }
}

#[test]
fn directory_without_slash_is_redirected_below_its_own_path() {
    let context = ResponseContext { after: After::KeepAlive, headers: &[], origin: None };
    for (path, expected) in [("/a", "./a/"), ("/c/a?b=c", "./a/?b=c"), ("/a%20b", "./a%20b/")] {
        let response = String::from_utf8(request(&format!("GET {path}"), "").0.redirect(&context)).unwrap();
        assert!(response.starts_with("HTTP/1.1 301 ") && response.contains(&format!("\r\nLocation: {expected}\r\n")));
    }
    // A browser would go to another host.
    assert_eq!(request("GET //evil.example", "").0.path, None);
}

#[test]
fn missing_files_get_a_sentence() {
    let own =
        [("X-A".to_owned(), "b".to_owned()), ("Cross-Origin-Resource-Policy".to_owned(), "cross-origin".to_owned())];
    let context = ResponseContext { after: After::KeepAlive, headers: &own, origin: None };
    for (path, sentence) in [("/a", "check the spelling"), ("/", "own page is at /_halloo/"), ("/../a", "no such file")]
    {
        let response = String::from_utf8(request(&format!("GET {path}"), "").0.not_found(&context)).unwrap();
        assert!(response.starts_with("HTTP/1.1 404 ") && response.contains(sentence), "{response}");
        assert!(response.contains("\r\nX-A: b\r\n") && !response.contains("same-site"), "{response}");
    }
}

#[test]
fn headers_that_are_malformed_or_set_by_the_server_are_refused() {
    for (name, value) in [("Cross-Origin-Embedder-Policy", "require-corp"), ("X-Frame-Options", "DENY"), ("a_b", "x y")]
    {
        assert_eq!(check_header(name, value), Ok(()), "{name}");
    }
    for (name, value, expected) in [
        ("", "a", HeaderError::Name),
        ("A B", "a", HeaderError::Name),
        ("A:", "a", HeaderError::Name),
        ("A", "", HeaderError::Value("A".into())),
        ("A", "b\r\nC: d", HeaderError::Value("A".into())),
        ("A", "é", HeaderError::Value("A".into())),
        ("content-length", "1", HeaderError::Own("content-length".into())),
        ("ETag", "1", HeaderError::Own("ETag".into())),
        ("Sec-WebSocket-Accept", "1", HeaderError::Own("Sec-WebSocket-Accept".into())),
        ("Halloo-Proof", "1", HeaderError::Own("Halloo-Proof".into())),
    ] {
        assert_eq!(check_header(name, value), Err(expected), "{name}");
    }
}
