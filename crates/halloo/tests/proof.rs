//! Proofs of the token between a client and servers: the right one, one that an eavesdropper listens to, and impostors.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use halloo::{Client, ClientConfig, ClientEvent, Config, Event, Server, ServerInfo, Token};
use halloo_test_support::{
    ExpectEvent, MockServer, TEST_TIMEOUT, announced_config, answer_handshake, exchange, expect_gave_up, local_search,
    loopback, switching_protocols, unused_udp_port,
};

const TOKEN: &str = "the-otters-meet-at-nine";

fn token() -> Token {
    Token::new(TOKEN).unwrap()
}

fn start_server(mut config: Config) -> Server {
    config.access.token = Some(token());
    Server::start(config).unwrap()
}

fn config_for(target: impl Into<halloo::Target>) -> ClientConfig {
    let mut config = ClientConfig::new(target);
    config.token = Some(token());
    config
}

/// Returns the server, found by a reply to a probe. A beacon says nothing about tokens.
fn discovered(discovery_port: u16) -> ServerInfo {
    let mut search = local_search(discovery_port, TEST_TIMEOUT);
    search.first = true;
    loop {
        let found = search.run().unwrap().remove(0);
        if found.auth {
            return found;
        }
    }
}

/// Passes connections on to `server`. Returns its address, and everything that passes in both directions.
fn eavesdropper(server: &Server) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (addr, upstream) = (listener.local_addr().unwrap(), loopback(server));
    let recorded: Arc<Mutex<Vec<u8>>> = Arc::default();
    let record = Arc::clone(&recorded);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(upstream).unwrap());
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let record = Arc::clone(&record);
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut buffer) {
                        record.lock().unwrap().extend_from_slice(&buffer[..count]);
                        if to.write_all(&buffer[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    (addr, recorded)
}

#[test]
fn eavesdropper_learns_neither_the_token_nor_anything_to_send_again() {
    let server = start_server(Config::local());
    let (addr, recorded) = eavesdropper(&server);
    let client = Client::start(config_for(format!("ws://{addr}"))).unwrap();
    assert!(client.wait_connected(TEST_TIMEOUT));
    halloo::status_of(&config_for(format!("ws://{addr}"))).unwrap();
    let text = String::from_utf8_lossy(&recorded.lock().unwrap()).into_owned();
    assert!(text.contains("proof=") && text.contains("Halloo-Proof: "), "{text}");
    assert!(!text.contains(TOKEN), "{text}");
    let requests: Vec<String> =
        text.split_inclusive("\r\n\r\n").filter(|head| head.contains("proof=")).map(str::to_owned).collect();
    assert_eq!(requests.len(), 2, "{text}");
    for request in requests {
        let request = &request[request.find("GET ").unwrap()..];
        let response = exchange(loopback(&server), request);
        assert!(response.starts_with("HTTP/1.1 401") && response.contains("stale=true"), "{response}");
    }
}

#[test]
fn client_of_a_discovered_server_needs_no_further_round_trip() {
    let discovery_port = unused_udp_port();
    let server = start_server(announced_config("den", discovery_port));
    let found = discovered(discovery_port);
    let client = Client::start(config_for(&found)).unwrap();
    assert!(client.wait_connected(TEST_TIMEOUT));
    halloo::status_of(&config_for(&found)).unwrap();
    assert_eq!(server.status().extras.refused, 0);
    // By its address, the client has to ask for a challenge first.
    assert!(Client::start(config_for(server.url())).unwrap().wait_connected(TEST_TIMEOUT));
    assert_eq!(server.status().extras.refused, 1);
}

#[test]
fn client_whose_challenge_is_of_an_earlier_start_gets_a_new_one() {
    let discovery_port = unused_udp_port();
    let first = start_server(announced_config("den", discovery_port));
    let found = discovered(discovery_port);
    let port = first.port();
    drop(first);
    let mut config = announced_config("den", discovery_port);
    config.port = port;
    let _restarted = start_server(config);
    assert!(Client::start(config_for(&found)).unwrap().wait_connected(TEST_TIMEOUT));
}

#[test]
fn servers_that_accept_proofs_only_serve_clients_and_the_status() {
    let mut config = Config::local();
    config.access.token_proof_only = true;
    let server = start_server(config);
    assert!(Client::start(config_for(server.url())).unwrap().wait_connected(TEST_TIMEOUT));
    assert!(halloo::status_of(&config_for(server.url())).is_ok());
    let mut wrong = config_for(server.url());
    wrong.token = Some([1; 16].into());
    let error = halloo::status_of(&wrong).unwrap_err().to_string();
    assert!(error.contains("wrong token"), "{error}");
    assert!(expect_gave_up(&Client::start(wrong).unwrap()).contains("401"));
    let in_clear = Client::start(ClientConfig::new(format!("{}/?token={TOKEN}", server.url()))).unwrap();
    let reason = expect_gave_up(&in_clear);
    assert!(reason.contains("only accepts a proof"), "{reason}");
}

/// Returns why the client gave up, after it dropped the message that it could not send.
fn reason_to_give_up(client: &Client) -> String {
    client.expect_matching(|event| match event {
        ClientEvent::GaveUp { reason, .. } => Some(reason),
        _ => None,
    })
}

#[test]
fn impostor_gets_no_message_and_no_token() {
    let impostor = MockServer::raw(|mut stream| {
        answer_handshake(&stream, switching_protocols);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    let mut config = config_for(impostor.url.as_str());
    config.reconnect = false;
    let client = Client::start(config).unwrap();
    let _ = client.send("for the real server only");
    let reason = reason_to_give_up(&client);
    assert!(reason.contains("did not ask for a token"), "{reason}");
    assert!(impostor.join().is_empty());
}

#[test]
fn impostor_that_asks_for_a_proof_cannot_answer_with_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let impostor = std::thread::spawn(move || {
        let challenge = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\
                         WWW-Authenticate: Halloo id=\"5f0c9a3be1d24477\", challenge=\"AAAA\"\r\n\r\n";
        let (stream, _) = listener.accept().unwrap();
        answer_handshake(&stream, |_| challenge.into());
        drop(stream);
        let (mut stream, _) = listener.accept().unwrap();
        let forged = format!("Halloo-Proof: {}\r\n\r\n", "A".repeat(43));
        answer_handshake(&stream, |key| switching_protocols(key).replace("\r\n\r\n", &format!("\r\n{forged}")));
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    let mut config = config_for(url.as_str());
    config.reconnect = false;
    let client = Client::start(config).unwrap();
    let _ = client.send("for the real server only");
    let reason = reason_to_give_up(&client);
    assert!(reason.contains("did not prove that it knows the token"), "{reason}");
    assert!(impostor.join().unwrap().is_empty());
}

#[test]
fn client_of_a_name_goes_on_searching_when_an_impostor_has_the_address() {
    let discovery_port = unused_udp_port();
    let server = start_server(announced_config("den", discovery_port));
    let mut found = discovered(discovery_port);
    let impostor = MockServer::raw(|stream| answer_handshake(&stream, switching_protocols));
    found.url = impostor.url.clone();
    let mut config = config_for(&found);
    config.search = local_search(discovery_port, TEST_TIMEOUT);
    let client = Client::start(config).unwrap();
    let url = client.expect_matching(|event| match event {
        ClientEvent::Connected { url, .. } => Some(url),
        _ => None,
    });
    assert_eq!(url, server.url());
    server.expect_matching(|event| matches!(event, Event::ClientJoined { .. }).then_some(()));
    impostor.join();
}

#[test]
fn server_that_knows_no_proofs_is_not_sent_the_token_in_the_clear() {
    let old = MockServer::raw(|stream| {
        answer_handshake(&stream, |_| {
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n".into()
        });
    });
    let mut config = config_for(old.url.as_str());
    config.reconnect = false;
    let client = Client::start(config).unwrap();
    let reason = expect_gave_up(&client);
    assert!(reason.contains("does not support proofs of the token"), "{reason}");
    old.join();
}
