//! Published files that change while they are sent: what arrives is one version, complete or visibly cut off, unless a
//! longer one is written over it.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use halloo::{Config, Files, Server};
use halloo_test_support::{TempDir, connect_tcp, loopback, read_head};

/// More than the buffers of a socket hold, so that the rest is read later.
const LENGTH: usize = 50_000_000;
const REQUEST: &[u8] = b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server, and the download of a file that has begun and waits for its peer.
struct Download {
    path: PathBuf,
    content: Vec<u8>,
    stream: TcpStream,
    _directory: TempDir,
    _server: Server,
}

impl Download {
    fn start() -> Download {
        let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
        let path = directory.path().join("large.bin");
        let content = bytes(1);
        fs::write(&path, &content).unwrap();
        let server = Server::start(Config::local().www(Files::directory(directory.path()).unwrap())).unwrap();
        let mut stream = connect_tcp(loopback(&server));
        request(&mut stream);
        assert_eq!(content_length(&mut stream), LENGTH);
        Download { path, content, stream, _directory: directory, _server: server }
    }

    /// Expects that the whole file arrives as it was.
    fn expect_complete(&mut self) {
        let mut received = vec![0; LENGTH];
        self.stream.read_exact(&mut received).unwrap();
        assert!(received == self.content, "other bytes");
    }

    /// Expects that a part of the file arrives as it was, and then the end of the connection.
    fn expect_cut_off(&mut self) {
        // Its response would follow a part that was taken for the whole. Fails if the connection has ended already.
        let _ = self.stream.write_all(REQUEST);
        let mut received = Vec::new();
        match self.stream.read_to_end(&mut received) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
        }
        assert!(received.len() < LENGTH, "{} bytes", received.len());
        assert!(received == self.content[..received.len()], "other bytes");
    }

    /// Requests the file again, on the same connection.
    fn next_length(&mut self) -> usize {
        request(&mut self.stream);
        content_length(&mut self.stream)
    }
}

/// Returns the content of a large file, without a period that could hide a shift.
fn bytes(seed: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..65_521).map(|index: usize| (index * index + seed * index / 7 + seed) as u8).collect();
    let mut bytes = block.repeat(LENGTH / block.len() + 1);
    bytes.truncate(LENGTH);
    bytes
}

fn request(stream: &mut TcpStream) {
    stream.write_all(REQUEST).unwrap();
}

/// Reads the head of a response, and returns the length of its body.
fn content_length(stream: &mut TcpStream) -> usize {
    let head = read_head(stream);
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    length.unwrap_or_else(|| panic!("no length: {head}")).parse().unwrap()
}

#[test]
#[cfg(unix)]
fn removed_file_is_sent_to_its_end() {
    let mut download = Download::start();
    fs::remove_file(&download.path).unwrap();
    download.expect_complete();
    request(&mut download.stream);
    assert!(read_head(&mut download.stream).starts_with("HTTP/1.1 404"));
}

#[test]
#[cfg(unix)]
fn replaced_file_is_sent_as_it_was_and_then_as_it_is() {
    let mut download = Download::start();
    let new = download.path.with_extension("new");
    fs::write(&new, "new").unwrap();
    fs::rename(&new, &download.path).unwrap();
    download.expect_complete();
    assert_eq!(download.next_length(), 3);
    let mut body = [0; 3];
    download.stream.read_exact(&mut body).unwrap();
    assert_eq!(&body, b"new");
}

#[test]
fn growing_file_is_sent_as_long_as_it_was() {
    let mut download = Download::start();
    File::options().append(true).open(&download.path).unwrap().write_all(&[7; 100_000]).unwrap();
    download.expect_complete();
    assert_eq!(download.next_length(), LENGTH + 100_000);
}

/// It cannot be told from one that grows, which the documentation says.
#[test]
fn file_that_is_overwritten_by_a_longer_one_is_sent_as_long_as_it_was_and_then_as_it_is() {
    let mut download = Download::start();
    let new = [bytes(2), vec![7; 100_000]].concat();
    let mut file = File::options().write(true).open(&download.path).unwrap();
    // The additional bytes first: a file that has changed and has its old length ends the connection.
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(&new[LENGTH..]).unwrap();
    file.rewind().unwrap();
    file.write_all(&new[..LENGTH]).unwrap();
    let mut received = vec![0; LENGTH];
    download.stream.read_exact(&mut received).unwrap();
    let is_either =
        received.iter().zip(&download.content).zip(&new).all(|((byte, old), new)| byte == old || byte == new);
    assert!(is_either, "other bytes");
    assert_eq!(download.next_length(), LENGTH + 100_000);
}

#[test]
fn truncated_file_ends_the_connection() {
    let mut download = Download::start();
    File::options().write(true).open(&download.path).unwrap().set_len(1000).unwrap();
    download.expect_cut_off();
}

#[test]
fn file_that_is_written_anew_ends_the_connection() {
    let mut download = Download::start();
    fs::write(&download.path, bytes(2)).unwrap();
    download.expect_cut_off();
}

#[test]
fn file_of_which_a_part_is_overwritten_ends_the_connection() {
    let mut download = Download::start();
    let mut file = File::options().write(true).open(&download.path).unwrap();
    file.seek(SeekFrom::End(-10)).unwrap();
    file.write_all(b"0123456789").unwrap();
    download.expect_cut_off();
}
