//! Servers that were not written here, or that answer as no server should, for the client.

#![allow(dead_code, reason = "not every test needs each of them")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use halloo::{Client, ClientConfig, ClientEvent, CloseCode};
use halloo_proto::upgrade::accept_key;
use tungstenite::WebSocket;

/// Long enough for a loaded machine; no test waits for it unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server for one client, which `serve` speaks to.
pub(crate) fn server<T: Send + 'static>(
    serve: impl FnOnce(WebSocket<TcpStream>) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    raw_server(|stream| serve(tungstenite::accept(stream).expect("a handshake")))
}

/// The same below WebSocket.
pub(crate) fn raw_server<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        serve(stream)
    });
    (url, thread)
}

/// Reads the request and answers with what `answer` makes of its key; then goes on.
pub(crate) fn answer(mut stream: &TcpStream, answer: impl FnOnce(&str) -> String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    stream.write_all(answer(key).as_bytes()).unwrap();
}

pub(crate) fn accepted(key: &str) -> String {
    let accept = accept_key(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

pub(crate) fn next(client: &Client) -> ClientEvent {
    client.wait_event(PATIENCE).expect("an event")
}

pub(crate) fn received(client: &Client) -> halloo::Message<'static> {
    match next(client) {
        ClientEvent::MessageReceived { message } => message,
        other => panic!("{other:?}"),
    }
}

/// The first client that gets only one attempt.
pub(crate) fn once(url: &str, change: impl FnOnce(&mut ClientConfig)) -> Client {
    let mut config = ClientConfig::new(url);
    config.reconnect = false;
    change(&mut config);
    Client::start(config).unwrap()
}

pub(crate) fn gave_up(client: &Client) -> String {
    match next(client) {
        ClientEvent::GaveUp { reason } => {
            assert_eq!(client.events().count(), 0, "nothing comes after the end");
            assert!(client.send("late").is_err());
            reason
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn disconnected(client: &Client) -> (CloseCode, String) {
    match next(client) {
        ClientEvent::Disconnected { code, reason, retry_in: None } => (code, reason),
        other => panic!("{other:?}"),
    }
}
