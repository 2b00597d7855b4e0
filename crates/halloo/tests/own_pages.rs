//! Files that the application publishes, over real sockets.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use halloo::{Config, Delivery, Event, Files, Server, Stopped};
use halloo_test_support::{
    TempDir, UPGRADE_REQUEST, connect_tcp, exchange, http_get, loopback, open_websocket, read_head,
};

fn directory() -> TempDir {
    TempDir::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Starts a server with the files of `directory`.
fn serve(directory: &TempDir) -> Server {
    Server::start(Config::local().www(Files::directory(directory.path()).unwrap())).unwrap()
}

/// Sends a request on a connection that may stay open.
fn request(stream: &mut TcpStream, line: &str, headers: &str) {
    stream.write_all(format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes()).unwrap();
}

/// Reads a response with `Content-Length`. Returns its head and its body.
fn response(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let head = read_head(stream);
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index / 251 + index) as u8).collect()
}

#[test]
fn pages_of_a_directory_are_served_beside_the_websocket_and_the_own_page() {
    let directory = directory();
    fs::create_dir(directory.path().join("img")).unwrap();
    fs::write(directory.path().join("index.html"), "<title>Tanks</title>").unwrap();
    fs::write(directory.path().join("img/index.html"), "images").unwrap();
    fs::write(directory.path().join("img/cat.svg"), "<svg/>").unwrap();
    fs::write(directory.path().join("status"), "shadowed").unwrap();
    let server = serve(&directory);
    let get = |path: &str| http_get(loopback(&server), path, "Connection: close\r\n");
    assert!(get("/").ends_with("\r\n\r\n<title>Tanks</title>"));
    assert!(get("/img/").ends_with("images"));
    assert!(get("/img/cat.svg?v=2").contains("Content-Type: image/svg+xml\r\n"));
    let redirect = get("/img");
    assert!(redirect.starts_with("HTTP/1.1 301") && redirect.contains("\r\nLocation: ./img/\r\n"), "{redirect}");
    assert!(get("/_halloo/").contains("<title>halloo</title>"));
    assert!(get("/_halloo/client.js").starts_with("HTTP/1.1 200"));
    assert!(get("/status").contains("server_running"));
    for missing in ["/nothing", "/img/nothing/", "/%2e%2e/Cargo.toml", "/index.html/", "/_halloo/nothing"] {
        assert!(get(missing).starts_with("HTTP/1.1 404"), "{missing}");
    }
    open_websocket(loopback(&server));
    assert!(matches!(server.events().next(), Some(Event::ClientJoined { .. })));
}

#[test]
fn files_in_memory_are_served_in_the_same_way() {
    let large = bytes(1_000_000);
    let files = [("index.html", b"home".to_vec()), ("a/b.bin", large.clone()), ("a/b.bin.gz", b"packed".to_vec())];
    let files = Files::memory(files).unwrap().header("Cross-Origin-Opener-Policy", "same-origin").unwrap();
    let server = Server::start(Config::local().www(files)).unwrap();
    let mut stream = connect_tcp(loopback(&server));
    request(&mut stream, "GET /a/b.bin", "");
    let (head, body) = response(&mut stream);
    assert!(body == large && head.contains("\r\nCross-Origin-Opener-Policy: same-origin\r\n"), "{head}");
    request(&mut stream, "GET /a/b.bin", "Range: bytes=70000-270000\r\n");
    let (head, body) = response(&mut stream);
    assert!(head.starts_with("HTTP/1.1 206") && body == large[70_000..=270_000], "{head}");
    request(&mut stream, "GET /a/b.bin", "Accept-Encoding: gzip\r\n");
    let (head, body) = response(&mut stream);
    assert!(head.contains("\r\nContent-Encoding: gzip\r\n") && body == b"packed", "{head}");
    request(&mut stream, "GET /a", "");
    assert!(response(&mut stream).0.starts_with("HTTP/1.1 301"));
    request(&mut stream, "GET /", "");
    assert_eq!(response(&mut stream).1, b"home");
}

#[test]
fn requests_that_arrive_together_are_answered_in_order() {
    let directory = directory();
    for index in 0..40 {
        fs::write(directory.path().join(format!("{index}.txt")), index.to_string()).unwrap();
    }
    let server = serve(&directory);
    let mut stream = connect_tcp(loopback(&server));
    let mut requests: String =
        (0..40).map(|index| format!("GET /{index}.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    requests += "HEAD /0.txt HTTP/1.1\r\nHost: localhost\r\n\r\nGET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";
    requests += "GET /no HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /1.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(requests.as_bytes()).unwrap();
    for index in 0..40 {
        assert_eq!(response(&mut stream).1, index.to_string().as_bytes());
    }
    assert!(read_head(&mut stream).contains("Content-Length: 1\r\n"), "HEAD has no body");
    assert!(String::from_utf8(response(&mut stream).1).unwrap().contains("server_running"));
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 404") && rest.contains("Connection: close"), "{rest}");
    assert_eq!(rest.matches("HTTP/1.1 ").count(), 1, "nothing is answered after `Connection: close`");
}

#[test]
fn request_in_pieces_and_a_websocket_follow_on_a_kept_connection() {
    let directory = directory();
    fs::write(directory.path().join("index.html"), "home").unwrap();
    let server = serve(&directory);
    let mut stream = connect_tcp(loopback(&server));
    for part in ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET ", "/index.html HTTP/1.1\r\nHo", "st: localhost\r\n\r\n"]
    {
        stream.write_all(part.as_bytes()).unwrap();
        stream.flush().unwrap();
        if part.ends_with("GET ") {
            assert_eq!(response(&mut stream).1, b"home");
        }
    }
    assert_eq!(response(&mut stream).1, b"home");
    assert_eq!(server.status().connected_clients, 0);
    stream.write_all(UPGRADE_REQUEST.as_bytes()).unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 101 "));
    assert!(matches!(server.events().next(), Some(Event::ClientJoined { .. })));
}

#[test]
fn large_file_is_sent_as_the_peer_reads_it() {
    let directory = directory();
    let content = bytes(20_000_000);
    fs::write(directory.path().join("large.bin"), &content).unwrap();
    let server = serve(&directory);
    let mut stream = connect_tcp(loopback(&server));
    request(&mut stream, "GET /large.bin", "Connection: close\r\n");
    let head = read_head(&mut stream);
    assert!(head.contains("Content-Length: 20000000\r\n"), "{head}");
    // The server has filled the buffers of the socket by then, and waits; other requests are answered.
    assert!(http_get(loopback(&server), "/nothing", "Connection: close\r\n").starts_with("HTTP/1.1 404"));
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert!(received == content);
    let range = exchange(
        loopback(&server),
        "GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nRange: bytes=-5\r\n\r\n".as_bytes(),
    );
    assert!(range.starts_with("HTTP/1.1 206") && range.contains("Content-Range: bytes 19999995-19999999/20000000\r\n"));
}

#[test]
fn peer_that_stops_reading_is_dropped_and_one_that_reads_slowly_is_not() {
    const WRITE_TIMEOUT: Duration = Duration::from_millis(500);
    const LENGTH: u64 = 50_000_000;

    let directory = directory();
    fs::File::create(directory.path().join("large.bin")).unwrap().set_len(LENGTH).unwrap();
    let config = Config::local().write_timeout(WRITE_TIMEOUT);
    let server = Server::start(config.www(Files::directory(directory.path()).unwrap())).unwrap();
    let mut stalled = connect_tcp(loopback(&server));
    let mut reading = connect_tcp(loopback(&server));
    for stream in [&mut stalled, &mut reading] {
        request(stream, "GET /large.bin", "");
        read_head(stream);
    }
    // One reads a little all the time, for several times as long as the other may read nothing.
    let (start, mut total) = (Instant::now(), 0);
    let mut buffer = vec![0; 100_000];
    while start.elapsed() < WRITE_TIMEOUT * 4 {
        reading.read_exact(&mut buffer).unwrap();
        total += buffer.len() as u64;
        std::thread::sleep(WRITE_TIMEOUT / 50);
    }
    total += std::io::copy(&mut reading.take(LENGTH - total), &mut std::io::sink()).unwrap();
    assert_eq!(total, LENGTH);
    let received = std::io::copy(&mut stalled, &mut std::io::sink()).unwrap_or_default();
    assert!(received < LENGTH, "{received}");
}

#[test]
fn changed_file_has_another_version() {
    let directory = directory();
    let path = directory.path().join("a.js");
    fs::write(&path, "one").unwrap();
    let server = serve(&directory);
    let mut stream = connect_tcp(loopback(&server));
    request(&mut stream, "GET /a.js", "");
    let (head, _) = response(&mut stream);
    let tag = head.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap().to_owned();
    let condition = format!("If-None-Match: {tag}\r\n");
    request(&mut stream, "GET /a.js", &condition);
    assert!(response(&mut stream).0.starts_with("HTTP/1.1 304"));
    fs::write(&path, "another").unwrap();
    request(&mut stream, "GET /a.js", &condition);
    assert_eq!(response(&mut stream).1, b"another");
    fs::write(directory.path().join("a.js.br"), "packed").unwrap();
    request(&mut stream, "GET /a.js", &format!("{condition}Accept-Encoding: br, gzip\r\n"));
    let (head, body) = response(&mut stream);
    assert!(head.contains("\r\nContent-Encoding: br\r\n") && body == b"packed", "{head}");
    assert!(head.contains("\r\nContent-Type: text/javascript; charset=utf-8\r\n"), "{head}");
}

#[test]
fn idle_connections_make_room_for_peers_that_connect() {
    let directory = directory();
    fs::write(directory.path().join("index.html"), "home").unwrap();
    let mut config = Config::local().www(Files::directory(directory.path()).unwrap());
    config.handshakes.max_pending = 4;
    let server = Server::start(config).unwrap();
    let mut idle: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = connect_tcp(loopback(&server));
            request(&mut stream, "GET /", "");
            assert_eq!(response(&mut stream).1, b"home");
            stream
        })
        .collect();
    // Older than none of the idle ones, yet it stays.
    let mut slow = connect_tcp(loopback(&server));
    slow.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let refused = server.status().extras.refused;
    for _ in 0..3 {
        let mut stream = connect_tcp(loopback(&server));
        request(&mut stream, "GET /", "Connection: close\r\n");
        assert_eq!(response(&mut stream).1, b"home");
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    slow.write_all(b"Host: localhost\r\n\r\n").unwrap();
    assert_eq!(response(&mut slow).1, b"home", "a request that was arriving was not dropped");
    assert_eq!(server.status().extras.refused, refused, "an idle connection that is closed is not refused");
    let closed = idle.iter_mut().filter_map(|stream| {
        stream.set_nonblocking(true).unwrap();
        stream.read(&mut [0]).ok()
    });
    assert!(closed.count() >= 1);
}

#[test]
#[cfg(unix)]
fn directory_is_never_listed_however_many_files_it_has() {
    let directory = directory();
    fs::write(directory.path().join("index.html"), "home").unwrap();
    for index in 0..10_000 {
        fs::File::create(directory.path().join(format!("{index}.txt"))).unwrap();
    }
    // Listing sets the time of the last access, if it is older than that of the last change.
    let accessed = || fs::metadata(directory.path()).unwrap().accessed().unwrap();
    let before = accessed();
    let server = serve(&directory);
    let get = |path: &str| http_get(loopback(&server), path, "Connection: close\r\n");
    assert!(get("/").ends_with("home"));
    assert!(get("/nothing").starts_with("HTTP/1.1 404"));
    assert_eq!(accessed(), before);
    assert!(fs::read_dir(directory.path()).unwrap().count() > 10_000);
    if accessed() == before {
        eprintln!("SKIPPED: the file system does not keep the time of the last access");
    }
}

#[test]
fn files_are_replaced_while_the_server_runs_and_a_download_is_completed() {
    let directory = directory();
    let large = bytes(8_000_000);
    fs::write(directory.path().join("index.html"), "on disk").unwrap();
    fs::write(directory.path().join("large.bin"), &large).unwrap();
    let server = Server::start(Config::local()).unwrap();
    let get = |path: &str| http_get(loopback(&server), path, "Connection: close\r\n");
    let client = open_websocket(loopback(&server));
    assert!(get("/").contains("<title>halloo</title>"));
    assert_eq!(server.set_www(Files::memory([("index.html", "in memory")]).unwrap()), Ok(Delivery::Queued));
    assert!(get("/").ends_with("in memory"));
    server.set_www(Files::directory(directory.path()).unwrap()).unwrap();
    assert!(get("/").ends_with("on disk"));

    let mut stream = connect_tcp(loopback(&server));
    request(&mut stream, "GET /large.bin", "");
    let head = read_head(&mut stream);
    assert_eq!(server.set_www(None), Ok(Delivery::Queued));
    assert!(get("/large.bin").starts_with("HTTP/1.1 404"));
    assert!(get("/").contains("<title>halloo</title>"));
    let mut body = vec![0; large.len()];
    stream.read_exact(&mut body).unwrap();
    assert!(head.contains("Content-Length: 8000000") && body == large, "{head}");

    assert_eq!(server.status().connected_clients, 1, "no client was disconnected");
    drop(client);
    server.stop();
    for _ in server.events() {}
    assert_eq!(server.set_www(None), Err(Stopped));
}
