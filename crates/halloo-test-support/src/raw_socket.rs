//! Sockets on which a test writes the bytes itself.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

use halloo::Server;
use halloo_proto::frame::{Opcode, encode};

use crate::TEST_TIMEOUT;

/// A complete request for an opening handshake (RFC 6455 section 4.1).
pub const UPGRADE_REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Returns the address of `server` on loopback.
pub fn loopback(server: &Server) -> SocketAddr {
    ([127, 0, 0, 1], server.port()).into()
}

/// Connects to `addr`. Reads fail after [`TEST_TIMEOUT`].
pub fn connect_tcp(addr: impl ToSocketAddrs) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream
}

/// Connects to `addr` and completes the opening handshake.
pub fn open_websocket(addr: impl ToSocketAddrs) -> TcpStream {
    let mut stream = connect_tcp(addr);
    stream.write_all(UPGRADE_REQUEST.as_bytes()).unwrap();
    let head = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream
}

/// Reads the head of an HTTP request or response, and none of the bytes that follow it.
pub fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a complete head");
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Reads the beginning of an HTTP response and returns its status.
///
/// # Errors
/// If the connection ends before the status.
pub fn read_status(stream: &mut impl Read) -> io::Result<u16> {
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    let start = String::from_utf8_lossy(&start).into_owned();
    let status = start.strip_prefix("HTTP/1.1 ").and_then(|status| status.parse().ok());
    Ok(status.unwrap_or_else(|| panic!("not an HTTP/1.1 response: {start}")))
}

/// Sends `request` to `addr` and returns all bytes that come back until the server closes the connection.
pub fn exchange(addr: impl ToSocketAddrs, request: impl AsRef<[u8]>) -> String {
    let mut stream = connect_tcp(addr);
    stream.write_all(request.as_ref()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

/// Requests `path` from `addr` by `GET` and returns the response. `headers` are complete lines.
pub fn http_get(addr: impl ToSocketAddrs, path: &str, headers: &str) -> String {
    exchange(addr, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"))
}

/// Returns a whole frame as a client sends it.
pub fn masked_frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(&mut frame, opcode, payload, Some([1, 2, 3, 4]));
    frame
}
