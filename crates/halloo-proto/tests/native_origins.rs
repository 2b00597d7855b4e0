//! `Origin` headers that no browser sends, and the near misses that a browser could send.

use std::net::{IpAddr, Ipv4Addr};

use halloo_proto::access::{AccessRules, Denied};

const HERE: &str = "192.168.77.1:8765";
const LAN_PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 2));

fn check(origin: &str) -> Result<Option<&str>, Denied> {
    AccessRules::default().check_origin(&[origin], HERE, LAN_PEER)
}

#[test]
fn native_program_that_fills_in_an_origin_is_let_in() {
    for origin in [
        "",
        // With a path, a query or a fragment.
        "https://example.org/some/path",
        "http://evil.example/192.168.77.1:8765",
        "http://192.168.77.1:8765/ws",
        "http://192.168.77.1:8765//",
        "http://192.168.77.1:8765?room=1",
        "http://192.168.77.1:8765/#x",
        "HTTPS://example.org:8443/a%20b",
        // With the scheme of a WebSocket.
        "ws://192.168.77.1:8765",
        "ws://192.168.77.1:8765/",
        "wss://example.org/chat",
        "WS://[fe80::1%25eth0]:8765",
        // Without a scheme.
        "192.168.77.1:8765",
        "192.168.77.1",
        "[fe80::1]:8765",
        "den.local:8765/",
        "example.org/path",
        "ESP32",
        "undefined",
    ] {
        // No page may read a response on behalf of such an origin.
        assert_eq!(check(origin), Ok(None), "{origin:?}");
    }
}

#[test]
fn page_of_another_origin_is_refused() {
    for origin in [
        "http://evil.example",
        "http://evil.example/",
        "http://192.168.77.1:8766",
        "http://192.168.77.1",
        "http://localhost:8765",
        "null",
        "file://",
        "file:///",
        "app://obsidian.md",
        "capacitor://localhost",
        "content://com.example",
    ] {
        assert!(matches!(check(origin), Err(Denied::ForeignOrigin(_))), "{origin:?}: {:?}", check(origin));
    }
}

#[test]
fn malformed_origin_is_refused() {
    for origin in [
        "NULL",
        "null/",
        "*",
        " ",
        "a b",
        "/path",
        "//192.168.77.1",
        ":8765",
        "http:",
        "file:",
        "about:blank",
        "data:text/html,x",
        "javascript:1,2",
        "blob:http://192.168.77.1:8765/1",
        "http://",
        "http:///path",
        "http://user@192.168.77.1/path",
        "http://192.168.77.1:99999/path",
        "http://evil.example\\/path",
        "http://evil.example/a b",
        "http://evil.example/,http://192.168.77.1:8765",
        "http://evil.example, http://192.168.77.1:8765/x",
        "ws://",
        "ws://a b",
        "file:///home/anna/page.html",
        "app://localhost/path",
        "chrome-extension://abc/path",
        "1http://a",
        "http://é.example/path",
        "http://evil.example/é",
    ] {
        assert!(matches!(check(origin), Err(Denied::MalformedOrigin(_))), "{origin:?}: {:?}", check(origin));
    }
}

#[test]
fn one_trailing_slash_is_ignored_on_both_sides() {
    assert_eq!(check("http://192.168.77.1:8765/"), Ok(Some("http://192.168.77.1:8765/")));
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    assert!(AccessRules::default().check_origin(&["http://localhost/"], "127.0.0.1:8765", loopback).is_ok());
    for (allowed, origin) in [
        ("http://play.example", "http://play.example/"),
        ("http://play.example/", "http://play.example"),
        ("http://play.example/", "http://play.example/"),
        ("file://", "file:///"),
        ("file:///", "file://"),
    ] {
        let mut rules = AccessRules::default();
        rules.allowed_origins = vec![allowed.into()];
        assert!(rules.check_origin(&[origin], HERE, LAN_PEER).is_ok(), "{origin} with {allowed}");
        assert!(rules.check_origin(&["http://play.example:81"], HERE, LAN_PEER).is_err());
    }
}
