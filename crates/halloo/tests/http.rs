//! HTTP requests on the server's port: the page, the status, and refusals.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::Write;

use halloo::{Config, Server};
use halloo_test_support::{MockServer, exchange, http_get, loopback, read_head};

#[test]
fn the_page_the_status_and_the_discovery_reply_are_served() {
    let server = Server::start(Config::local()).unwrap();
    let page = http_get(loopback(&server), "/", "");
    assert!(page.contains("<title>halloo</title>") && page.contains("\r\nReferrer-Policy: no-referrer\r\n"), "{page}");
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
fn assets_are_served_to_pages_that_may_connect_and_need_no_token() {
    let mut config = Config::local();
    config.access.token = Some(halloo::Token::new("the-otters-meet-at-nine").unwrap());
    config.access.allowed_origins = vec!["http://play.example".into()];
    let server = Server::start(config).unwrap();
    assert!(http_get(loopback(&server), "/_halloo/", "").contains("<title>halloo</title>"));
    let client = http_get(loopback(&server), "/_halloo/client.js", "Origin: http://play.example\r\n");
    for line in [
        "HTTP/1.1 200 OK",
        "Content-Type: text/javascript; charset=utf-8",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-cache",
        "Access-Control-Allow-Origin: http://play.example",
    ] {
        assert!(client.contains(&format!("{line}\r\n")), "{line}: {client}");
    }
    assert!(client.contains("export const connect"));
    let refused = http_get(loopback(&server), "/_halloo/client.js", "Origin: http://evil.example\r\n");
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
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
fn name_that_another_machine_claimed_is_refused_until_it_is_allowed() {
    let mut config = Config::local();
    config.access.own_host = Some("den".into());
    let mut server = Server::start(config.clone()).unwrap();
    let get = |server: &Server, host: &str| {
        let headers = format!("Host: {host}\r\nOrigin: http://{host}\r\n");
        exchange(loopback(server), format!("GET /status HTTP/1.1\r\n{headers}\r\n"))
    };
    // A server on loopback has no name under `.local`.
    for host in ["evil.local:8765", "den.local:8765", "halloo.local:8765"] {
        let refused = get(&server, host);
        let name = host.trim_end_matches(":8765");
        assert!(refused.starts_with("HTTP/1.1 403") && !refused.contains("server_running"), "{refused}");
        assert!(refused.contains(&format!("add `{name}` to `allowed_hosts`")), "{refused}");
        config.access.allowed_hosts = vec![name.into()];
        server.restart(config.clone()).unwrap();
        assert!(get(&server, host).starts_with("HTTP/1.1 200"), "{host}");
        config.access.allowed_hosts.clear();
        server.restart(config.clone()).unwrap();
    }
    // One on the network has that of the machine.
    config.bind = Some([0, 0, 0, 0].into());
    server.restart(config).unwrap();
    assert!(get(&server, "den.local:8765").starts_with("HTTP/1.1 200"));
    assert!(get(&server, "evil.local:8765").starts_with("HTTP/1.1 403"));
}

#[test]
fn invalid_requests_get_status_400() {
    let server = Server::start(Config::local()).unwrap();
    assert!(exchange(loopback(&server), "\x16\x03\x01").starts_with("HTTP/1.1 400"));
    assert!(exchange(loopback(&server), "what is this\r\n\r\n").starts_with("HTTP/1.1 400"));
    let folded = exchange(loopback(&server), "GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n");
    assert!(folded.starts_with("HTTP/1.1 400") && folded.contains("folded over several lines"), "{folded}");
    assert_eq!(server.status().connected_clients, 0);
}

#[test]
fn proxies_and_health_checks_are_answered() {
    let server = Server::start(Config::local()).unwrap();
    let addr = loopback(&server);
    let absolute = exchange(addr, format!("GET http://{addr}/status HTTP/1.1\r\nHost: {addr}\r\n\r\n"));
    assert!(absolute.starts_with("HTTP/1.1 200") && absolute.contains("server_running"), "{absolute}");
    for request in ["GET /status HTTP/1.0\r\n\r\n", "GET /discovery.json HTTP/1.0\r\n\r\n"] {
        assert!(exchange(addr, request).starts_with("HTTP/1.1 200"), "{request}");
    }
    assert!(exchange(addr, "OPTIONS / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 204"));
}

#[test]
fn status_after_an_interim_response_is_read() {
    let server = Server::start(Config::local()).unwrap();
    let response = http_get(loopback(&server), "/status", "");
    let proxy = MockServer::raw(move |mut stream| {
        read_head(&mut stream);
        stream.write_all(format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{response}").as_bytes()).unwrap();
    });
    let status = halloo::status_of(&halloo::ClientConfig::new(proxy.url.as_str())).unwrap();
    assert_eq!(status.server_port, server.port());
    proxy.join();
}

#[test]
fn a_page_of_an_allowed_origin_may_send_a_token() {
    let mut config = Config::local();
    config.access.allowed_origins = vec!["http://*.example:5173".into()];
    config.access.token = Some(halloo::random_token().unwrap());
    let token = config.access.token.as_ref().unwrap().reveal().to_owned();
    let server = Server::start(config).unwrap();
    let preflight = |origin: &str| {
        let headers = "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n";
        exchange(
            loopback(&server),
            format!("OPTIONS /status HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n{headers}\r\n"),
        )
    };
    let allowed = preflight("http://play.example:5173");
    assert!(allowed.starts_with("HTTP/1.1 204"), "{allowed}");
    assert!(allowed.contains("\r\nAccess-Control-Allow-Headers: Authorization\r\n"), "{allowed}");
    let foreign = preflight("http://evil.example");
    assert!(foreign.starts_with("HTTP/1.1 403") && !foreign.contains("Access-Control"), "{foreign}");
    let headers = format!("Origin: http://play.example:5173\r\nAuthorization: Bearer {token}\r\n");
    let status = http_get(loopback(&server), "/status", &headers);
    assert!(status.contains("\r\nAccess-Control-Allow-Origin: http://play.example:5173\r\n"), "{status}");
}
