//! HTTP requests on the server's port: the page, the status, and refusals.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo::{Config, Server};
use halloo_test_support::{exchange, http_get, loopback};

#[test]
fn the_page_the_status_and_the_discovery_reply_are_served() {
    let server = Server::start(Config::local()).unwrap();
    assert!(http_get(loopback(&server), "/", "").contains("<title>halloo</title>"));
    let status = http_get(loopback(&server), "/status", "");
    let body: serde_json::Value = serde_json::from_str(status.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["server_running"], true);
    assert_eq!(body["server_port"], server.port());
    assert_eq!(body["connected_clients"], 0);
    assert_eq!(body["discovery_enabled"], false);
    assert_eq!(body["local_ip"], "127.0.0.1");
    assert!(http_get(loopback(&server), "/discovery.json", "").contains("websocket_server_reply"));
    assert!(http_get(loopback(&server), "/nowhere", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_foreign_origin_is_refused_with_advice() {
    let server = Server::start(Config::local()).unwrap();
    let refused = http_get(loopback(&server), "/status", "Origin: http://evil.example\r\n");
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert!(refused.contains("add `http://evil.example` to `allowed_origins`"), "{refused}");
    assert!(!refused.contains("server_running"));
}

#[test]
fn invalid_requests_get_status_400() {
    let server = Server::start(Config::local()).unwrap();
    assert!(exchange(loopback(&server), "\x16\x03\x01").starts_with("HTTP/1.1 400"));
    assert!(exchange(loopback(&server), "what is this\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert_eq!(server.status().connected_clients, 0);
}
