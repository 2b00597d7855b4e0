//! A server with an access token.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo::{Client, ClientConfig, Config, Event, Server, Token};
use halloo_test_support::{TEST_TIMEOUT, expect_gave_up, http_get, loopback};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::Request;

const TOKEN: &str = "the-otters-meet-at-nine";

fn start_server() -> Server {
    let mut config = Config::local();
    config.access.token = Some(Token::new(TOKEN).unwrap());
    Server::start(config).unwrap()
}

/// Attempts a handshake with this path and header. Returns the status and the subprotocol that the server selected.
fn attempt_handshake(server: &Server, path: &str, header: Option<(&'static str, &str)>) -> (u16, Option<String>) {
    let mut request: Request<()> = format!("{}{path}", server.url()).into_client_request().unwrap();
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match tungstenite::connect(request) {
        Ok((_, response)) => {
            let subprotocol = response.headers().get("sec-websocket-protocol");
            (101, subprotocol.map(|subprotocol| subprotocol.to_str().unwrap().to_owned()))
        }
        Err(tungstenite::Error::Http(response)) => (response.status().as_u16(), None),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_handshake_requires_the_token_in_one_of_three_places() {
    let server = start_server();
    let subprotocols = format!("halloo.v1, halloo.token.{TOKEN}");
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(attempt_handshake(&server, "/", None), (401, None));
    assert_eq!(attempt_handshake(&server, "/?token=the-otters-meet-at-ten", None), (401, None));
    assert_eq!(attempt_handshake(&server, "/", Some(("authorization", "Bearer x"))), (401, None));
    assert!(server.try_event().is_none_or(|event| !matches!(event, Event::ClientJoined { .. })));
    assert_eq!(attempt_handshake(&server, &format!("/?token={TOKEN}"), None), (101, None));
    assert_eq!(attempt_handshake(&server, "/", Some(("authorization", &bearer))), (101, None));
    let selected = Some("halloo.v1".to_owned());
    assert_eq!(attempt_handshake(&server, "/", Some(("sec-websocket-protocol", &subprotocols))), (101, selected));
    assert_eq!(server.status().extras.clients_total, 3);
}

#[test]
fn responses_and_debug_output_do_not_contain_the_token() {
    let server = start_server();
    let get = |path: &str, headers: &str| http_get(loopback(&server), path, headers);
    assert!(get("/", "").starts_with("HTTP/1.1 200"));
    let discovery = get("/discovery.json", "");
    assert!(discovery.contains("\"auth\":true") && !discovery.contains(TOKEN), "{discovery}");
    let refused = get("/status", "");
    assert!(refused.starts_with("HTTP/1.1 401") && refused.contains("token") && !refused.contains(TOKEN), "{refused}");
    let status = get("/status", &format!("Authorization: Bearer {TOKEN}\r\n"));
    assert!(status.starts_with("HTTP/1.1 200") && !status.contains(TOKEN), "{status}");
    assert!(!format!("{server:?} {:?}", server.token()).contains(TOKEN));
    assert!(server.invitation().ends_with(&format!("/#token={TOKEN}")) && !server.url().contains(TOKEN));
}

#[test]
fn ten_thousand_wrong_tokens_are_refused_while_clients_with_the_token_join() {
    let server = start_server();
    let guess = |number: u32| {
        let headers = format!(
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer the-otters-meet-at-{number}\r\n"
        );
        http_get(loopback(&server), "/", &headers)
    };
    std::thread::scope(|scope| {
        for first in [0, 5000] {
            let guess = &guess;
            scope.spawn(move || {
                for number in first..first + 5000 {
                    assert!(guess(number).starts_with("HTTP/1.1 401"));
                }
            });
        }
        for _ in 0..20 {
            assert_eq!(attempt_handshake(&server, &format!("/?token={TOKEN}"), None).0, 101);
        }
    });
    let status = server.status();
    assert_eq!((status.extras.clients_total, status.extras.refused), (20, 10_000));
}

#[test]
fn the_client_sends_its_token_or_reports_that_one_is_required() {
    let server = start_server();
    let address = format!("127.0.0.1:{}", server.port());
    let mut in_config = ClientConfig::new(address.as_str());
    in_config.token = Some(Token::new(TOKEN).unwrap());
    let in_invitation = ClientConfig::new(server.invitation());
    let in_query = ClientConfig::new(format!("ws://{address}/?token={TOKEN}"));
    for config in [in_config, in_invitation, in_query] {
        assert!(!format!("{config:?}").contains(TOKEN), "{config:?}");
        let client = Client::start(config).unwrap();
        assert!(client.wait_connected(TEST_TIMEOUT));
        assert!(!client.url().unwrap().contains(TOKEN));
    }
    let mut wrong = ClientConfig::new(server.invitation());
    wrong.token = Some(Token::new("another-token-than-that").unwrap());
    for config in [ClientConfig::new(address.as_str()), wrong] {
        let client = Client::start(config).unwrap();
        let reason = expect_gave_up(&client);
        assert!(reason.contains("401") && reason.contains("token"), "{reason}");
    }
}
