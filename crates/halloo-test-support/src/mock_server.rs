//! Servers for a client to connect to: of another implementation, or as wrong as a test wants.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use halloo_proto::upgrade::accept_key;

use crate::raw_socket::read_head;
use crate::{Peer, TEST_TIMEOUT};

/// A server on loopback that serves one connection on a thread of its own.
#[derive(Debug)]
pub struct MockServer<T> {
    /// The address to connect to.
    pub url: String,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> MockServer<T> {
    /// Starts a server whose `serve` gets a connection after its handshake, by the crate `tungstenite`.
    pub fn websocket(serve: impl FnOnce(Peer) -> T + Send + 'static) -> MockServer<T> {
        MockServer::raw(|stream| serve(tungstenite::accept(stream).expect("a handshake")))
    }

    /// Starts a server whose `serve` gets the accepted socket.
    pub fn raw(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> MockServer<T> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
            serve(stream)
        });
        MockServer { url, thread }
    }

    /// Waits until the connection is served and returns what `serve` returned.
    pub fn join(self) -> T {
        self.thread.join().expect("the mock server does not panic")
    }
}

/// Reads the request of a handshake and writes what `response` makes of its key.
pub fn answer_handshake(mut stream: &TcpStream, response: impl FnOnce(&str) -> String) {
    let head = read_head(&mut stream);
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    stream.write_all(response(key).as_bytes()).unwrap();
}

/// Returns the response that accepts a handshake with this key.
pub fn switching_protocols(key: &str) -> String {
    let accept = accept_key(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}
