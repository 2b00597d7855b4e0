//! Options that decide who may connect.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use common::JsonServer;
use halloo_test_support::http_get;

#[test]
fn advised_option_lets_the_page_in() {
    let status = |server: &JsonServer| http_get(("127.0.0.1", server.port), "/status", "Origin: file://\r\n");
    let refused = status(&JsonServer::start_local(&[]));
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let (_, advice) = refused.split_once("use `").expect("advice");
    let options: Vec<&str> = advice.split('`').next().unwrap().split_whitespace().collect();
    let allowed = status(&JsonServer::start_local(&options));
    assert!(allowed.starts_with("HTTP/1.1 200"), "{options:?}: {allowed}");
}

#[test]
fn origins_of_every_host_are_allowed_with_a_warning() {
    for (option, origin, warning) in [
        ("http://*:5173", "http://play.example:5173", "pages of public sites"),
        ("*", "http://play.example", "all web pages"),
        ("https://*.example.org", "https://play.example.org", ""),
    ] {
        let mut server = JsonServer::start_local(&["--allow-origin", option]);
        let status = http_get(("127.0.0.1", server.port), "/status", &format!("Origin: {origin}\r\n"));
        assert!(status.starts_with("HTTP/1.1 200"), "{option}: {status}");
        server.process.stop();
        let log = server.process.read_stderr();
        assert!(log.contains(warning) && log.contains("lets") != warning.is_empty(), "{option}: {log}");
    }
}
