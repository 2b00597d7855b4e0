//! The client's side of the handshake, against the server of this crate and against invalid responses.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::{IpAddr, Ipv4Addr};

use halloo_proto::Time;
use halloo_proto::access::AccessRules;
use halloo_proto::authenticator::{Authenticator, Challenger};
use halloo_proto::credential::Credential;
use halloo_proto::handshake::{Handshake, Response};
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::token::Token;
use halloo_proto::upgrade::{Decision, RequestContext, accept_key, read_head};

/// The nonce of RFC 6455 section 1.3.
const NONCE: [u8; 16] = *b"the sample nonce";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

const CONTEXT: RequestContext<'_> =
    RequestContext { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), now: Time::ZERO, has_files: false, subprotocols: &[] };

fn read(text: &str) -> Response {
    Handshake::new(NONCE).read_response(text.as_bytes(), false)
}

/// Returns a valid response with `line` replaced.
fn response_with(line: &str, replacement: &str) -> String {
    let accept = accept_key(KEY);
    let valid = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    assert!(valid.contains(line), "{line}");
    valid.replace(line, replacement)
}

/// An authenticator without history.
fn authenticator() -> Authenticator {
    Authenticator::new(Challenger::new("5f0c9a3be1d24477", [7; 32]))
}

#[test]
fn client_and_server_of_this_crate_accept_each_other() {
    let handshake = Handshake::new(NONCE);
    let request = handshake.request(&"ws://192.168.1.5:8765/a?b=c".parse().unwrap());
    let text = String::from_utf8(request.clone()).unwrap();
    assert!(text.starts_with("GET /a?b=c HTTP/1.1\r\nHost: 192.168.1.5:8765\r\n"), "{text}");
    assert!(text.contains(KEY) && !text.contains("Origin") && !text.contains("Authorization"), "{text}");
    let Decision::Accept { head, mut response, .. } =
        read_head(&request, CONTEXT, &AccessRules::default(), &HandshakeLimits::default(), &mut authenticator())
    else {
        panic!()
    };
    assert_eq!(head, request.len());
    let whole = response.len();
    response.extend_from_slice(b"\x81\x01a");
    for cut in 0..whole {
        assert_eq!(handshake.read_response(&response[..cut], false), Response::Incomplete, "cut at {cut}");
    }
    assert_eq!(
        handshake.read_response(&response, false),
        Response::Accepted { head: whole, confirmed: false, subprotocol: None }
    );
    let other = Handshake::new([7; 16]);
    assert!(
        matches!(other.read_response(&response, false), Response::Invalid(why) if why.contains("does not match the key"))
    );
}

#[test]
fn server_accepts_the_token_in_the_request() {
    let mut rules = AccessRules::default();
    rules.token = Some(Token::from(NONCE));
    let request = |token: &Token| {
        let handshake = Handshake::new(NONCE).credential(Some(Credential::Token(token.clone())));
        handshake.request(&"ws://127.0.0.1:8765".parse().unwrap())
    };
    let decision =
        |token: &Token| read_head(&request(token), CONTEXT, &rules, &HandshakeLimits::default(), &mut authenticator());
    assert!(matches!(decision(&Token::from(NONCE)), Decision::Accept { .. }));
    assert!(matches!(decision(&Token::from([0; 16])), Decision::Refuse { reason, .. } if reason.status() == 401));
}

#[test]
fn case_white_space_and_lists_are_accepted() {
    for (line, replacement) in [
        ("Upgrade: websocket", "upgrade:  WebSocket "),
        ("Connection: Upgrade", "CONNECTION: keep-alive, uPGRADE"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions:\r\n\r\n"),
        ("101 Switching Protocols", "101 "),
    ] {
        assert!(matches!(read(&response_with(line, replacement)), Response::Accepted { .. }), "{replacement}");
    }
}

#[test]
fn invalid_responses_are_rejected() {
    let accept = format!("Sec-WebSocket-Accept: {}", accept_key(KEY));
    let twice = format!("{accept}\r\n{accept}");
    for (line, replacement) in [
        ("Upgrade: websocket\r\n", ""),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Upgrade: websocket", "Upgrade: websocket, h2c"),
        ("Connection: Upgrade\r\n", ""),
        ("Connection: Upgrade", "Connection: close"),
        (accept.as_str(), "X: y"),
        (accept.as_str(), twice.as_str()),
        (accept.as_str(), "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("HTTP/1.1", "SSH-2.0-x"),
    ] {
        assert!(
            matches!(read(&response_with(line, replacement)), Response::Invalid(_)),
            "{line:?} replaced by {replacement:?}"
        );
    }
}

#[test]
fn refusal_contains_the_text_of_the_response() {
    let refused = |status, text: &str| Response::Refused { status, text: text.into(), challenge: None };
    let plain = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n";
    let whole = format!("{plain}Content-Length: 8\r\n\r\nnot you\n\x1b more");
    assert_eq!(read(&whole), refused(403, "not you"));
    assert_eq!(read(&whole[..whole.len() - 8]), Response::Incomplete, "the text is incomplete");
    let without_length = format!("{plain}\r\nnot\x1b[31m you\u{202e}");
    assert_eq!(read(&without_length), Response::Incomplete);
    let handshake = Handshake::new(NONCE);
    let ended = handshake.read_response(without_length.as_bytes(), true);
    assert_eq!(ended, refused(403, "not\\u{1b}[31m you\\u{202e}"));
    assert_eq!(handshake.read_response(format!("{plain}\r\n").as_bytes(), true), refused(403, "Forbidden"));
    let page = "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n<html>";
    assert_eq!(read(page), refused(404, "Not Found"));
    assert_eq!(read("HTTP/1.1 200 OK\r\n\r\n"), refused(200, "OK"));
}

#[test]
fn endless_responses_are_rejected() {
    let endless = format!("HTTP/1.1 101 X\r\nX: {}", "x".repeat(9000));
    assert_eq!(read(&endless[..8000]), Response::Incomplete);
    assert!(matches!(read(&endless), Response::Invalid(why) if why.contains("large")));
    let headers = format!("HTTP/1.1 101 X\r\n{}", "a: b\r\n".repeat(100));
    assert!(matches!(read(&headers), Response::Invalid(why) if why.contains("large")));
    let long = format!("HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\n\r\n{}", "x".repeat(9000));
    let Response::Refused { status: 503, text, .. } = read(&long) else { panic!() };
    assert!(text.len() <= 303, "{}", text.len());
}

#[test]
fn interim_responses_are_skipped() {
    let accepted = response_with("Upgrade", "Upgrade");
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    for interim in ["HTTP/1.1 100 Continue\r\n\r\n", hints, "HTTP/1.1 199 \r\n\r\n"] {
        for count in [1, 2, 5] {
            let whole = interim.repeat(count) + &accepted;
            assert_eq!(read(&whole), Response::Accepted { head: whole.len(), confirmed: false, subprotocol: None });
            for cut in 0..whole.len() {
                assert_eq!(read(&whole[..cut]), Response::Incomplete, "{:?}", &whole[..cut]);
            }
        }
        let refused = format!("{interim}HTTP/1.1 403 Forbidden\r\n\r\n");
        assert_eq!(read(&refused), Response::Refused { status: 403, text: "Forbidden".into(), challenge: None });
    }
    let endless = hints.repeat(1000);
    assert_eq!(read(&endless[..8000]), Response::Incomplete);
    assert!(matches!(read(&endless), Response::Invalid(why) if why.contains("large")));
    assert!(matches!(read(&format!("{hints}SSH-2.0\r\n")), Response::Invalid(_)));
}

#[test]
fn redirect_names_its_location() {
    for (location, expected) in [
        ("https://den.example/game", "connect to that address"),
        ("//den.example/game", "connect to that address"),
        ("/game/", "connect to that path"),
        ("game?a=b", "connect to that path"),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let Response::Refused { status: got, text, .. } =
                read(&format!("HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))
            else {
                panic!()
            };
            assert_eq!(got, status);
            assert!(text.starts_with("Found; ") && text.contains(location) && text.contains(expected), "{text}");
        }
    }
    let escaped = "HTTP/1.1 302 Found\r\nLocation: http://a/\u{202e}b\r\n\r\n";
    assert!(matches!(read(escaped), Response::Refused { text, .. } if text.contains("\\u{202e}")));
    for other in ["HTTP/1.1 302 Found\r\n\r\n", "HTTP/1.1 404 Found\r\nLocation: /x\r\n\r\n"] {
        assert!(matches!(read(other), Response::Refused { text, .. } if text == "Found"), "{other}");
    }
}
