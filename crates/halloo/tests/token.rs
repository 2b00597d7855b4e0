//! A server that lets in only who has its token.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use halloo::{Client, ClientConfig, ClientEvent, Config, Event, Server, Token};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::Request;

const TOKEN: &str = "the-otters-meet-at-nine";
const PATIENCE: Duration = Duration::from_secs(20);

fn server() -> Server {
    let mut config = Config::local();
    config.access.token = Some(Token::new(TOKEN).unwrap());
    Server::start(config).unwrap()
}

/// The status that a handshake with this path and header gets, and the subprotocol that was chosen.
fn knock(server: &Server, path: &str, header: Option<(&'static str, &str)>) -> (u16, Option<String>) {
    let mut request: Request<()> = format!("{}{path}", server.url()).into_client_request().unwrap();
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match tungstenite::connect(request) {
        Ok((_, response)) => {
            let chosen = response.headers().get("sec-websocket-protocol");
            (101, chosen.map(|chosen| chosen.to_str().unwrap().to_owned()))
        }
        Err(tungstenite::Error::Http(response)) => (response.status().as_u16(), None),
        Err(error) => panic!("{error}"),
    }
}

fn get(server: &Server, path: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn who_has_the_token_comes_in_and_nobody_else() {
    let server = server();
    let subprotocols = format!("halloo.v1, halloo.token.{TOKEN}");
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(knock(&server, "/", None), (401, None));
    assert_eq!(knock(&server, "/?token=the-otters-meet-at-ten", None), (401, None));
    assert_eq!(knock(&server, "/", Some(("authorization", "Bearer x"))), (401, None));
    assert!(server.try_event().is_none_or(|event| !matches!(event, Event::ClientJoined { .. })));
    assert_eq!(knock(&server, &format!("/?token={TOKEN}"), None), (101, None));
    assert_eq!(knock(&server, "/", Some(("authorization", &bearer))), (101, None));
    let chosen = Some("halloo.v1".to_owned());
    assert_eq!(knock(&server, "/", Some(("sec-websocket-protocol", &subprotocols))), (101, chosen));
    assert_eq!(server.status().extras.clients_total, 3);
}

#[test]
fn what_is_told_without_the_token_does_not_tell_it() {
    let server = server();
    assert!(get(&server, "/", "").starts_with("HTTP/1.1 200"));
    let discovery = get(&server, "/discovery.json", "");
    assert!(discovery.contains("\"auth\":true") && !discovery.contains(TOKEN), "{discovery}");
    let refused = get(&server, "/status", "");
    assert!(refused.starts_with("HTTP/1.1 401") && refused.contains("token") && !refused.contains(TOKEN), "{refused}");
    let status = get(&server, "/status", &format!("Authorization: Bearer {TOKEN}\r\n"));
    assert!(status.starts_with("HTTP/1.1 200") && !status.contains(TOKEN), "{status}");
    assert!(!format!("{server:?} {:?}", server.token()).contains(TOKEN));
    assert!(server.invitation().ends_with(&format!("/#token={TOKEN}")) && !server.url().contains(TOKEN));
}

#[test]
fn ten_thousand_guesses_let_nobody_in_and_keep_nobody_out() {
    let server = server();
    let guess = |n: u32| {
        get(
            &server,
            "/",
            &format!(
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer the-otters-meet-at-{n}\r\n"
            ),
        )
    };
    std::thread::scope(|scope| {
        for first in [0, 5000] {
            let guess = &guess;
            scope.spawn(move || {
                for n in first..first + 5000 {
                    assert!(guess(n).starts_with("HTTP/1.1 401"));
                }
            });
        }
        for _ in 0..20 {
            assert_eq!(knock(&server, &format!("/?token={TOKEN}"), None).0, 101, "in the midst of it");
        }
    });
    let status = server.status();
    assert_eq!((status.extras.clients_total, status.extras.refused), (20, 10_000));
}

#[test]
fn our_client_brings_its_token_or_says_that_one_is_wanted() {
    let server = server();
    let address = format!("127.0.0.1:{}", server.port());
    let mut given = ClientConfig::new(address.as_str());
    given.token = Some(Token::new(TOKEN).unwrap());
    let in_link = ClientConfig::new(server.invitation());
    let in_query = ClientConfig::new(format!("ws://{address}/?token={TOKEN}"));
    for config in [given, in_link, in_query] {
        assert!(!format!("{config:?}").contains(TOKEN), "{config:?}");
        let client = Client::start(config).unwrap();
        assert!(client.wait_connected(PATIENCE));
        assert!(!client.url().unwrap().contains(TOKEN));
    }
    let mut wrong = ClientConfig::new(server.invitation());
    wrong.token = Some(Token::new("another-token-than-that").unwrap());
    for config in [ClientConfig::new(address.as_str()), wrong] {
        let client = Client::start(config).unwrap();
        let Some(ClientEvent::GaveUp { reason }) = client.wait_event(PATIENCE) else { panic!() };
        assert!(reason.contains("401") && reason.contains("token"), "{reason}");
    }
}
