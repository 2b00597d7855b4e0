//! Requests of other software than browsers: absolute targets, health checks, encoded tokens, preflights, and faults.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::{IpAddr, Ipv4Addr};

use halloo_proto::Time;
use halloo_proto::access::AccessRules;
use halloo_proto::authenticator::{Authenticator, Challenger};
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::token::Token;
use halloo_proto::upgrade::{Decision, RequestContext, read_head};

const CONTEXT: RequestContext<'_> = RequestContext {
    ip: IpAddr::V4(Ipv4Addr::new(192, 168, 77, 2)),
    now: Time::ZERO,
    has_files: false,
    subprotocols: &[],
};
const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13";
const TOKEN: &str = "tilde~token-of-22-bytes";

fn read(rules: &AccessRules, head: &str) -> Decision {
    read_head(head.as_bytes(), CONTEXT, rules, &HandshakeLimits::default(), &mut authenticator())
}

/// Returns the status and the response of a decision; the path in place of the content of a route.
fn respond(rules: &AccessRules, head: &str) -> (u16, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    match read(rules, head) {
        Decision::Incomplete => (0, String::new()),
        Decision::Accept { response, .. } => (101, text(response)),
        Decision::Respond { route, .. } => (200, route.path.into()),
        Decision::Options { response, .. } => (204, text(response)),
        Decision::Refuse { reason, response } => (reason.status(), text(response)),
    }
}

fn with_token() -> AccessRules {
    let mut rules = AccessRules::default();
    rules.token = Some(Token::new(TOKEN).unwrap());
    rules
}

/// An authenticator without history.
fn authenticator() -> Authenticator {
    Authenticator::new(Challenger::new("5f0c9a3be1d24477", [7; 32]))
}

#[test]
fn target_in_absolute_form_takes_the_place_of_host() {
    for (target, host, expected) in [
        ("http://127.0.0.1:8765/status", "127.0.0.1:8765", (200, "/status")),
        ("HTTP://den.internal/discovery.json?a", "den.internal", (200, "/discovery.json")),
        ("http://127.0.0.1:8765", "127.0.0.1:8765", (200, "/")),
        // The received `Host` is ignored (RFC 9112 section 3.2.2).
        ("http://127.0.0.1:8765/status", "evil.example", (200, "/status")),
        ("http://evil.example/status", "127.0.0.1:8765", (403, "")),
        ("http://user@127.0.0.1/status", "127.0.0.1:8765", (403, "")),
        ("http:///status", "127.0.0.1:8765", (403, "")),
        ("ftp://127.0.0.1:8765/status", "127.0.0.1:8765", (200, "")),
    ] {
        let (status, path) =
            respond(&AccessRules::default(), &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(status, expected.0, "{target}: {path}");
        assert!(status != 200 || path == expected.1, "{target}: {path}");
    }
    let socket = |target: &str, headers: &str| {
        respond(&AccessRules::default(), &format!("GET {target} HTTP/1.1\r\n{headers}{UPGRADE}\r\n\r\n")).0
    };
    assert_eq!(socket("ws://127.0.0.1:8765/", "Host: 127.0.0.1:8765\r\n"), 101);
    assert_eq!(socket("http://127.0.0.1:8765/", ""), 400, "HTTP/1.1 requires Host");
    assert_eq!(socket("http://127.0.0.1:8765/", "Host: a\r\nHost: b\r\n"), 400);
    // The page's origin is compared with the host in the target.
    let origin = "Host: 192.168.77.1:1\r\nOrigin: http://192.168.77.1:1\r\n";
    assert_eq!(socket("http://192.168.77.1:8765/", origin), 403);
    assert_eq!(socket("http://192.168.77.1:1/", origin), 101);
}

#[test]
fn token_in_the_query_may_be_percent_encoded() {
    for (query, expected) in [
        ("token=tilde~token-of-22-bytes", 101),
        ("token=tilde%7Etoken-of-22-bytes", 101),
        ("room=1&token=tilde%7etoken%2Dof-22-bytes", 101),
        ("token=tilde%257Etoken-of-22-bytes", 401),
        ("token=tilde%7Ftoken-of-22-bytes", 401),
        ("token=tilde%7", 401),
        ("token=%", 401),
        ("token=%ff%zz%C3", 401),
        ("token=tilde%7Etoken-of-22-bytes&token=x", 401),
    ] {
        let head = format!("GET /?{query} HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}\r\n\r\n");
        assert_eq!(respond(&with_token(), &head).0, expected, "{query}");
    }
}

#[test]
fn cookies_of_other_ports_are_accepted_up_to_16_kib() {
    for (kib, expected) in [(4, 101), (12, 101), (32, 431)] {
        let cookies = "c".repeat(kib * 1024);
        let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\n{UPGRADE}\r\n\r\n");
        let (status, text) = respond(&AccessRules::default(), &head);
        assert_eq!(status, expected, "{kib} KiB");
        assert!(status == 101 || text.contains("cookies"), "{text}");
    }
}

#[test]
fn preflight_of_an_allowed_origin_is_answered() {
    let mut rules = with_token();
    rules.allowed_origins = vec!["http://play.example".into()];
    let preflight = |path: &str, origin: &str, more: &str| {
        let head = format!(
            "OPTIONS {path} HTTP/1.1\r\nHost: 192.168.77.1:8765\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n{more}\r\n"
        );
        respond(&rules, &head)
    };
    let private = "Access-Control-Request-Private-Network: true\r\n";
    for path in ["/status", "/discovery.json"] {
        let (status, text) = preflight(path, "http://play.example", private);
        assert_eq!(status, 204, "{text}");
        for line in [
            "HTTP/1.1 204 No Content",
            "Access-Control-Allow-Origin: http://play.example",
            "Vary: Origin",
            "Access-Control-Allow-Methods: GET, HEAD",
            "Access-Control-Allow-Headers: Authorization",
            "Access-Control-Allow-Private-Network: true",
            "Allow: GET, HEAD, OPTIONS",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is not in {text}");
        }
        assert!(!text.contains("\nContent-Length") && !text.contains("\nContent-Type"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        assert!(!preflight(path, "http://play.example", "").1.contains("Private-Network"));
    }
    for (path, origin, expected) in [
        ("/status", "http://evil.example", 403),
        ("/status", "null", 403),
        // The page and unknown paths are not for other origins, and neither are native programs.
        ("/", "http://play.example", 204),
        ("/nothing", "http://play.example", 204),
        ("/status", "ws://192.168.77.1:8765", 204),
    ] {
        let (status, text) = preflight(path, origin, private);
        assert_eq!(status, expected, "{path}, {origin}");
        assert!(!text.contains("Access-Control"), "{path}, {origin}: {text}");
    }
}

#[test]
fn page_of_an_allowed_origin_can_read_why_its_token_is_refused() {
    let mut rules = with_token();
    rules.allowed_origins = vec!["http://play.example".into()];
    let get = |path: &str, origin: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: 192.168.77.1:8765\r\nOrigin: {origin}\r\n\r\n");
        respond(&rules, &head)
    };
    let (status, text) = get("/status", "http://play.example");
    assert!(status == 401 && text.contains("\r\nAccess-Control-Allow-Origin: http://play.example\r\n"), "{text}");
    for (path, origin) in [("/status", "http://evil.example"), ("/nothing", "http://play.example")] {
        assert!(!get(path, origin).1.contains("Access-Control"), "{path}, {origin}");
    }
}

#[test]
fn health_check_by_http_1_0_needs_no_host() {
    for (head, expected) in [
        ("GET /status HTTP/1.0\r\n", 200),
        ("HEAD /status HTTP/1.0\r\n", 200),
        ("GET /discovery.json HTTP/1.0\r\nUser-Agent: check\r\n", 200),
        ("GET / HTTP/1.0\r\n", 200),
        ("OPTIONS / HTTP/1.0\r\n", 204),
        ("GET http://192.168.77.1/status HTTP/1.0\r\n", 200),
        ("GET http://evil.example/status HTTP/1.0\r\n", 403),
        // Only browsers send `Origin`, and all of them send `Host`.
        ("GET /status HTTP/1.0\r\nOrigin: http://192.168.77.1\r\n", 400),
        ("GET /status HTTP/1.0\r\nHost: evil.example\r\n", 403),
        ("GET /status HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n", 400),
        ("GET /status HTTP/1.1\r\n", 400),
        ("POST /status HTTP/1.0\r\n", 405),
    ] {
        assert_eq!(respond(&AccessRules::default(), &format!("{head}\r\n")).0, expected, "{head}");
    }
    let upgrade = format!("GET / HTTP/1.0\r\n{UPGRADE}\r\n\r\n");
    assert_eq!(respond(&AccessRules::default(), &upgrade).0, 400);
    for (path, expected) in [("/status", 401), ("/discovery.json", 200), (&format!("/status?token={TOKEN}"), 200)] {
        assert_eq!(respond(&with_token(), &format!("GET {path} HTTP/1.0\r\n\r\n")).0, expected, "{path}");
    }
}

#[test]
fn fault_of_a_request_is_named() {
    for (head, fault) in [
        ("GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", "remove the space before the colon"),
        ("GET / HTTP/1.1\r\nHost\t: localhost\r\n\r\n", "remove the space before the colon"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nA: b\r\n folded\r\n\r\n", "folded over several lines"),
        ("GET / HTTP/1.1\r\nA: b\r\n\tfolded\r\n\r\n", "folded over several lines"),
        ("GET / HTTP/1.2\r\nHost: localhost\r\n\r\n", "use HTTP/1.1"),
        ("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", "use HTTP/1.1"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "use HTTP/1.1"),
        ("\r\nGET / HTTP/0.9\r\n\r\n", "use HTTP/1.1"),
        ("GET / HTTP/1.1\r\nno-colon\r\n\r\n", "`Name: value`"),
        ("GET / HTTP/1.1\r\n: x\r\n\r\n", "`Name: value`"),
        ("GET / HTTP/1.1\r\nNäme: x\r\n\r\n", "`Name: value`"),
        ("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", "control character"),
        ("GET / HTTP/1.1\rHost: localhost\r\n\r\n", "CR LF"),
    ] {
        let (status, text) = respond(&AccessRules::default(), head);
        assert_eq!(status, 400, "{head:?}");
        assert!(text.contains("malformed HTTP request") && text.contains(fault), "{head:?}: {text}");
        // A head that arrives in pieces gets the same response.
        for end in 0..head.len() {
            let piece = read_head(
                &head.as_bytes()[..end],
                CONTEXT,
                &AccessRules::default(),
                &HandshakeLimits::default(),
                &mut authenticator(),
            );
            assert!(
                piece == Decision::Incomplete || piece == read(&AccessRules::default(), head),
                "{:?}",
                &head[..end]
            );
        }
    }
    for head in
        ["SSH-2.0-OpenSSH_9.9\r\n\r\n", "hello there, how are you?\r\n\r\n", "GET /\r\n\r\n", "GET / FTP/1.1\r\n"]
    {
        assert!(respond(&AccessRules::default(), head).1.contains("not an HTTP request"), "{head:?}");
    }
    let latin = [b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://\xe9\r\n\r\n".as_slice()];
    let Decision::Refuse { reason, .. } =
        read_head(latin[0], CONTEXT, &AccessRules::default(), &HandshakeLimits::default(), &mut authenticator())
    else {
        panic!()
    };
    assert!(reason.to_string().contains("the header origin is not UTF-8"), "{reason}");
}
