//! Invalid options, ports and commands: the error says what is wrong, and a running server continues.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::net::TcpListener;
use std::process::Stdio;

use common::{JsonServer, halloo, run, stderr};
use halloo_test_support::ChildProcess;
use serde_json::json;

#[test]
fn invalid_usage_exits_with_2_and_names_the_valid_values() {
    for (arguments, expected) in [
        (&["--port", "65536"][..], "65535"),
        (&["--port", "http"], "--port"),
        (&["--bind", "127.0.0.1:80"], "without a port"),
        (&["--name", "   "], "not empty or blank"),
        (&["--heartbeat", "soon"], "like 500ms"),
        (&["--heartbeat", "1ms"], "500ms"),
        (&["--discovery-interval", "99ms"], "100ms"),
        (&["--max-message", "much"], "64KiB"),
        (&["--allow-origin", "example.org"], "https://example.org"),
        (&["--allow-origin", "https://exa*mple.org"], "https://*.example.org"),
        (&["--allow-origin", "http://bücher.example"], "as browsers send them"),
        (&["--allow-origin", "wss://example.org"], "as browsers send them"),
        (&["--allow-host", "example.org:80"], "without a scheme or a port"),
        (&["serve", "--nonsense"], "--help"),
        (&["--token", "short"], "16 to 256 characters"),
        (&["connect", "--token", "a token with spaces"], "A-Z, a-z, 0-9"),
        (&["9000"], "halloo --port 9000"),
        (&["serve", "9000"], "halloo --port 9000"),
        (&["srve"], "a similar subcommand exists: 'serve'"),
        (&["discvoer"], "a similar subcommand exists: 'discover'"),
        (&["help", "srve"], "a similar subcommand exists: 'serve'"),
        (&["--port", "abc"], "a whole number from 0 to 65535"),
        (&["connect", "ws:/den"], "write `ws://den`"),
        (&["connect", "http:/den/#token=16-characters-or-more"], "write `http://den/#…`"),
        (&["status", "http//den:8765"], "write `http://den:8765`"),
        (&["connect", "--token"], "invitation link"),
        (&["--www", "nowhere"], "`nowhere` does not exist; give a directory with an index.html"),
        (&["--www", "Cargo.toml"], "`Cargo.toml` is not a directory; give one with an index.html"),
        (&["--www", ".", "--www-header", "ETag: 1"], "the server sets the header ETag itself"),
        (&["--www", ".", "--www-header", "ETag"], "`Name: value`"),
        (&["--www-header", "A: b"], "--www <DIR>"),
        (&["--pad", "nowhere.json"], "use `--pad` without a value for the default layout"),
        (
            &["--pad", "tests/invalid_layout.json"],
            "line 2 column 16: unknown control `stik`; use stick, dpad, swipe, or",
        ),
        (&["--pad", "Cargo.toml"], "line 1 column 1: this is not a layout, which is an object in JSON, such as {"),
        (&["--tls", "both"], "use `--tls=both`, with an equals sign"),
        (&["serve", "--tls", "only"], "use `--tls=only`, with an equals sign"),
    ] {
        let output = run(arguments);
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
        let token = arguments.last().filter(|last| arguments.contains(&"--token") && **last != "--token");
        assert!(!error.contains("16-characters-or-more"), "an error repeats a token: {error}");
        assert!(token.is_none_or(|token| !error.contains(token)), "an error repeats a token: {error}");
    }
}

#[test]
fn no_error_or_help_repeats_a_token() {
    let secret = "sekrit-sekrit-sekrit";
    let link = format!("http://192.168.1.5:8765/#token={secret}");
    let (assigned, spaced) = (format!("--tls={secret}"), format!("http://a/#Token={secret} x&fp=1"));
    let local = ["--local", "--timeout", "1ms"];
    for arguments in [
        &["serve", &link][..],
        &[&link],
        &["discover", &link],
        &["discover", &spaced],
        &["help", &link],
        &["man", &link],
        &["completions", &link],
        &["connect", "den", &link],
        &["connect", "den", secret],
        &["serve", secret],
        &[secret],
        &["--port", &link],
        &["--port", secret],
        &["--bind", &link],
        &["--color", &link],
        &["connect", "--fingerprint", &link],
        &["status", "--timeout", &link],
        &["discover", "--discovery-port", secret],
        &["discover", "--token", secret],
        &[&assigned],
        &["connect", &format!("http:///token={secret}")],
        &["status", &format!("192.168.1.5:8765/#token={secret}!")],
        &["status", &format!("192.168.1.5:8765/#tokn={secret}")],
        &["status", &format!("http://{secret}@127.0.0.1:1")],
        &[&["status", &format!("Den#Token={secret} x")][..], &local].concat(),
        &[&["status", &format!("den?token={secret}&x=y")][..], &local].concat(),
        &[&["connect", &format!("my den token={secret}")][..], &local].concat(),
        &["--help"],
        &["man"],
        &["man", "connect"],
        &["completions", "bash"],
    ] {
        let output = halloo(arguments).env("HALLOO_TOKEN", secret).stdin(Stdio::null()).output().unwrap();
        let shown = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(!shown.contains("sekrit") && !shown.is_empty(), "{arguments:?}: {shown}");
    }
    // Other mistakes are shown as they are.
    for (arguments, shown) in [
        (&["--discovery-interval", "9000000000000000000s"][..], "'9000000000000000000s'"),
        (&["--discovery-intervals", "5s"], "'--discovery-intervals'"),
        (&["--bind", "192.168.111.1111"], "'192.168.111.1111'"),
        (&["discover", &link], "'http://192.168.1.5:8765/#token=…'"),
    ] {
        let error = stderr(&run(arguments));
        assert!(error.contains(shown), "{arguments:?}: {error}");
    }
}

/// Binds ten consecutive ports.
fn occupied_port_range() -> (u16, Vec<TcpListener>) {
    // Below the range that the system assigns, in which a busy machine has no ten consecutive free ports left.
    let bind = |port| TcpListener::bind(("127.0.0.1", port));
    let offset = u16::try_from(std::process::id() % 1000).unwrap();
    let mut starts = (0..1000).map(|step| 10_000 + (offset + step) % 1000 * 20);
    let occupied = starts.find_map(|first| {
        let range: Result<Vec<_>, _> = (first..first + 10).map(bind).collect();
        range.ok().map(|listeners| (first, listeners))
    });
    occupied.expect("ten consecutive free ports")
}

#[test]
fn occupied_port_range_is_reported_with_advice() {
    let (first, _listeners) = occupied_port_range();
    let output = run(&["--bind", "127.0.0.1", "--no-discovery", "--port", &first.to_string()]);
    assert_eq!(output.status.code(), Some(3));
    let error = stderr(&output);
    for part in ["127.0.0.1", &format!("{first}-{}", first + 9), "stop the program", "`--port PORT`", "`--port 0`"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    // All ten ports have one owner, which is named once.
    let owner = format!("(pid {})", std::process::id());
    assert_eq!(error.matches(&owner).count(), usize::from(cfg!(target_os = "linux")), "{error}");
    assert!(output.stdout.is_empty());
}

#[test]
fn occupied_port_exits_with_3_and_names_the_option() {
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = occupied.local_addr().unwrap().port().to_string();
    let output = run(&["--bind", "127.0.0.1", "--strict-port", "--no-discovery", "--port", &port]);
    assert_eq!(output.status.code(), Some(3));
    let error = stderr(&output);
    assert!(error.contains(&port) && error.contains("--port"), "{error}");
    // Only Linux shows which program it is.
    let owner = format!("(pid {})", std::process::id());
    assert_eq!(error.contains(&owner), cfg!(target_os = "linux"), "{error}");
    assert!(!cfg!(target_os = "linux") || error.contains(" is in use by invalid_input"), "{error}");
}

#[test]
fn address_of_another_machine_is_not_reported_as_in_use() {
    let output = run(&["--bind", "198.51.100.7", "--no-discovery"]);
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("an address of this machine") && error.matches("os error").count() < 2, "{error}");
}

#[test]
fn flag_in_the_environment_can_be_off() {
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = occupied.local_addr().unwrap().port().to_string();
    let arguments = ["--bind", "127.0.0.1", "--no-discovery", "--json", "--port", &port];
    for off in ["", "0", "false", "off"] {
        let mut server = halloo(&arguments);
        let line = ChildProcess::start(server.env("HALLOO_STRICT_PORT", off).stderr(Stdio::piped())).next_line();
        assert!(line.contains("ready"), "{off:?}: {line}");
    }
    for on in ["1", "true", "yes"] {
        let output = halloo(&arguments).env("HALLOO_STRICT_PORT", on).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{on}");
    }
}

#[test]
fn invalid_environment_is_named() {
    let local = ["--bind", "127.0.0.1", "--port", "0", "--no-discovery", "--json"];
    for (variable, value, arguments, expected) in [
        ("HALLOO_PORT", "", &[][..], "environment variable HALLOO_PORT"),
        ("HALLOO_PORT", "abc", &["serve"], "environment variable HALLOO_PORT"),
        ("HALLOO_TIMEOUT", "3", &["discover"], "environment variable HALLOO_TIMEOUT"),
        ("HALLOO_TOKEN", "", &local, "the token is empty"),
        ("HALLOO_TOKEN", "short", &local, "16 to 256 characters"),
    ] {
        let output = halloo(arguments).env(variable, value).stdin(Stdio::null()).output().unwrap();
        let error = stderr(&output);
        assert!(output.status.code() == Some(2) && error.contains(expected), "{variable}={value}: {error}");
    }
    let output = run(&[&local[..], &["--token="]].concat());
    assert!(output.status.code() == Some(2) && stderr(&output).contains("without a value"), "{output:?}");
    // The advice works, and an empty variable means no token to a client.
    let mut command = halloo(&local);
    let mut server = JsonServer::start(command.arg("--token").env("HALLOO_TOKEN", "").stderr(Stdio::piped()));
    let invitation = server.ready["invitation"].as_str().unwrap();
    let mut client = halloo(&["connect", "--once", invitation]);
    assert!(client.env("HALLOO_TOKEN", "").stdin(Stdio::null()).status().unwrap().success());
    server.process.stop();
}

#[test]
fn random_token_that_would_not_be_shown_is_an_error() {
    let output = run(&["--bind", "127.0.0.1", "--port", "0", "--token"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("HALLOO_TOKEN"), "{output:?}");
}

#[test]
fn malformed_commands_are_error_events() {
    let malformed = [
        ("{", "not a command"),
        ("nonsense", "not a command"),
        ("[]", "not a command"),
        ("null", "not a command"),
        ("7", "not a command"),
        ("{}", "cmd"),
        (r#"{"cmd":7}"#, "not a command"),
        (r#"{"cmd":"dance"}"#, "unknown variant `dance`"),
        (r#"{"cmd":"status"} and more"#, "trailing"),
        (r#"{"cmd":"send_to_all"}"#, "either `text` or `binary`"),
        (r#"{"cmd":"send_to_all","text":"x","binary":"AA=="}"#, "either `text` or `binary`"),
        (r#"{"cmd":"send_to_all","text":7}"#, "not a command"),
        (r#"{"cmd":"send_to_all","text":"x","colour":"red"}"#, "colour"),
        (
            r#"{"cmd":"send_to_all","txt":"x"}"#,
            "unknown field `txt`, expected `text` or `binary`; did you mean `text`?",
        ),
        (r#"{"cmd":"stop","x":1}"#, "unknown field `x`"),
        (r#"{"x":1,"cmd":"stop"}"#, "unknown field `x`"),
        (r#"{"cmd":"status","text":"x"}"#, "unknown field `text`"),
        (r#"{"cmd":"broadcast_now","x":1}"#, "unknown field `x`"),
        (r#"{"cmd":"stop_discovery","x":null}"#, "unknown field `x`"),
        (r#"{"cmd":"start_discovery","client":1}"#, "unknown field `client`"),
        (r#"{"cmd":"send","cleint":1,"text":"x"}"#, "did you mean `client`?"),
        (r#"{"cmd":"disconnect","client":1,"reasn":"x"}"#, "did you mean `reason`?"),
        (r#"{"cmd":"statsu"}"#, "did you mean `status`?"),
        (r#"{"cmd":"send_to_all","text":"\ud800"}"#, "not a command"),
        (r#"{"cmd":"send_to_all","binary":"%"}"#, "not base64"),
        (r#"{"cmd":"send","text":"x"}"#, "client"),
        (r#"{"cmd":"send","client":-1,"text":"x"}"#, "not a command"),
        (r#"{"cmd":"send","client":"1","text":"x"}"#, "not a command"),
        (r#"{"cmd":"send","client":7,"text":"x"}"#, "the client is not connected"),
        (r#"{"cmd":"disconnect"}"#, "client"),
        (r#"{"cmd":"disconnect","client":1,"code":1005}"#, "1005 may not be sent"),
        (r#"{"cmd":"disconnect","client":1,"code":70000}"#, "not a command"),
    ];
    let mut server = JsonServer::start_local(&[]);
    for (line, part) in malformed {
        server.process.write_line(line);
        let event = server.process.next_event();
        assert_eq!(event["event"], "error", "{line}: {event}");
        let message = event["message"].as_str().unwrap();
        assert!(message.contains(part), "{line}: {part} is not in: {message}");
    }
    server.process.write_bytes(b"\xff\xfe\n\n");
    assert!(server.process.next_event()["message"].as_str().unwrap().contains("not UTF-8"));
    server.process.write_line(r#"{"cmd":"status"}"#);
    let status = server.process.next_event();
    assert_eq!((&status["event"], &status["server_running"]), (&json!("status"), &json!(true)));
    server.process.write_line(r#"{"cmd":"stop"}"#);
    assert_eq!(server.process.next_event()["event"], "stopped");
    assert!(server.process.wait().success());
}

#[test]
fn too_long_line_is_an_error_event_and_the_server_continues() {
    let mut server = JsonServer::start_local(&[]);
    server.process.write_line(&"x".repeat(130 * 64 * 1024));
    assert!(server.process.next_of("error")["message"].as_str().unwrap().contains("more than 8388608 bytes"));
    server.process.write_line(r#"{"cmd":"status"}"#);
    server.process.next_of("status");
}
