//! Requests for files outside of the published directory, over real sockets.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use halloo::{Config, Files, Server};
use halloo_test_support::{TempDir, connect_tcp, loopback, read_head};

/// A connection that is opened again when the server closes it.
struct Browser {
    server: SocketAddr,
    stream: Option<TcpStream>,
}

impl Browser {
    fn new(server: &Server) -> Browser {
        Browser { server: loopback(server), stream: None }
    }

    /// Requests `path` and returns the status and the body.
    fn get(&mut self, path: &str) -> (u16, String) {
        let mut stream = self.stream.take().unwrap_or_else(|| connect_tcp(self.server));
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut stream);
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let mut body = vec![0; header("Content-Length: ").parse().unwrap_or(0)];
        stream.read_exact(&mut body).unwrap();
        let status = head[9..12].parse().unwrap();
        self.stream = (header("Connection: ") != "close").then_some(stream);
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

/// Creates `www` with files, links, a FIFO and a socket in `base`, and a file beside it.
fn write_files(base: &Path) -> UnixListener {
    let www = base.join("www");
    fs::create_dir_all(www.join("sub")).unwrap();
    fs::create_dir(www.join(".git")).unwrap();
    for (name, content) in [
        ("secret.txt", "secret"),
        ("www/.git/config", "secret"),
        ("www/.env", "secret"),
        ("www/index.html", "index"),
        ("www/sub/index.html", "sub"),
        ("www/sub/a.js", "a"),
    ] {
        fs::write(base.join(name), content).unwrap();
    }
    let link = |to: &str, name: &str| symlink(to, www.join(name)).unwrap();
    link("../secret.txt", "outside.txt");
    link("..", "up");
    link(base.to_str().unwrap(), "absolute");
    link("/dev/zero", "zero");
    link("/proc/self", "process");
    // In the place of a compressed file.
    link("../../secret.txt", "sub/a.js.br");
    assert!(Command::new("mkfifo").args([www.join("fifo"), www.join("sub/a.js.gz")]).status().unwrap().success());
    UnixListener::bind(www.join("socket")).unwrap()
}

#[test]
fn ten_thousand_paths_lead_to_no_file_outside() {
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let _socket = write_files(directory.path());
    let server = Server::start(Config::local().www(Files::directory(directory.path().join("www")).unwrap())).unwrap();
    let mut browser = Browser::new(&server);
    let parts = [
        "..",
        "%2e%2e",
        "%2E.",
        "%252e%252e",
        "%c0%ae%c0%ae",
        "..%5c",
        "sub",
        "SUB",
        ".",
        "",
        "up",
        "absolute",
        "fifo",
    ];
    let separators = ["/", "%2f", "%5C", "//", "/./"];
    let ends = [
        "secret.txt",
        "secret.txt%00.html",
        "%2fsecret.txt",
        "www/../secret.txt",
        ".git/config",
        "%2egit/config",
        ".env",
        "outside.txt",
        "zero",
        "process/environ",
        "socket",
        "index.html",
        "sub/a.js",
    ];
    let mut counts = BTreeMap::new();
    for first in parts {
        for second in parts {
            for separator in separators {
                for end in ends {
                    let path = ["/", first, separator, second, separator, end].concat();
                    let (status, body) = browser.get(&path);
                    *counts.entry(status).or_insert(0) += 1;
                    let is_inside = ["index", "sub", "a"].contains(&body.as_str());
                    assert!(status != 200 || is_inside, "{path}: {status} {body}");
                    assert!(!body.contains("secret"), "{path}: {status} {body}");
                }
            }
        }
    }
    assert!(counts.values().sum::<u32>() > 10_000, "{counts:?}");
    assert_eq!(browser.get("/sub/a.js"), (200, "a".into()), "the FIFO and the link beside it are not sent");
    for path in ["/fifo", "/socket", "/zero", "/outside.txt", "/up/secret.txt", "/absolute/secret.txt"] {
        assert_eq!(browser.get(path).0, 404, "{path}");
    }
}

#[test]
fn devices_are_not_found() {
    let server = Server::start(Config::local().www(Files::directory("/dev").unwrap())).unwrap();
    let mut browser = Browser::new(&server);
    let mut devices = 0;
    for entry in fs::read_dir("/dev").unwrap().flatten() {
        let is_file = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file());
        let name = entry.file_name().into_string().unwrap_or_default();
        if !is_file && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            devices += 1;
            let (status, _) = browser.get(&format!("/{name}"));
            assert!([301, 404].contains(&status), "{name}: {status}");
        }
    }
    assert!(devices > 3, "{devices}");
}
