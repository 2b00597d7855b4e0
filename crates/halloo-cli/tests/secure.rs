//! TLS from the command line: a certificate of one's own, a link with everything, and what is said when something lacks.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A home directory, which is gone with the test.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Home {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("home-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Home(path)
    }

    fn halloo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halloo"));
        command.args(arguments).env("HOME", &self.0).env_remove("XDG_DATA_HOME").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.halloo(arguments).output().unwrap()
    }

    /// A server, what it said first, and the rest of what it says.
    fn serve(&self, arguments: &[&str]) -> (Child, Value, impl Iterator<Item = Value> + use<>) {
        let common = ["serve", "--json", "--bind", "127.0.0.1", "--port", "0", "--no-discovery"];
        let mut child = self.halloo(&[&common, arguments].concat()).stdin(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut events = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        let ready = events.next().unwrap_or_default();
        (child, ready, events)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn stop(mut child: Child) {
    writeln!(child.stdin.as_mut().unwrap(), r#"{{"cmd":"stop"}}"#).unwrap();
    assert!(child.wait().unwrap().success());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_link_is_all_that_a_client_needs() {
    let home = Home::new("link");
    let (server, ready, mut events) = home.serve(&["--tls", "--token"]);
    let (link, fingerprint) = (ready["invitation"].as_str().unwrap(), ready["fingerprint"].as_str().unwrap());
    assert!(ready["urls"][0].as_str().unwrap().starts_with("wss://127.0.0.1:"), "{ready}");
    assert!(link.starts_with("https://127.0.0.1:") && link.contains("#token=") && link.contains("&fp="), "{link}");
    let mut client = home.halloo(&["connect", "--once", link]).stdin(Stdio::piped()).spawn().unwrap();
    writeln!(client.stdin.take().unwrap(), "hello").unwrap();
    assert!(client.wait().unwrap().success());
    let message = events.find(|event| event["event"] == "message").unwrap();
    assert_eq!(message["text"], "hello");
    let status = home.run(&["status", link]);
    assert!(text(&status.stdout).contains("\"clients_total\": 1"), "{status:?}");
    let url = ready["urls"][0].as_str().unwrap();
    for command in ["status", "connect"] {
        let refused = home.run(&[command, url]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains(&format!("--fingerprint {fingerprint}")), "{refused:?}");
    }
    stop(server);
    let (again, ready, _events) = home.serve(&["--tls"]);
    assert_eq!(ready["fingerprint"], fingerprint, "a restart does not take the clients their pin");
    stop(again);
}

#[test]
fn a_certificate_may_be_given() {
    let home = Home::new("given");
    let (server, ..) = home.serve(&["--tls"]);
    stop(server);
    let find = |directory: &Path| {
        Command::new("find").args([directory.as_os_str(), "-name".as_ref(), "halloo.pem".as_ref()]).output()
    };
    let pem = text(&find(&home.0).unwrap().stdout).trim().to_owned();
    let (server, ready, _events) = home.serve(&["--cert", &pem, "--key", &pem]);
    assert!(ready["urls"][0].as_str().unwrap().starts_with("wss://"));
    assert_eq!(ready.get("fingerprint"), None, "there may be somebody who vouches for it");
    stop(server);
    let alone = home.run(&["--cert", &pem]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(text(&alone.stderr).contains("--key"), "{alone:?}");
    let missing = home.run(&["--port", "0", "--cert", "nowhere.pem", "--key", &pem]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("cannot read nowhere.pem"), "{missing:?}");
    let odd = home.run(&["connect", "--fingerprint", "abc", "wss://127.0.0.1:1"]);
    assert_eq!(odd.status.code(), Some(2));
    assert!(text(&odd.stderr).contains("64 hexadecimal digits"), "{odd:?}");
}
