//! A directory to publish, and peers that request its files and compare what they get.

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::peer::Peer;

/// The name of the large file in a request.
pub(crate) const LARGE: &str = "/large.bin";
/// The name of a small page in a request.
pub(crate) const PAGE: &str = "/page.html";
/// Bytes of the small page.
pub(crate) const PAGE_BYTES: u64 = 3000;
/// A prime number, so that no multiple of a slice is a period of the content.
const BLOCK: usize = 65_521;

/// The directory, which is removed when this is dropped.
pub(crate) struct Site {
    path: PathBuf,
    /// Bytes of the large file.
    pub(crate) large: u64,
}

impl Site {
    /// Creates a directory with a page and a file of `large` bytes.
    pub(crate) fn create(large: u64) -> Result<Site> {
        let path = std::env::temp_dir().join(format!("halloo-adversary-www-{}", std::process::id()));
        fs::create_dir_all(&path).context("cannot create the directory to publish")?;
        let site = Site { path, large };
        let content = Content::new();
        for (name, length) in [(LARGE, large), (PAGE, PAGE_BYTES)] {
            let mut bytes = content.block.repeat(length as usize / BLOCK + 1);
            bytes.truncate(length as usize);
            fs::write(site.path.join(&name[1..]), bytes).context("cannot write a file to publish")?;
        }
        Ok(site)
    }

    pub(crate) fn path(&self) -> Result<&str> {
        self.path.to_str().context("the directory has no UTF-8 name")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // What is left is in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What the files contain.
pub(crate) struct Content {
    block: Vec<u8>,
}

impl Content {
    pub(crate) fn new() -> Content {
        Content { block: (0..BLOCK).map(|index| (index * index / 3 + index) as u8).collect() }
    }

    /// Returns whether `bytes` are those of a file from byte `at` on.
    fn matches(&self, at: u64, bytes: &[u8]) -> bool {
        let (mut at, mut rest) = ((at % BLOCK as u64) as usize, bytes);
        while !rest.is_empty() {
            let count = rest.len().min(BLOCK - at);
            if rest[..count] != self.block[at..at + count] {
                return false;
            }
            (at, rest) = (0, &rest[count..]);
        }
        true
    }
}

/// A response whose body is still to be read.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// The position of the next byte of the body in the file.
    at: u64,
    /// Bytes of the body that are still to be read.
    pub(crate) left: u64,
}

impl Response {
    /// Reads the head of a response to a request for a file, or a part of one.
    pub(crate) fn read(peer: &mut Peer) -> Result<Response> {
        let head = peer.response()?;
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let status = head.get(9..12).and_then(|status| status.parse().ok()).context("no status")?;
        let left = value("Content-Length: ").map_or(Ok(0), str::parse)?;
        let at = match value("Content-Range: bytes ").and_then(|range| range.split('-').next()) {
            Some(first) => first.parse()?,
            None => 0,
        };
        Ok(Response { status, left, at, head })
    }

    /// Reads some of the body of a file and compares it. Returns how many bytes; `None` if the socket has none now.
    pub(crate) fn read_some(&mut self, peer: &mut Peer, content: &Content, buffer: &mut [u8]) -> Result<Option<u64>> {
        let most = self.left.min(buffer.len() as u64) as usize;
        let count = match peer.read(&mut buffer[..most]) {
            Ok(0) => bail!("the server closed a download, {} bytes too early", self.left),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("a download failed"),
        };
        ensure!(content.matches(self.at, &buffer[..count]), "wrong bytes from byte {} on", self.at);
        self.at += count as u64;
        self.left -= count as u64;
        Ok(Some(count as u64))
    }

    /// Reads and compares the rest of the body.
    pub(crate) fn read_all(&mut self, peer: &mut Peer, content: &Content) -> Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        while self.left > 0 {
            self.read_some(peer, content, &mut buffer)?.context("a download made no progress")?;
        }
        Ok(())
    }
}

/// Returns a request on a connection that stays open. `headers` are complete lines.
pub(crate) fn file_request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_has_no_period_of_a_slice() {
        let content = Content::new();
        let start = content.block[..1000].to_vec();
        assert!(content.matches(0, &start) && content.matches(3 * BLOCK as u64, &start));
        assert!((1..100).all(|slice| !content.matches(slice * 64 * 1024, &start)));
        assert!(!content.matches(1, &start));
        assert!(content.matches(BLOCK as u64 - 1, &[&content.block[BLOCK - 1..], &content.block[..], &start].concat()));
    }
}
