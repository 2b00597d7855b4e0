//! A client that sends any bytes, valid or not, and reads strictly.

use std::io::{Read, Write};
use std::net::TcpStream;

use halloo_test_support::{UPGRADE_REQUEST, connect_tcp, read_head};

use crate::frame::{Frame, decode, decode_first, encode};

/// A connection after its handshake.
pub(crate) struct RawClient {
    stream: TcpStream,
    /// Received bytes that are not decoded yet.
    received: Vec<u8>,
}

impl RawClient {
    pub(crate) fn connect(port: u16) -> RawClient {
        RawClient::open(port, UPGRADE_REQUEST.as_bytes()).0
    }

    /// Sends `start`, which begins with a complete request head, and returns the client and the head of the response.
    pub(crate) fn open(port: u16, start: &[u8]) -> (RawClient, String) {
        let mut stream = connect_tcp(("127.0.0.1", port));
        stream.set_nodelay(true).unwrap();
        stream.write_all(start).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        (RawClient { stream, received: Vec::new() }, head)
    }

    /// Writes `bytes` in pieces of this size, and reads meanwhile until the server closes the connection.
    pub(crate) fn exchange(mut self, bytes: &[u8], piece: usize) -> Vec<Frame> {
        let mut writer = self.stream.try_clone().unwrap();
        let mut received = std::mem::take(&mut self.received);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for piece in bytes.chunks(piece) {
                    writer.write_all(piece).expect("the server reads everything");
                }
            });
            self.stream.read_to_end(&mut received).expect("a clean end before the timeout");
        });
        decode(&received)
    }

    pub(crate) fn write(&mut self, frames: &[Frame]) {
        self.stream.write_all(&encode(frames)).unwrap();
    }

    /// Reads the next frame.
    pub(crate) fn read(&mut self) -> Frame {
        loop {
            if let Some((frame, length)) = decode_first(&self.received) {
                self.received.drain(..length);
                return frame;
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer).expect("a frame before the timeout");
            assert!(count > 0, "the server closed the connection");
            self.received.extend(&buffer[..count]);
        }
    }

    /// Expects the end of the connection and nothing before it.
    pub(crate) fn expect_end(mut self) {
        assert!(self.received.is_empty());
        assert_eq!(self.stream.read(&mut [0]).expect("a clean end before the timeout"), 0);
    }
}
