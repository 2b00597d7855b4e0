//! The client for C# in `clients/csharp`, run by Mono, against the program and the test vectors.
//!
//! Everything happens on loopback.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use common::JsonServer;
use halloo_test_support::{
    ChildProcess, TempDir, csharp_program, python, unused_discovery_port, unused_tcp_address, wait_until,
};

const TOKEN: &str = "the-otters-meet-at-nine";

fn client(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/csharp").join(file);
    std::fs::read_to_string(path).unwrap()
}

/// Returns a command that runs `Tests~/LinkProgram.cs`, which is compiled once for all tests.
fn link_command(discovery_port: u16, settings: &[&str]) -> Option<Command> {
    static PROGRAM: OnceLock<Option<(TempDir, std::ffi::OsString)>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
        let command = csharp_program("LinkProgram.cs", &[], &directory.path().join("link.exe"))?;
        Some((directory, command.get_program().to_owned()))
    });
    let (directory, mono) = program.as_ref()?;
    let mut command = Command::new(mono);
    command.arg(directory.path().join("link.exe")).arg(format!("port={discovery_port}")).args(settings);
    Some(command)
}

fn start_link(discovery_port: u16, settings: &[&str]) -> Option<ChildProcess> {
    Some(ChildProcess::start(&mut link_command(discovery_port, settings)?))
}

fn den(discovery_port: u16, arguments: &[&str]) -> JsonServer {
    JsonServer::start_announced(discovery_port, &[&["--name", "den"], arguments].concat())
}

fn text<'a>(server: &'a JsonServer, key: &str) -> &'a str {
    server.ready[key].as_str().unwrap()
}

#[test]
fn csharp_client_does_what_the_vectors_expect() {
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let Some(mut command) = csharp_program("VectorTests.cs", &[], &directory.path().join("vectors.exe")) else {
        return;
    };
    let output = command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors")).output().unwrap();
    let report = common::stdout(&output);
    assert!(output.status.success() && report.lines().count() == 16, "{report}{}", common::stderr(&output));
}

#[test]
fn damaged_certificates_are_read_without_an_exception() {
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let program = directory.path().join("certificates.exe");
    let Some(mut command) = csharp_program("CertificateTests.cs", &[], &program) else { return };
    let certificate = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/certificates/expired.pem");
    let output = command.arg(certificate).output().unwrap();
    let report = common::stdout(&output);
    let is_whole = report.starts_with("whole: `") && report.ends_with("many elements: 1\n");
    assert!(output.status.success() && is_whole, "{report}{}", common::stderr(&output));
}

#[test]
fn sample_in_the_readme_is_polled_by_unity() {
    let sample = client("Samples~/Hello/Hello.cs");
    assert!(sample.lines().count() <= 15 && client("README.md").contains(&sample));
    let (port, directory) = (unused_discovery_port(), TempDir::new(env!("CARGO_TARGET_TMPDIR")));
    let options = ["-define:UNITY_5_3_OR_NEWER", "Samples~/Hello/Hello.cs"];
    let Some(mut command) = csharp_program("UnityStub.cs", &options, &directory.path().join("unity.exe")) else {
        return;
    };
    let mut server = JsonServer::start_announced(port, &["--name", "Living Room"]);
    let mut sample = ChildProcess::start(command.arg(port.to_string()));
    assert_eq!(server.process.next_of("message")["text"], "hello");
    server.process.write_line(r#"{"cmd":"send_to_all","text":"välkommen"}"#);
    assert_eq!(sample.next_line(), "välkommen");
    sample.close_stdin();
    assert_eq!(sample.next_line(), "ended");
    server.process.next_of("client_left");
}

#[test]
fn discover_finds_servers_with_and_without_clients() {
    let port = unused_discovery_port();
    let attic = JsonServer::start_announced(port, &["--name", "attic"]);
    let mut server = den(port, &["--meta", "map=desert", "--app", "Tanks"]);
    let Some(_link) = start_link(port, &["target=den"]) else { return };
    server.process.next_of("client_joined");
    let (attic, den) = (format!("attic {} 0", attic.url()), format!("den {} 1 Tanks map=desert", server.url()));
    // A search may take longer on a loaded machine.
    wait_until(|| start_link(port, &["discover="]).unwrap().remaining_lines() == [attic.as_str(), &den]);
    wait_until(|| start_link(port, &["discover=", "app=tanks"]).unwrap().remaining_lines() == [den.as_str()]);
}

#[test]
fn messages_go_both_ways_and_the_link_closes_cleanly() {
    let port = unused_discovery_port();
    let mut server = den(port, &[]);
    let Some(mut link) = start_link(port, &[]) else { return };
    assert_eq!(link.next_line_after("open "), server.url());
    for text in ["hëllo".to_owned(), "x".repeat(1_000_000)] {
        link.write_line(&text);
        assert_eq!(link.next_line(), "send Sent");
        assert_eq!(server.process.next_of("message")["text"], *text);
        server.process.write_line(&format!(r#"{{"cmd":"send_to_all","text":"{text}"}}"#));
        assert_eq!(link.next_line(), format!("text {text}"));
    }
    link.write_line("bytes");
    assert_eq!(server.process.next_of("message")["binary"], "AP8=");
    server.process.write_line(r#"{"cmd":"send_to_all","binary":"AP8="}"#);
    assert_eq!(link.next_line_after("binary "), "2");
    link.close_stdin();
    assert_eq!(link.remaining_lines(), ["close 1000 ", "end Closed Closed 0"]);
    assert_eq!(server.process.next_of("client_left")["code"], 1000);
}

#[test]
fn application_that_does_not_poll_loses_nothing() {
    let port = unused_discovery_port();
    let mut server = den(port, &[]);
    let Some(mut link) = start_link(port, &["asleep=", "queue=10"]) else { return };
    server.process.next_of("client_joined");
    let text = "x".repeat(10_000);
    for number in 0..500 {
        server.process.write_line(&format!(r#"{{"cmd":"send_to_all","text":"{number} {text}"}}"#));
    }
    link.write_line("awake");
    for number in 0..500 {
        assert_eq!(link.next_line_after("text "), format!("{number} {text}"));
    }
}

#[test]
fn a_token_is_proven_and_never_sent() {
    let port = unused_discovery_port();
    let mut server = den(port, &["--token", TOKEN, "--token-proof-only"]);
    let invitation = format!("target={}", text(&server, "invitation"));
    let token = format!("token={TOKEN}");
    let address = format!("target={}", server.url());
    for settings in [&[invitation.as_str()][..], &["target=den", &token], &[&address, &token]] {
        let Some(mut link) = start_link(port, settings) else { return };
        link.write_line("let in");
        assert_eq!(server.process.next_of("message")["text"], "let in");
    }
    for target in ["target=den", &address] {
        let mut link = start_link(port, &[target, "token=a-wrong-token-of-mine"]).unwrap();
        assert!(link.next_line_after("gave up ").starts_with("Refused 401 0: "));
        let problem = start_link(port, &[target]).unwrap().next_line_after("gave up Refused 401 0: ");
        assert!(problem.ends_with("set Token to that of the invitation link"), "{problem}");
    }
}

#[test]
fn server_that_does_not_know_the_token_gets_nothing() {
    let port = unused_discovery_port();
    let mut server = den(port, &[]);
    let (address, token) = (format!("target={}", server.url()), format!("token={TOKEN}"));
    let Some(mut link) = start_link(port, &[&address, &token]) else { return };
    link.write_line("secret");
    assert!(link.next_line_after("gave up WrongServer 0 0: ").contains("did not ask for a token"));
    let mut link = start_link(port, &["target=den", &token]).unwrap();
    link.write_line("secret");
    assert!(link.next_line_after("retry WrongServer: ").contains("did not ask for a token"));
    server.process.write_line(r#"{"cmd":"stop"}"#);
    assert!(server.process.remaining_events().iter().all(|event| event["event"] != "message"));
}

#[test]
fn tls_with_a_pinned_certificate() {
    let port = unused_discovery_port();
    let mut server = den(port, &["--tls", "--token", TOKEN]);
    let (invitation, fingerprint) = (text(&server, "invitation").to_owned(), text(&server, "fingerprint").to_owned());
    let (token, pinned) = (format!("token={TOKEN}"), format!("fingerprint={fingerprint}"));
    let (target, long) = (format!("target={invitation}"), "x".repeat(300_000));
    for settings in [&[target.as_str()][..], &["target=den", &token, &pinned]] {
        let Some(mut link) = start_link(port, settings) else { return };
        assert!(link.next_line_after("open ").starts_with("wss://"));
        link.write_line(&long);
        assert_eq!(server.process.next_of("message")["text"], long);
    }
    let address = format!("target=wss://127.0.0.1:{}", server.port);
    let other = format!("fingerprint={}", "ab".repeat(32));
    let problem = start_link(port, &[&address, &token, &other]).unwrap().next_line_after("gave up WrongServer 0 0: ");
    assert!(problem.contains(&fingerprint) && problem.contains(&"ab".repeat(32)), "{problem}");
    let problem = start_link(port, &[&address, &token]).unwrap().next_line_after("gave up WrongServer 0 0: ");
    assert!(problem.contains("it is for `") && problem.contains("`127.0.0.1`"), "{problem}");
    // The advice works.
    let advice = problem.split("set Fingerprint to \"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(advice, fingerprint);
    start_link(port, &[&address, &token, &format!("fingerprint={advice}")]).unwrap().next_line_after("open ");
    let fragment = problem.split("append ").nth(1).unwrap().split(' ').next().unwrap();
    start_link(port, &[&format!("{address}{fragment}"), &token]).unwrap().next_line_after("open ");
}

#[test]
fn server_that_moved_is_found_again_and_gets_what_was_queued() {
    let (port, address) = (unused_discovery_port(), unused_tcp_address().port().to_string());
    let mut server = den(port, &["--port", &address]);
    let Some(mut link) = start_link(port, &["target=den"]) else { return };
    assert_eq!(link.next_line_after("open "), format!("ws://127.0.0.1:{address}"));
    server.process.kill();
    link.next_line_after("close 1006 ");
    for text in ["one", "two"] {
        link.write_line(text);
        link.next_line_after("send Queued");
    }
    let mut attic = JsonServer::start_announced(port, &["--name", "attic", "--port", &address]);
    let mut moved = den(port, &[]);
    assert_eq!(moved.process.next_of("message")["text"], "one");
    assert_eq!(moved.process.next_of("message")["text"], "two");
    assert_eq!(link.next_line_after("open "), moved.url());
    attic.process.write_line(r#"{"cmd":"status"}"#);
    assert_eq!(attic.process.next_of("status")["halloo"]["clients_total"], 0);
}

#[test]
fn server_that_restarted_where_broadcasts_do_not_get_is_found_at_its_last_address() {
    let (port, address) = (unused_discovery_port(), unused_tcp_address().port().to_string());
    let mut server = den(port, &["--port", &address]);
    let Some(mut link) = start_link(port, &["target=den"]) else { return };
    link.next_line_after("open ");
    server.process.kill();
    link.next_line_after("close 1006 ");
    // It replies to no probe.
    let _server = den(port, &["--port", &address, "--no-discovery"]);
    link.next_line_after("open ");
}

#[test]
fn server_that_restarts_is_reached_again() {
    let (port, address) = (unused_discovery_port(), unused_tcp_address().port().to_string());
    let target = format!("target=127.0.0.1:{address}");
    let mut server = den(port, &["--port", &address]);
    let Some(mut link) = start_link(port, &[&target]) else { return };
    for _ in 0..3 {
        link.next_line_after("open ");
        server.process.kill();
        link.next_line_after("close 1006 ");
        server = den(port, &["--port", &address]);
    }
}

#[test]
fn given_address_without_tls_ends_the_link() {
    let port = unused_discovery_port();
    let server = den(port, &[]);
    let target = format!("target={}", server.url().replace("ws:", "wss:"));
    let Some(mut link) = start_link(port, &[&target]) else { return };
    let problem = link.next_line_after("gave up ConnectFailed 0 0: ");
    assert!(problem.contains("check that the server uses TLS"), "{problem}");
}

#[test]
fn what_is_wrong_is_said() {
    let port = unused_discovery_port();
    let servers = [den(port, &[]), JsonServer::start_announced(port, &["--name", "Den"])];
    let Some(mut link) = start_link(port, &["target=attic"]) else { return };
    link.next_line_after("retry NotFound: no server named `attic` was found; there is `");
    // On a loaded machine, one server may be found too late.
    let mut problem = String::new();
    wait_until(|| {
        problem = start_link(port, &["target=den"]).unwrap().next_line();
        problem.starts_with("retry Ambiguous: ")
    });
    assert!(servers.iter().all(|server| problem.contains(&server.url())), "{problem}");
    // The advice works.
    let id = problem.split("(id ").nth(1).unwrap().split(')').next().unwrap();
    start_link(port, &[&format!("target={id}")]).unwrap().next_line_after("open ");
}

#[test]
fn servers_of_a_cluster_share_the_clients() {
    let port = unused_discovery_port();
    let node = |cluster: &str| JsonServer::start_announced(port, &["--name", "Den", "--cluster-name", cluster]);
    let mut nodes = [node("stage"), node("stage")];
    let mut links = Vec::new();
    while links.len() < 4 {
        let Some(mut link) = start_link(port, &["target=den"]) else { return };
        link.next_line_after("open ");
        links.push(link);
    }
    // On a loaded machine, one server may be found too late to be chosen, but not each time.
    for node in &mut nodes {
        assert_eq!(node.process.next_of("client_joined")["client"], 1);
    }
    nodes[0].process.kill();
    while nodes[1].process.next_of("client_joined")["client"] != 4 {}
}

#[test]
fn application_of_the_server_ends_a_link() {
    let port = unused_discovery_port();
    let mut server = den(port, &[]);
    let Some(mut link) = start_link(port, &["target=den"]) else { return };
    let client = server.process.next_of("client_joined")["client"].clone();
    server.process.write_line(&format!(r#"{{"cmd":"disconnect","client":{client},"code":4000,"reason":"enough"}}"#));
    assert_eq!(link.next_line_after("close "), "4000 enough");
    assert_eq!(link.next_line_after("gave up "), "Closed 0 4000: the connection was closed with 4000: enough");
}

#[test]
fn message_that_is_too_large_names_the_limit() {
    let port = unused_discovery_port();
    let _server = den(port, &["--max-message-bytes", "1000"]);
    let Some(mut link) = start_link(port, &["target=den"]) else { return };
    link.write_line(&"x".repeat(2000));
    assert!(link.next_line_after("gave up Closed 0 1009: ").contains("1000 bytes"));
}

#[test]
fn room_and_subprotocol() {
    let port = unused_discovery_port();
    let mut server = den(port, &["--subprotocol", "chess"]);
    let settings = ["target=den", "room=café", "subprotocol=go", "subprotocol=chess"];
    let Some(mut link) = start_link(port, &settings) else { return };
    assert_eq!(server.process.next_of("client_joined")["rooms"][0], "café");
    assert!(link.next_line_after("open ").ends_with(" chess"));
    server.process.write_line(r#"{"cmd":"send_to_room","room":"café","text":"hi"}"#);
    assert_eq!(link.next_line_after("text "), "hi");
}

#[test]
fn plain_websocket_server_is_reached_by_its_address() {
    let Some(mut command) = python("server.py") else { return };
    let mut server = ChildProcess::start(&mut command);
    let target = format!("target={}", server.next_line());
    let Some(mut link) = start_link(unused_discovery_port(), &[&target]) else { return };
    link.write_line("echo");
    assert_eq!(link.next_line_after("text "), "echo");
}

#[test]
fn links_leave_nothing_behind() {
    let server = den(unused_discovery_port(), &[]);
    let target = format!("target={}", server.url());
    let Some(mut link) = start_link(0, &[&target, "times=1000"]) else { return };
    assert_eq!(link.remaining_lines(), ["nothing is left"]);
}
