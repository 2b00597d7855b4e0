//! What a client says in its handshake reaches the application, without its token; subprotocols are negotiated.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::sync::Arc;

use halloo::{AccessRules, Client, ClientConfig, ClientEvent, ClientRequest, Config, ConnectError, Event, Server};
use halloo::{StartError, Token};
use halloo_test_support::{ExpectEvent, connect_tcp, loopback, read_head};
use std::io::Write;

const TOKEN: &str = "a-token-of-22-letters.";

/// Connects with this path and these additional headers. Returns the response, and what the application learned.
fn join(server: &Server, path: &str, headers: &str) -> (String, Arc<ClientRequest>) {
    let mut stream = connect_tcp(loopback(server));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let response = read_head(&mut stream);
    let request = server.expect_matching(|event| match event {
        Event::ClientJoined { request, .. } => Some(request),
        _ => None,
    });
    // The client leaves with the end of its socket.
    (response, request)
}

#[test]
fn application_learns_what_a_client_says() {
    let server = Server::start(Config::local()).unwrap();
    let origin = format!("http://localhost:{}", server.port());
    let headers = format!("Origin: {origin}\r\nUser-Agent: pad/1.0\r\nSec-WebSocket-Protocol: json, xml\r\n");
    let (_, request) = join(&server, "/play/now?seat=3", &headers);
    assert_eq!((request.target(), request.path(), request.query()), ("/play/now?seat=3", "/play/now", "seat=3"));
    assert_eq!((request.origin(), request.user_agent()), (Some(origin.as_str()), Some("pad/1.0")));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["json", "xml"]);
    assert_eq!(request.subprotocol(), None);
}

#[test]
fn status_has_what_each_client_said_and_forgets_it() {
    let server = Server::start(Config::local()).unwrap();
    let mut config = ClientConfig::new(server.url() + "/a?b=c");
    config.reconnect = false;
    let client = Client::start(config).unwrap();
    let plain = Client::connect(server.url()).unwrap();
    for _ in 0..2 {
        assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    }
    let mut paths: Vec<_> = server.status().extras.clients.into_iter().map(|client| client.path).collect();
    paths.sort();
    assert_eq!(paths, ["/", "/a?b=c"]);
    drop(plain);
    assert!(matches!(server.expect_event(), Event::ClientLeft { .. }));
    drop(client);
    assert!(matches!(server.expect_event(), Event::ClientLeft { .. }));
    // Its slot, which was left last, is used again by a client that says nothing.
    let _other = Client::connect(server.url()).unwrap();
    let Event::ClientJoined { request, .. } = server.expect_event() else { panic!() };
    assert!(request.is_plain());
    assert_eq!(server.status().extras.clients[0].path, "/");
}

#[test]
fn no_token_reaches_the_application_whatever_its_way() {
    let token = Token::new(TOKEN).unwrap();
    let config = Config::local().access(AccessRules::default().token(token));
    let server = Server::start(config).unwrap();
    for (path, headers) in [
        (format!("/?a=b&token={TOKEN}&c"), String::new()),
        (format!("/{TOKEN}?x={TOKEN}&token={TOKEN}"), format!("User-Agent: {TOKEN}\r\n")),
        ("/".into(), format!("Authorization: Bearer {TOKEN}\r\n")),
        ("/".into(), format!("Sec-WebSocket-Protocol: halloo.v1, halloo.token.{TOKEN}, chat.{TOKEN}\r\n")),
    ] {
        let (_, request) = join(&server, &path, &headers);
        let subprotocols = request.subprotocols().collect::<Vec<_>>().join(" ");
        let status = serde_json::to_string(&server.status()).unwrap();
        for text in [request.target(), request.user_agent().unwrap_or_default(), &subprotocols, &status] {
            assert!(!text.contains(TOKEN) && !text.contains("halloo."), "{path}: {text}");
        }
    }
    // A client of this library proves its token without sending it.
    let client = Client::start(ClientConfig::new(server.url() + "/x").token(Token::new(TOKEN).unwrap())).unwrap();
    let request = server.expect_matching(|event| match event {
        Event::ClientJoined { request, .. } => Some(request),
        _ => None,
    });
    assert_eq!((request.target(), request.subprotocols().count()), ("/x", 0));
    drop(client);
}

#[test]
fn first_subprotocol_of_the_server_that_is_offered_is_chosen() {
    let server = Server::start(Config::local().subprotocols(vec!["json".into(), "xml".into()])).unwrap();
    for (offer, chosen) in [
        ("xml, json", Some("json")),
        ("halloo.v1, xml", Some("xml")),
        ("halloo.v1, yaml", Some("halloo.v1")),
        ("yaml", None),
    ] {
        let (response, request) = join(&server, "/", &format!("Sec-WebSocket-Protocol: {offer}\r\n"));
        let line = chosen.map(|name| format!("\r\nSec-WebSocket-Protocol: {name}\r\n"));
        match &line {
            Some(line) => assert!(response.contains(line), "{offer}: {response}"),
            None => assert!(!response.contains("Sec-WebSocket-Protocol"), "{offer}: {response}"),
        }
        assert_eq!(request.subprotocol(), chosen.filter(|name| *name != "halloo.v1"), "{offer}");
    }
}

#[test]
fn client_offers_subprotocols_and_learns_which_was_chosen() {
    let server = Server::start(Config::local().subprotocols(vec!["json".into()])).unwrap();
    let connect = |names: &[&str]| {
        let names = names.iter().map(ToString::to_string).collect();
        let client = Client::start(ClientConfig::new(server.url()).subprotocols(names)).unwrap();
        match client.expect_event() {
            ClientEvent::Connected { subprotocol, .. } => subprotocol,
            event => panic!("{event:?}"),
        }
    };
    assert_eq!(connect(&["xml", "json"]).as_deref(), Some("json"));
    assert_eq!(connect(&["xml"]), None);
    assert_eq!(connect(&[]), None);
}

#[test]
fn names_that_cannot_be_offered_are_errors() {
    for name in ["", "a b", "halloo.v2", "a,b"] {
        let names = || vec!["json".to_owned(), name.to_owned()];
        let server = Server::start(Config::local().subprotocols(names()));
        assert!(matches!(server, Err(StartError::Subprotocol { .. })), "{name}");
        let client = Client::start(ClientConfig::new("ws://127.0.0.1:1").subprotocols(names()));
        assert!(matches!(client, Err(ConnectError::Subprotocol { .. })), "{name}");
    }
}
