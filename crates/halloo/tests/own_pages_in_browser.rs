//! The pages of an application in Chromium.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use halloo::{Config, Event, Files, Hub, Server};
use halloo_test_support::{ChildProcess, TempDir, browser, loopback};
use serde_json::{Value, json};

/// The connections on which a browser requested files, and those on which it opened a WebSocket. One on which it sent
/// nothing, which it opened in advance, is neither.
#[derive(Default)]
struct Connections {
    files: AtomicUsize,
    websockets: AtomicUsize,
}

impl Connections {
    /// Counts a connection by the first bytes that the browser sent.
    fn count(&self, request: &[u8]) {
        let is_upgrade = String::from_utf8_lossy(request).contains("\r\nUpgrade: websocket\r\n");
        let count = if is_upgrade { &self.websockets } else { &self.files };
        count.fetch_add(usize::from(!request.is_empty()), Ordering::Relaxed);
    }
}

/// Forwards every connection to `server`, and counts them. Returns its port.
fn counting_proxy(server: SocketAddr, connections: Arc<Connections>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let copy = |mut from: TcpStream, mut to: TcpStream, counts: Option<Arc<Connections>>| {
        std::thread::spawn(move || {
            if let Some(counts) = counts {
                let mut request = vec![0; 16 * 1024];
                let length = from.read(&mut request).unwrap_or(0);
                counts.count(&request[..length]);
                let _ = to.write_all(&request[..length]);
            }
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    };
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else { return };
            copy(client.try_clone().unwrap(), server.try_clone().unwrap(), Some(Arc::clone(&connections)));
            copy(server, client, None);
        }
    });
    port
}

/// Writes a page with twenty scripts, nineteen pictures and a style sheet.
fn write_page(directory: &TempDir) {
    let write = |name: &str, content: &[u8]| fs::write(directory.path().join(name), content).unwrap();
    let mut page = String::from("<!doctype html><title>Tanks</title><link rel=stylesheet href=style.css>");
    for index in 1..=20 {
        page += &format!("<script type=module src=part{index}.js></script>");
        write(&format!("part{index}.js"), b"window.imported = (window.imported ?? 0) + 1;");
    }
    for index in 1..=19 {
        page += &format!("<img src=picture{index}.svg>");
        write(&format!("picture{index}.svg"), b"<svg xmlns='http://www.w3.org/2000/svg' width='7' height='7'/>");
    }
    write("index.html", page.as_bytes());
    write("style.css", b"img { border: 0 }");
    write("video.webm", &(0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    write("empty.wasm", b"\0asm\x01\0\0\0");
    write("big.txt", b"plain");
    // "compressed", in one stored block.
    let mut encoded = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1, 10, 0, 245, 255];
    encoded.extend(b"compressed");
    encoded.extend(crc32(b"compressed").to_le_bytes());
    encoded.extend(10_u32.to_le_bytes());
    write("big.txt.gz", &encoded);
}

/// Returns the checksum of gzip (RFC 1952 section 8).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

#[test]
fn browser_loads_forty_files_over_few_connections_and_opens_websockets() {
    let Some(mut program) = browser("own_pages_in_browser.mjs") else { return };
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    write_page(&directory);
    let files = Files::directory(directory.path()).unwrap();
    let files = files.header("Cross-Origin-Opener-Policy", "same-origin").unwrap();
    let files = files.header("Cross-Origin-Embedder-Policy", "require-corp").unwrap();
    let echo = |event: Event<'_>, hub: &mut Hub<'_>| {
        if let Event::MessageReceived { client, message } = event {
            let _ = hub.send(client, message);
        }
    };
    let server = Server::start_with(Config::local().www(files), echo).unwrap();
    let connections = Arc::new(Connections::default());
    let port = counting_proxy(loopback(&server), Arc::clone(&connections));
    let mut page = ChildProcess::start(program.arg(port.to_string()));
    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    let expected = json!({
        "images": 19, "part": [206, "bytes 100-199/100000", 100, 100], "wasm": true, "encoded": "compressed",
        "isolated": true, "echoes": ["/", "/room/1"], "client": true, "cached": true,
    });
    assert_eq!(report, expected);
    // Six, as many as Chromium opens to one host: a page of forty files needs no other.
    let files = connections.files.load(Ordering::Relaxed);
    assert!((1..=6).contains(&files), "{files} connections for files");
    assert_eq!(connections.websockets.load(Ordering::Relaxed), 2);
}
