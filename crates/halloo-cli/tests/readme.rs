//! The examples of the README and of docs/clients.md that are not doctests run.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Command;

use common::documents::{code, read};
use common::{JsonProcess, JsonServer, LOCAL_SERVER, halloo};
use halloo_test_support::{ChildProcess, LOOPBACK_BROADCAST, TempDir, browser, node, python, unused_discovery_port};

const README: &str = include_str!("../../../README.md");
const CLIENTS: &str = include_str!("../../../docs/clients.md");

/// Runs the first example of a document that begins with `fence` as `file`, which `program` runs, against a server that has a
/// client and so sends no beacons. `confine` makes it search on this machine only, and not on the port that other servers of
/// this machine may use.
fn run_example(
    document: &str,
    (fence, file): (&str, &str),
    program: impl FnOnce(&str) -> Option<Command>,
    confine: impl FnOnce(&str, &str) -> String,
) {
    let port = unused_discovery_port().to_string();
    let options = ["serve", "--json", "--bind", "127.0.0.1", "--port", "0", "--discovery-port", &port];
    let mut server = JsonServer::start(&mut halloo(&[&options[..], &["--name", "living-room"]].concat()));
    let mut other = JsonProcess::start(&mut halloo(&["connect", "--json", &server.url()]));
    other.next_of("connected");
    let (_, rest) = document.split_once(fence).unwrap();
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.path().join(file);
    std::fs::write(&path, confine(rest.split("```").next().unwrap(), &port)).unwrap();
    let Some(mut command) = program(path.to_str().unwrap()) else { return };
    let mut example = ChildProcess::start(&mut command);
    let message = server.process.next_of("message");
    assert_eq!(message["text"], "hello");
    server.process.write_line(r#"{"cmd":"send_to_all","text":"welcome"}"#);
    assert_eq!(example.next_line(), "welcome");
}

fn run_python_example(document: &str, confine: impl FnOnce(&str, &str) -> String) {
    let program = |path: &str| {
        let mut command = python(path)?;
        let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../../clients/python");
        command.envs([("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONPATH", package)]);
        Some(command)
    };
    run_example(document, ("```python\n", "example.py"), program, confine);
}

#[test]
fn python_example_finds_a_server_that_has_clients() {
    run_python_example(CLIENTS, |example, port| {
        example.replace("8766", port).replace("\"255.255.255.255\"", &format!("\"{LOOPBACK_BROADCAST}\""))
    });
}

#[test]
fn python_package_finds_a_server_by_its_name() {
    run_python_example(README, |example, port| {
        let local = format!("\"living-room\", local=True, discovery_port={port}");
        example.replace("\"living-room\"", &local)
    });
}

#[test]
fn npm_package_finds_a_server_by_its_name() {
    run_example(README, ("```js\n", "example.mjs"), node, |example, port| {
        let index = concat!(env!("CARGO_MANIFEST_DIR"), "/../../clients/js/src/index.js");
        let local = format!("\"living-room\", {{ local: true, discoveryPort: {port} }}");
        example.replace("\"halloo\"", &format!("{index:?}")).replace("\"living-room\"", &local)
    });
}

/// Returns what follows a heading of the README.
fn section(heading: &str) -> &'static str {
    README.split_once(heading).unwrap().1
}

#[test]
fn page_connects_to_its_server() {
    let Some(mut page) = browser("console_of_page.mjs") else { return };
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let script = &code(section("### From a browser"), "js")[0];
    std::fs::write(directory.path().join("index.html"), format!("<script type=\"module\">{script}</script>")).unwrap();
    let mut serve = halloo(&LOCAL_SERVER);
    let mut server = JsonServer::start(serve.arg("--www").arg(directory.path()));
    let mut page = ChildProcess::start(page.arg(server.url().replace("ws:", "http:")));
    assert_eq!(server.process.next_of("message")["text"], "hello");
    server.process.write_line(r#"{"cmd":"send_to_all","text":"welcome"}"#);
    assert_eq!(page.next_line_after("console "), "welcome");
}

#[test]
fn example_for_godot_is_the_file_that_its_tests_run() {
    let example = &code(section("### From Godot"), "gdscript")[0];
    assert!(read("godot/tests/readme_example.gd").ends_with(&format!("\n\n{example}")));
    assert_eq!(code(&read("godot/addons/halloo/README.md"), "gdscript")[0], *example);
}

#[test]
fn readme_is_short() {
    assert!(README.lines().count() <= 200, "README.md has more than 200 lines; move details to docs");
}
