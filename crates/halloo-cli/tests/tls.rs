//! TLS: a self-signed certificate, an invitation link, a certificate from files, and errors.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{JsonServer, LOCAL_SERVER, stderr, stdout};
use halloo_test_support::{ChildProcess, TempDir};

/// An empty home directory.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        Home(TempDir::new(env!("CARGO_TARGET_TMPDIR")))
    }

    fn halloo(&self, arguments: &[&str]) -> Command {
        let mut command = common::halloo(arguments);
        command.env("HOME", self.0.path()).env_remove("XDG_DATA_HOME").stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.halloo(arguments).output().unwrap()
    }

    fn serve(&self, arguments: &[&str]) -> JsonServer {
        JsonServer::start(self.halloo(&LOCAL_SERVER).args(arguments))
    }

    /// Returns the path of the stored certificate.
    fn certificate(&self) -> PathBuf {
        find(self.0.path(), "halloo.pem").expect("a stored certificate")
    }
}

/// Searches a directory and its subdirectories for a file.
fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let mut paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.find_map(|path| if path.is_dir() { find(&path, name) } else { path.ends_with(name).then_some(path) })
}

#[test]
fn invitation_is_sufficient_to_connect_and_the_url_alone_is_not() {
    let home = Home::new();
    let mut server = home.serve(&["--tls", "--token"]);
    let ready = server.ready.clone();
    let (invitation, fingerprint) = (ready["invitation"].as_str().unwrap(), ready["fingerprint"].as_str().unwrap());
    assert!(ready["urls"][0].as_str().unwrap().starts_with("wss://127.0.0.1:"), "{ready}");
    assert!(
        invitation.starts_with("https://127.0.0.1:") && invitation.contains("#token=") && invitation.contains("&fp="),
        "{invitation}"
    );
    let mut client = ChildProcess::start(&mut home.halloo(&["connect", "--once", invitation]));
    client.write_line("hello");
    assert!(client.close().success());
    assert_eq!(server.process.next_of("message")["text"], "hello");
    let status = home.run(&["status", invitation]);
    assert!(stdout(&status).contains("\"clients_total\": 1"), "{status:?}");
    let url = ready["urls"][0].as_str().unwrap();
    for command in ["status", "connect"] {
        let refused = home.run(&[command, url]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains(&format!("--fingerprint {fingerprint}")), "{refused:?}");
    }
    server.process.stop();
    let mut restarted = home.serve(&["--tls"]);
    assert_eq!(restarted.ready["fingerprint"], fingerprint, "a restart keeps the certificate that clients pin");
    restarted.process.stop();
}

#[test]
fn certificate_from_files_is_used_and_missing_files_are_errors() {
    let home = Home::new();
    home.serve(&["--tls"]).process.stop();
    let pem = home.certificate();
    let pem = pem.to_str().unwrap();
    let mut server = home.serve(&["--cert", pem, "--key", pem]);
    assert!(server.ready["urls"][0].as_str().unwrap().starts_with("wss://"));
    assert_eq!(server.ready.get("fingerprint"), None, "an authority may have signed it");
    server.process.stop();
    let without_key = home.run(&["--cert", pem]);
    assert_eq!(without_key.status.code(), Some(2));
    assert!(stderr(&without_key).contains("--key"), "{without_key:?}");
    let missing = home.run(&["--port", "0", "--cert", "nowhere.pem", "--key", pem]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("cannot read nowhere.pem"), "{missing:?}");
}

#[test]
fn both_kinds_of_clients_connect_to_one_port() {
    let home = Home::new();
    let mut server = home.serve(&["--tls=both"]);
    let ready = server.ready.clone();
    assert!(ready["urls"][0].as_str().unwrap().starts_with("ws://"), "{ready}");
    for link in ["invitation", "secure_invitation"] {
        let mut client = ChildProcess::start(&mut home.halloo(&["connect", "--once", ready[link].as_str().unwrap()]));
        client.write_line(link);
        assert!(client.close().success());
        assert_eq!(server.process.next_of("message")["text"], link);
    }
    server.process.stop();
    let mut server = home.serve(&["--tls"]);
    assert_eq!(server.ready.get("secure_invitation"), None, "the other link is secure");
    server.process.stop();
    let refused = home.run(&["--tls=sometimes"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(stderr(&refused).contains("use `--tls` for TLS only"), "{refused:?}");
}

/// A server in the background has no terminal that could hang up.
#[cfg(target_os = "linux")]
#[test]
fn sighup_without_a_terminal_reads_the_certificate_again() {
    let home = Home::new();
    home.serve(&["--tls"]).process.stop();
    let (pem, other) = (home.certificate(), Home::new());
    other.serve(&["--tls"]).process.stop();
    let mut command = Command::new("setsid");
    command
        .args(["env", "--default-signal=HUP", env!("CARGO_BIN_EXE_halloo")])
        .args(LOCAL_SERVER)
        .env("HOME", home.0.path());
    command.env_remove("XDG_DATA_HOME").args(["--cert", pem.to_str().unwrap(), "--key", pem.to_str().unwrap()]);
    let mut server = JsonServer::start(command.stdin(Stdio::piped()).stderr(Stdio::piped()));
    std::fs::copy(other.certificate(), &pem).unwrap();
    // They are handled in this order.
    common::send_signal("-HUP", server.process.id());
    common::send_signal("-TERM", server.process.id());
    let log = server.process.read_stderr();
    assert!(log.contains("new connections use the certificate that is now in"), "{log}");
}

/// The clock of this machine may be wrong, so that it is no error.
#[test]
fn certificate_that_is_not_valid_now_is_reported_with_the_date() {
    let home = Home::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/certificates");
    let key = home.0.path().join("authority.key");
    std::fs::copy(directory.join("authority.key"), &key).unwrap();
    set_mode(&key, 0o600);
    for (file, expected) in [
        ("expired.pem", "it expired on 2021-02-03; renew it"),
        ("future.pem", "it is not valid before 2095-02-03; correct the clock of this machine, or wait until then"),
    ] {
        let certificate = directory.join(file);
        let mut server = home.serve(&["--cert", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()]);
        server.process.write_line(r#"{"cmd":"stop"}"#);
        let log = server.process.read_stderr();
        assert!(log.contains("warning: clients will refuse the certificate in ") && log.contains(file), "{log}");
        assert!(log.contains(expected), "{log}");
    }
}

/// What `openssl req -x509` makes is the certificate of an authority, which no client of TLS accepts from a server, even if
/// it trusts that authority.
#[test]
fn certificate_of_an_authority_is_named_with_the_option_that_is_missing() {
    let home = Home::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/certificates");
    let (certificate, key) = (directory.join("authority.pem"), home.0.path().join("authority.key"));
    std::fs::copy(directory.join("authority.key"), &key).unwrap();
    set_mode(&key, 0o600);
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let mut server = home.serve(&["--cert", certificate, "--key", key]);
    let url = server.ready["urls"][0].as_str().unwrap().to_owned();
    let connect = |arguments: &[&str]| {
        let mut command = home.halloo(&["connect", "--once"]);
        command.args(arguments).arg(&url).env("SSL_CERT_FILE", certificate).env_remove("SSL_CERT_DIR");
        command.output().unwrap()
    };
    let refused = stderr(&connect(&[])).to_owned();
    assert!(refused.contains("basicConstraints=critical,CA:FALSE"), "{refused}");
    // The advice to pin it works as it is written.
    let (_, advice) = refused.split_once("use `--fingerprint ").expect("the option");
    let (fingerprint, _) = advice.split_once('`').unwrap();
    assert!(connect(&["--fingerprint", fingerprint]).status.success());
    server.process.stop();
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn key_that_others_can_read_is_mended_where_it_was_stored_and_refused_elsewhere() {
    let home = Home::new();
    home.serve(&["--tls"]).process.stop();
    let pem = home.certificate();
    set_mode(&pem, 0o644);
    let refused = home.run(&["--port", "0", "--cert", pem.to_str().unwrap(), "--key", pem.to_str().unwrap()]);
    assert!(refused.status.code() == Some(1) && stderr(&refused).contains("run `chmod 600 "), "{refused:?}");
    let mut server = home.serve(&["--tls"]);
    server.process.write_line(r#"{"cmd":"stop"}"#);
    let log = server.process.read_stderr();
    assert!(log.contains("warning: other users of this machine could read or change the private key"), "{log}");
    let mut server = home.serve(&["--tls"]);
    server.process.write_line(r#"{"cmd":"stop"}"#);
    assert!(!server.process.read_stderr().contains("warning"), "it was mended");
}

#[test]
fn malformed_fingerprint_is_a_usage_error() {
    let invalid = common::run(&["connect", "--fingerprint", "abc", "wss://127.0.0.1:1"]);
    assert_eq!(invalid.status.code(), Some(2));
    assert!(stderr(&invalid).contains("64 hexadecimal digits"), "{invalid:?}");
}
