//! `halloo serve --www`.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::fs;
use std::process::{Command, Stdio};

use common::{JsonServer, LOCAL_SERVER, halloo, stderr};
use halloo_test_support::{TempDir, http_get};

fn directory() -> TempDir {
    TempDir::new(env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn files_are_served_with_the_given_headers_and_curl_reads_them() {
    let directory = directory();
    fs::write(directory.path().join("index.html"), "<title>Tanks</title>").unwrap();
    fs::write(directory.path().join("a.bin"), vec![7; 300_000]).unwrap();
    let path = directory.path().to_str().unwrap();
    let server = JsonServer::start_local(&["--www", path, "--www-header", "X-A: b", "--www-header", "X-C:  d e "]);
    let url = server.url();
    let address = url.trim_start_matches("ws://");
    let response = http_get(address, "/", "Connection: close\r\n");
    assert!(
        response.contains("\r\nX-A: b\r\nX-C: d e\r\n") && response.ends_with("<title>Tanks</title>"),
        "{response}"
    );
    let url = format!("http://{address}/a.bin");
    let curl = Command::new("curl").args(["--silent", "--show-error", "--fail", "--range", "1-9", &url, &url]).output();
    let Ok(curl) = curl else { return eprintln!("SKIPPED: curl is not installed") };
    assert_eq!((curl.status.code(), curl.stdout), (Some(0), vec![7; 18]), "{}", String::from_utf8_lossy(&curl.stderr));
}

#[test]
fn start_says_who_can_read_the_files_and_which_are_not_served() {
    let directory = directory();
    fs::write(directory.path().join("status"), "").unwrap();
    let mut command = halloo(&LOCAL_SERVER);
    command.args(["--exit-with-stdin", "--token", "sixteen-characters", "--pad", "--www"]).arg(directory.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let log = stderr(&output);
    assert!(log.contains("Everyone who reaches the server can read the files in") && log.contains("without the token"));
    assert!(
        log.contains("`status` in") && log.contains("is not served, because /status is a page of the server"),
        "{log}"
    );
    assert!(log.contains("there is no index.html in") && log.contains("own page is at /_halloo/"), "{log}");
    assert!(log.contains("warning: the pad is at /_halloo/pad, because "), "{log}");
}
