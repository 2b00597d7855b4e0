//! Request heads: valid, in pieces, malformed, too large, or not HTTP at all.

use std::net::{IpAddr, Ipv4Addr};

use halloo_proto::Time;
use halloo_proto::access::AccessRules;
use halloo_proto::authenticator::{Authenticator, Challenger};
use halloo_proto::http::After;
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::token::Token;
use halloo_proto::upgrade::{Decision, RequestContext, accept_key, read_head};

const GOOD: &str = "GET /play?room=1 HTTP/1.1\r\nHost: 192.168.1.5:8765\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Origin: http://192.168.1.5:8765\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

const LAN_PEER: RequestContext<'_> = RequestContext {
    ip: IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9)),
    now: Time::ZERO,
    has_files: false,
    subprotocols: &[],
};

fn read(bytes: impl AsRef<[u8]>) -> Decision {
    read_head(bytes.as_ref(), LAN_PEER, &AccessRules::default(), &HandshakeLimits::default(), &mut authenticator())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the status and the whole response of a refusal, which must agree; 101 or 200 if the request is accepted, 0
/// if it is incomplete.
fn respond(bytes: impl AsRef<[u8]>) -> (u16, String) {
    match read(bytes) {
        Decision::Incomplete => (0, String::new()),
        Decision::Accept { response, .. } => (101, text(&response)),
        Decision::Respond { route, .. } => (200, route.path.to_owned()),
        Decision::Options { response, .. } => (204, text(&response)),
        Decision::Refuse { reason, response } => {
            let response = text(&response);
            assert!(response.starts_with(&format!("HTTP/1.1 {} ", reason.status())), "{response}");
            (reason.status(), response)
        }
    }
}

/// An authenticator without history.
fn authenticator() -> Authenticator {
    Authenticator::new(Challenger::new("5f0c9a3be1d24477", [7; 32]))
}

#[test]
fn accept_key_of_rfc_6455_section_1_3() {
    assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn head_in_pieces_is_incomplete_until_its_end() {
    for cut in 0..GOOD.len() {
        assert_eq!(read(&GOOD[..cut]), Decision::Incomplete, "cut at {cut}");
    }
}

#[test]
fn unknown_subprotocols_and_extensions_are_not_negotiated_and_frames_follow_the_head() {
    let Decision::Accept { head, response, .. } = read(format!("{GOOD}\u{1}\u{2}")) else { panic!() };
    let response = String::from_utf8(response).unwrap();
    assert!(response.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    let response = response.to_ascii_lowercase();
    assert_eq!(head, GOOD.len());
    assert!(response.contains("\r\nupgrade: websocket\r\n") && response.contains("\r\nconnection: upgrade\r\n"));
    assert!(!response.contains("protocol:") && !response.contains("extensions"), "{response}");
}

#[test]
fn handshake_variations_get_the_expected_status() {
    for (from, to, expected) in [
        ("Upgrade: websocket", "uPGRADE:WEBSOCKET", 101),
        ("Upgrade: websocket", "Upgrade: h2c, websocket", 101),
        ("Connection: Upgrade", "Connection: keep-alive,  UPGRADE ", 101),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade", 101),
        ("/play?room=1", "/", 101),
        ("/play?room=1", "/%e2%98%83/..//x?y=\\", 101),
        // Random characters, with trailing bits after the sixteenth byte.
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR==", 101),
        ("Origin: http://192.168.1.5:8765", "X-Nothing: x", 101),
        ("Connection: Upgrade", "Connection: upgraded", 400),
        ("Connection: Upgrade", "Connection: close", 400),
        ("Connection: Upgrade", "X: y", 400),
        ("Upgrade: websocket", "Upgrade: h2c", 400),
        ("Upgrade: websocket", "X: y", 400),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("HTTP/1.1", "HTTP/2.0", 400),
        ("GET", "HEAD", 400),
        ("GET", "get", 400),
        ("GET", "POST", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTE=", 400), // 17 bytes
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", 400),     // 15 bytes
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "!", 400),
        ("\r\n\r\n", "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400),
        ("Sec-WebSocket-Key:", "X-Key:", 400),
        ("Version: 13", "Version: 8", 426),
        ("Version: 13", "Version: 12", 426),
        ("Version: 13", "Version: 13, 8", 426),
        ("Version: 13", "Version: +13", 426),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        ("Host: 192.168.1.5:8765\r\n", "", 400),
        ("Host: ", "Host: x\r\nHost: ", 400),
        ("Host: ", "Host : ", 400),
        ("Host: 192.168.1.5:8765", "Host: evil.com:8765", 403),
        ("Host: 192.168.1.5:8765", "Host: \u{a0}localhost", 403),
        ("Origin: http://192.168.1.5:8765", "Origin: http://evil.com", 403),
        ("Origin: http://192.168.1.5:8765", "Origin: null", 403),
        ("Origin: http://192.168.1.5:8765", "Origin:", 101),
        ("Origin: ", "Origin: http://evil.com\r\nOrigin: ", 403),
        ("Origin: ", "Origin: http://192.168.1.5:8765\r\nORIGIN: ", 403),
        // DNS rebinding: the origin matches the host, but the host is not this server.
        ("192.168.1.5:8765\r\nUpgrade", "evil.com:8765\r\nOrigin: http://evil.com:8765\r\nUpgrade", 403),
    ] {
        let head = GOOD.replacen(from, to, 1);
        assert_ne!(head, GOOD, "{from}");
        assert_eq!(respond(&head).0, expected, "{to:?}: {:?}", respond(&head));
    }
    let rebound = GOOD.replace("192.168.1.5:8765", "evil.com:8765");
    assert_eq!(respond(rebound).0, 403);
}

#[test]
fn refusal_of_a_version_names_version_13() {
    let (status, text) = respond(GOOD.replace("Version: 13", "Version: 8"));
    assert_eq!(status, 426);
    for line in ["Sec-WebSocket-Version: 13", "Upgrade: websocket", "Connection: close, upgrade"] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line} is not in {text}");
    }
}

#[test]
fn bytes_that_are_not_http_are_refused_at_once() {
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"{\"hello\":1}",
        b"\0",
        b"\0\0\0",
        b"hello there, how are you?\r\n\r\n",
        b"\xff\xfe",
        b"<policy-file-request/>",
        b"GET / HTTP/1.1\r\nbad header\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        &[b'A'; 40],
    ] {
        assert_eq!(respond(bytes).0, 400, "{:?}", String::from_utf8_lossy(bytes));
    }
    assert!(respond(b"\x16").1.contains("ws:// or http:// instead of wss://"));
    let stray = b"\r\x7fGET / HTTP/1.1\r\nHost: a";
    assert_eq!(read(stray), read(&stray[..2]), "what follows changes nothing");
    for beginning in ["G", "OPTIONS", "GET / HTTP/1.", "\r\n"] {
        assert_eq!(respond(beginning).0, 0, "{beginning:?} may be the beginning of a request");
    }
}

#[test]
fn heads_beyond_the_limits_are_refused() {
    let head = |lines: usize, length: usize| {
        let lines: String = (0..lines).map(|_| format!("A: {}\r\n", "b".repeat(length))).collect();
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
    };
    assert_eq!(respond(head(63, 1)).0, 200);
    assert_eq!(respond(head(64, 1)).0, 431);
    assert_eq!(respond(head(10_000, 1)).0, 431);
    assert_eq!(respond(head(1, 16_000)).0, 200);
    assert_eq!(respond(head(1, 16_384)).0, 431);
    assert_eq!(respond(&head(1, 20_000_000)[..65_536]).0, 431);
    assert_eq!(respond(format!("GET /{} HTTP/1.1\r\n", "x".repeat(17_000))).0, 431);
    assert_eq!(respond(format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65))).0, 431);
    assert_eq!(respond("\r\n".repeat(9000)).0, 400);
}

#[test]
fn response_to_head_has_no_body() {
    for head in ["HEAD / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: evil.com\r\n\r\n"] {
        assert!(respond(head).1.ends_with("\r\n\r\n"), "{head:?}");
    }
    assert!(!respond("GET / HTTP/1.1\r\n\r\n").1.ends_with("\r\n\r\n"));
}

#[test]
fn http_requests_are_subject_to_the_access_rules() {
    for (line, headers, expected) in [
        ("GET /status", "Host: localhost", 200),
        ("GET /", "Host: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade", 200),
        ("GET /status", "Host: 192.168.1.5:8765\r\nOrigin: http://evil.com", 403),
        ("GET /status", "Host: evil.com", 403),
        ("GET /status", "X: y", 400),
        ("OPTIONS /status", "Host: localhost", 204),
        ("OPTIONS *", "Host: localhost", 204),
        ("POST /status", "Host: localhost\r\nContent-Length: 3", 405),
        ("DELETE /", "Host: localhost", 405),
    ] {
        assert_eq!(respond(format!("{line} HTTP/1.1\r\n{headers}\r\n\r\n")).0, expected, "{line}, {headers}");
    }
    let route = halloo_proto::routes::find("/status", false);
    let text = "HEAD /status?a#b HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (head, after) = (text.len(), After::Close);
    let (origin, proof, query, file) = (None, None, None, None);
    assert_eq!(read(text), Decision::Respond { head, route, head_only: true, origin, proof, query, file, after });
    assert!(respond("PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n").1.contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"));
}

#[test]
fn refusal_contains_no_control_or_bidi_characters() {
    for origin in ["a\u{85}b", "http://x\u{202e}y", "http://x\ty", "\u{9b}31m"] {
        let head = GOOD.replace("Origin: http://192.168.1.5:8765", &format!("Origin: {origin}"));
        let (status, text) = respond(head);
        assert_eq!(status, 403);
        let harmful = |c: char| c != '\r' && c != '\n' && halloo_proto::text::is_harmful(c);
        assert!(!text.contains(harmful), "{text:?}");
    }
}

#[test]
fn mutated_heads_never_panic() {
    // Xorshift: the same 50,000 heads in every run, so that a failure can be reproduced.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..50_000 {
        let mut bytes = GOOD.as_bytes().to_vec();
        for _ in 0..=next(8) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = next(256) as u8,
                1 => bytes.insert(at, b"\r\n:, \0\x80\xff[]@/"[next(12)]),
                2 => drop(bytes.drain(at..bytes.len().min(at + next(20)))),
                _ => bytes.truncate(at.max(1)),
            }
            if bytes.is_empty() {
                bytes.push(b'G');
            }
        }
        let (status, _) = respond(&bytes);
        assert!([0, 101, 200, 204, 400, 403, 405, 426, 431].contains(&status));
    }
    for length in 0..600 {
        let noise: Vec<u8> = (0..length).map(|_| next(256) as u8).collect();
        let _ = respond(noise);
    }
}

const TOKEN: &str = "a-token-of-22-letters.";

/// The same for a server that requires [`TOKEN`].
fn respond_with_token(head: impl AsRef<[u8]>, authenticator: &mut Authenticator) -> (u16, String) {
    let mut rules = AccessRules::default();
    rules.token = Some(Token::new(TOKEN).expect("long enough"));
    match read_head(head.as_ref(), LAN_PEER, &rules, &HandshakeLimits::default(), authenticator) {
        Decision::Incomplete => (0, String::new()),
        Decision::Accept { response, .. } => (101, text(&response)),
        Decision::Respond { route, .. } => (200, route.path.to_owned()),
        Decision::Options { response, .. } => (204, text(&response)),
        Decision::Refuse { reason, response } => (reason.status(), text(&response)),
    }
}

#[test]
fn token_is_accepted_in_the_query_the_authorization_header_and_the_subprotocols() {
    let protocol = "Sec-WebSocket-Protocol: chat";
    for (from, to, expected) in [
        ("GET /", format!("GET /?token={TOKEN}&"), 101),
        ("room=1", format!("room=1&token={TOKEN}"), 101),
        ("Origin", format!("Authorization: Bearer {TOKEN}\r\nOrigin"), 101),
        ("Origin", format!("AUTHORIZATION: bearer   {TOKEN} \r\nOrigin"), 101),
        (protocol, format!("Sec-WebSocket-Protocol: halloo.v1, halloo.token.{TOKEN}"), 101),
        (protocol, format!("Sec-WebSocket-Protocol: halloo.token.{TOKEN}\r\nSec-WebSocket-Protocol: halloo.v1"), 101),
        ("room=1", "room=1".into(), 401),
        ("room=1", format!("room=1#token={TOKEN}"), 401),
        ("room=1", "token=".into(), 401),
        ("room=1", format!("token={TOKEN}x"), 401),
        ("room=1", format!("token={}", &TOKEN[1..]), 401),
        ("room=1", format!("Token={TOKEN}"), 401),
        ("room=1", format!("xtoken={TOKEN}"), 401),
        ("Origin", format!("Authorization: Basic {TOKEN}\r\nOrigin"), 401),
        ("Origin", format!("Authorization: {TOKEN}\r\nOrigin"), 401),
        ("Origin", format!("Authorization: Bearer {}\r\nOrigin", TOKEN.to_uppercase()), 401),
        ("Origin", format!("Cookie: token={TOKEN}\r\nOrigin"), 401),
        (protocol, format!("Sec-WebSocket-Protocol: {TOKEN}"), 401),
        (protocol, format!("Sec-WebSocket-Protocol: Halloo.Token.{TOKEN}"), 401),
        // A request is a single guess, however many tokens it contains.
        ("room=1", format!("token=wrong&token={TOKEN}"), 401),
        ("Origin", format!("Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer x\r\nOrigin"), 401),
        // The token does not override the other rules.
        ("Host: 192.168.1.5:8765", format!("Host: evil.com\r\nAuthorization: Bearer {TOKEN}"), 403),
        ("Origin: http://192.168.1.5:8765", format!("Origin: http://evil.com\r\nAuthorization: Bearer {TOKEN}"), 403),
    ] {
        let head = GOOD.replacen(from, &to, 1);
        assert_eq!(respond_with_token(&head, &mut authenticator()).0, expected, "{to}");
        assert!(!respond_with_token(&head, &mut authenticator()).1.contains(TOKEN), "{to}");
    }
}

#[test]
fn subprotocol_with_the_token_is_never_accepted() {
    let offer = |offer: &str| {
        let head = GOOD.replace("Sec-WebSocket-Protocol: chat", &format!("Sec-WebSocket-Protocol: {offer}"));
        let (status, response) = respond_with_token(head, &mut authenticator());
        assert_eq!(status, 101, "{offer}");
        let line = response.lines().find(|line| line.starts_with("Sec-WebSocket-Protocol"));
        line.map(str::to_owned)
    };
    let accepted = Some("Sec-WebSocket-Protocol: halloo.v1".to_owned());
    assert_eq!(offer(&format!("halloo.token.{TOKEN},halloo.v1")), accepted);
    assert_eq!(offer(&format!("halloo.token.{TOKEN}")), None);
    assert_eq!(offer(&format!("chat, Halloo.V1, halloo.token.{TOKEN}")), None, "subprotocols are case-sensitive");
}

#[test]
fn only_public_routes_need_no_token() {
    for (path, expected) in [
        ("/", 200),
        ("/?token=x", 200),
        ("/discovery.json", 200),
        ("/favicon.ico", 200),
        ("/status", 401),
        ("/status/", 401),
        ("//", 401),
        ("/metrics", 401),
        ("/nothing", 401),
        // Any page can make the browser of its visitor request this.
        (&format!("/status?token={TOKEN}"), 401),
        ("/status?token=wrong", 401),
    ] {
        let (status, text) =
            respond_with_token(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), &mut authenticator());
        assert_eq!(status, expected, "{path}");
        if status == 401 {
            assert!(text.contains("\r\nWWW-Authenticate: Bearer\r\n") && text.contains("token"), "{text}");
        }
    }
}

#[test]
fn tokens_are_not_checked_beyond_the_rate_limit() {
    let mut limited = authenticator();
    for _ in 0..10 {
        assert_eq!(respond_with_token(GOOD.replace("room=1", "token=wrong"), &mut limited).0, 401);
    }
    for token in [TOKEN, "wrong"] {
        let head = GOOD.replace("room=1", &format!("token={token}"));
        let (status, text) = respond_with_token(head, &mut limited);
        assert_eq!(status, 429);
        assert!(text.contains("\r\nRetry-After: 10\r\n") && text.contains("wait"), "{text}");
    }
    assert_eq!(respond_with_token(GOOD, &mut limited).0, 401, "a missing token is not a guess");
    assert_eq!(respond_with_token("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &mut limited).0, 200);
}

/// Requests with a wrong token that a page of another site can cause in the browser of its visitor: it can choose the URL,
/// and for a WebSocket the subprotocols; `Origin` is left out of a `GET` for an image, a script, a frame or a link.
fn requests_of_a_foreign_page() -> Vec<String> {
    let get = |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nHost: 192.168.1.5:8765\r\n{headers}\r\n");
    let fetched = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n";
    let foreign =
        |change: &str| GOOD.replace("http://192.168.1.5:8765", "http://evil.example").replace("room=1", change);
    vec![
        get("/x?token=wrong", ""),
        get("/status?token=wrong", ""),
        get("/status?token=wrong&token=wrong", "Accept: image/*\r\nReferer: http://evil.example/\r\n"),
        get("/status?token=wrong", fetched),
        get("/status?token=wrong", "Origin: http://evil.example\r\n"),
        get("/status?token=wrong", "Origin: null\r\n"),
        get("/status", "Authorization: Basic dXNlcjp3cm9uZw==\r\n"),
        get("/?token=wrong", ""),
        get("/status?token=wrong", "").replace("GET", "HEAD"),
        get("/status?token=wrong", "Content-Length: 0\r\n").replace("GET", "POST"),
        get("/status?token=wrong", "Origin: http://evil.example\r\nAccess-Control-Request-Method: GET\r\n")
            .replace("GET /", "OPTIONS /"),
        foreign("token=wrong"),
        foreign("room=1").replace("chat", "halloo.token.wrong"),
    ]
}

#[test]
fn foreign_page_cannot_use_up_the_guesses_of_its_visitor() {
    let mut server = authenticator();
    for request in requests_of_a_foreign_page() {
        for _ in 0..100 {
            let (status, text) = respond_with_token(&request, &mut server);
            assert_ne!(status, 429, "{request}: {text}");
        }
        // A right token would not have been let in, so that the page learns nothing by the response.
        let right = respond_with_token(request.replace("wrong", TOKEN), &mut authenticator());
        assert_eq!(right, respond_with_token(&request, &mut authenticator()), "{request}");
    }
    let head = GOOD.replace("room=1", &format!("token={TOKEN}"));
    assert_eq!(respond_with_token(head, &mut server).0, 101, "the visitor itself is let in");
}

#[test]
fn guesses_are_limited_in_every_place_in_which_a_right_token_is_let_in() {
    let status = "GET /status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer GUESS\r\n\r\n".to_owned();
    let places = [
        GOOD.replace("room=1", "token=GUESS"),
        GOOD.replace("chat", "halloo.token.GUESS"),
        GOOD.replace("Origin", "Authorization: Bearer GUESS\r\nOrigin"),
        status.clone(),
        status.replace("GET", "HEAD"),
        status.replace("/status", "/nothing"),
        "GET /status?token=GUESS HTTP/1.0\r\n\r\n".into(),
    ];
    for place in places {
        let right = respond_with_token(place.replace("GUESS", TOKEN), &mut authenticator()).0;
        assert!([101, 200].contains(&right), "{place}: {right}");
        let mut server = authenticator();
        let guess = |server: &mut _| respond_with_token(place.replace("GUESS", "wrong"), server).0;
        let checked = (0..10_000).filter(|_| guess(&mut server) == 401).count();
        assert_eq!(checked, 10, "{place}");
        assert_eq!(respond_with_token(place.replace("GUESS", TOKEN), &mut server).0, 429, "a guess like any other");
    }
}

#[test]
fn refusals_name_the_setting_that_allows_the_request_as_the_program_spells_it() {
    use halloo_proto::setting_names::SettingNames;
    let names = [SettingNames::Rust, SettingNames::CommandLine, SettingNames::Godot];
    for (header, advice) in [
        (
            "Origin: http://evil.example",
            [
                "add `http://evil.example` to `allowed_origins`",
                "use `--allowed-origins http://evil.example`",
                "add `http://evil.example` to `halloo/allowed_origins`",
            ],
        ),
        (
            "Host: evil.example",
            [
                "add `evil.example` to `allowed_hosts`",
                "use `--allowed-hosts evil.example`",
                "add `evil.example` to `halloo/allowed_hosts`",
            ],
        ),
    ] {
        let host = if header.starts_with("Host") { "" } else { "Host: localhost\r\n" };
        let head = format!("GET / HTTP/1.1\r\n{host}{header}\r\n\r\n");
        for (setting_names, advice) in names.into_iter().zip(advice) {
            let mut rules = AccessRules::default();
            rules.setting_names = setting_names;
            match read_head(head.as_bytes(), LAN_PEER, &rules, &HandshakeLimits::default(), &mut authenticator()) {
                Decision::Refuse { response, .. } => assert!(text(&response).contains(advice), "{}", text(&response)),
                other => panic!("{other:?}"),
            }
        }
    }
}
