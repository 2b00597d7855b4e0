//! The commands, settings and lines of JSON in documents that are not programs, literally.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Command;

use common::documents::{NETWORK, code, read, root, shell_command, wait_for_server};
use common::{JsonProcess, JsonServer, halloo, run};
use halloo_test_support::{TempDir, connect_tcp, in_namespace, python};
use serde_json::Value;
use tungstenite::client::IntoClientRequest;

/// Returns the part of a document under a heading.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("\n{heading}\n")).unwrap();
    let level = heading.split(' ').next().unwrap();
    rest.split(&format!("\n{level} ")).next().unwrap()
}

/// Returns the lines of the blocks of JSON in a document.
fn json(document: &str) -> Vec<Value> {
    code(document, "json")
        .iter()
        .flat_map(|block| block.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn keys(object: &Value) -> Vec<&String> {
    object.as_object().unwrap().keys().collect()
}

/// Expects that the next event of the same kind has the keys of `documented`, in its order.
#[track_caller]
fn expect_event(process: &mut JsonProcess, documented: &Value) -> Value {
    let event = process.next_of(documented["event"].as_str().unwrap());
    assert_eq!(keys(&event), keys(documented), "{event}");
    event
}

/// Starts a line of a document as a shell does, with a value of its own in place of one that differs between networks.
fn start(command: &str, (documented, actual): (&str, &str)) -> Option<JsonProcess> {
    let command = command.split(" #").next().unwrap().trim().replace(documented, actual);
    Some(JsonProcess::start(&mut shell_command(&command, &root())?))
}

#[test]
fn events_in_the_readme_have_the_keys_of_real_ones() {
    if !in_namespace("events_in_the_readme_have_the_keys_of_real_ones", NETWORK) {
        return;
    }
    let readme = read("README.md");
    let section = section(&readme, "### From the command line");
    let [ready, joined, message] = &json(section)[..] else { panic!("{section}") };
    let mut server = JsonServer::start(&mut halloo(&["serve", "--json"]));
    assert_eq!(keys(&server.ready), keys(ready));
    let mut client = JsonProcess::start(&mut halloo(&["connect", "--json"]));
    expect_event(&mut server.process, joined);
    client.write_line(r#"{"cmd":"send","text":"hello"}"#);
    assert_eq!(expect_event(&mut server.process, message)["text"], message["text"]);
}

#[test]
fn lines_of_json_mode_are_what_the_programs_write_and_read() {
    if !in_namespace("lines_of_json_mode_are_what_the_programs_write_and_read", NETWORK) {
        return;
    }
    let document = read("docs/json.md");
    let commands = &code(&document, "sh")[0];
    let [serve, connect, discover] = commands.lines().collect::<Vec<_>>()[..] else { panic!("{commands}") };
    let lines = json(section(&document, "## serve"));
    let (events, commands): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line["cmd"].is_null());
    let [ready, joined, message, joined_with_more] = &events[..] else { panic!("{events:?}") };

    let Some(mut server) = start(serve, ("", "")) else { return };
    let url = expect_event(&mut server, ready)["urls"][0].as_str().unwrap().to_owned();
    let mut client = start(connect, ("ws://192.168.1.5:8765", &url)).unwrap();
    let of_client = json(section(&document, "## connect"));
    expect_event(&mut client, &of_client[0]);
    expect_event(&mut server, joined);
    client.write_line(r#"{"cmd":"send","text":"hi"}"#);
    assert_eq!(expect_event(&mut server, message)["text"], message["text"]);

    for command in &commands {
        server.write_line(&command.to_string());
    }
    server.write_line(r#"{"cmd":"status"}"#);
    let after = server.next_matching(|event| ["error", "status"].contains(&event["event"].as_str().unwrap()));
    assert_eq!(after["event"], "status", "{after}");
    expect_event(&mut client, &of_client[1]);
    let disconnected = expect_event(&mut client, &of_client[2]);
    assert_eq!((&disconnected["code"], &disconnected["reason"]), (&4000.into(), &"enough".into()));

    server.close_stdin();
    server.next_of("stopped");
    let options = ["serve", "--json", "--app", "Tanks", "--meta", "map=desert", "--subprotocols", "json"];
    let mut server = JsonServer::start(&mut halloo(&options));
    let found = &json(section(&document, "## discover"))[0];
    let found = expect_event(&mut start(discover, ("", "")).unwrap(), found);
    assert_eq!(found["meta"]["map"], "desert");

    let address = server.url().trim_start_matches("ws://").to_owned();
    let path = joined_with_more["path"].as_str().unwrap();
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    let origin = format!("http://{address}");
    for (name, value) in [
        ("Sec-WebSocket-Protocol", "json, xml"),
        ("Origin", origin.as_str()),
        ("User-Agent", joined_with_more["user_agent"].as_str().unwrap()),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let _peer = tungstenite::client(request, connect_tcp(&address)).unwrap();
    let event = expect_event(&mut server.process, joined_with_more);
    for key in ["path", "subprotocols", "subprotocol", "user_agent", "rooms"] {
        assert_eq!(event[key], joined_with_more[key], "{key}");
    }
}

#[test]
fn settings_of_the_service_are_those_of_the_program() {
    if !in_namespace("settings_of_the_service_are_those_of_the_program", NETWORK) {
        return;
    }
    let document = read("docs/service.md");
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let settings = code(&document, "sh").into_iter().find(|block| block.starts_with("HALLOO_NAME=")).unwrap();
    let settings = settings.replace("/var/lib/halloo", directory.path().to_str().unwrap());
    let Some(mut serve) = shell_command("halloo serve --json", &root()) else { return };
    serve.envs(settings.lines().map(|line| line.split_once('=').unwrap()));
    let mut server = JsonProcess::start(&mut serve);
    assert!(server.next_of("ready")["token"].is_string(), "the token file is created");
    wait_for_server();
    let found: Value = serde_json::from_slice(&run(&["discover", "--first", "--json"]).stdout).unwrap();
    assert_eq!((&found["name"], &found["auth"]), (&"Museum".into(), &true.into()));
    assert!(directory.path().join("token").is_file());
}

#[test]
fn property_list_of_launchd_is_valid_and_starts_the_server() {
    let document = read("docs/service.md");
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.path().join("org.halloo.plist");
    std::fs::write(&file, &code(&document, "xml")[0]).unwrap();
    let script = "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let Some(interpreter) = python("") else { return };
    let output = Command::new(interpreter.get_program()).args(["-c", script]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let program: Vec<&str> =
        list["ProgramArguments"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    assert!(program[0].ends_with("/halloo"));
    let mut serve = Command::new(env!("CARGO_BIN_EXE_halloo"));
    serve.args(&program[1..]).args(["--bind", "127.0.0.1", "--port", "0", "--no-discovery", "--json"]);
    JsonProcess::start(&mut serve).next_of("ready");
    assert_eq!((&list["RunAtLoad"], &list["KeepAlive"]), (&true.into(), &true.into()));
}
