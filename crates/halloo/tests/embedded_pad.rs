//! The pad in a page of the application, in Chromium.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo::{ClientId, Config, Event, Files, Server};
use halloo_test_support::{ChildProcess, ExpectEvent, browser};
use serde_json::{Value, json};

const DOCUMENTATION: &str = include_str!("../../../docs/pad.md");

/// Returns the next message, as JSON.
fn expect_message(server: &Server) -> (ClientId, Value) {
    loop {
        if let Event::MessageReceived { client, message } = server.expect_event() {
            let text = message.text().unwrap();
            return (client, serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
        }
    }
}

/// Waits until the client has left, and expects that it sends nothing meanwhile.
fn expect_left(server: &Server, expected: ClientId) {
    match server.expect_event() {
        Event::ClientLeft { client, .. } => assert_eq!(client, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn example_of_the_documentation_plays_and_leaves_nothing_behind() {
    let Some(mut program) = browser("embedded_pad_in_browser.mjs") else { return };
    let (_, example) = DOCUMENTATION.split_once("```html\n").unwrap();
    // The test needs what the example keeps to itself.
    let example = example
        .split("```")
        .next()
        .unwrap()
        .replace("const ", "globalThis.")
        .replace("globalThis.link", "const link = globalThis.link");
    let example = example.replace("globalThis.pad =", "const pad = globalThis.pad =");
    let files = Files::memory([("index.html", format!("<!doctype html>{example}"))]).unwrap();
    let mut config = Config::local().www(files);
    config.access.allowed_hosts = vec!["game.example".to_owned()];
    let server = Server::start(config).unwrap();
    let mut page = ChildProcess::start(program.arg(server.port().to_string()));
    let (first, message) = expect_message(&server);
    assert!(message["join"]["seat"].is_string() && message["a"] == json!(0), "{message}");
    page.next_line_after("done");
    page.write_line("");
    page.next_line_after("done");
    server.disconnect(first, 1012, "restart").unwrap();
    expect_left(&server, first);
    let (second, message) = expect_message(&server);
    assert!(second != first && message["join"].is_object(), "an old state came before the player: {message}");
    page.write_line("");
    while expect_message(&server).1 != json!("closed") {}
    page.next_line_after("done");
    server.disconnect(second, 1012, "restart").unwrap();
    expect_left(&server, second);
    page.write_line("");
    let (third, message) = expect_message(&server);
    assert_eq!(message, json!("back"), "a pad that is closed is no player");
    page.next_line_after("done");
    page.write_line("");
    let (fourth, message) = expect_message(&server);
    assert!(fourth != third && message["join"].is_object() && message["b"] == json!(0), "{message}");
    page.next_line_after("done");
    page.write_line("");
    expect_left(&server, fourth);
    page.next_line_after("done");
    page.write_line("");
    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    assert_eq!(report["display"], json!("grid"));
}

#[cfg(feature = "tls")]
#[test]
fn way_to_the_secure_page_has_the_token_and_a_page_that_cannot_connect_says_why() {
    const TOKEN: &str = "the-otters-meet-at-nine";

    let Some(mut program) = browser("embedded_pad_in_browser.mjs") else { return };
    let directory = halloo_test_support::TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let layout: halloo::PadLayout = r#"{"tilt":true}"#.parse().unwrap();
    let mut config = Config::local().pad(layout).tls_optional(true);
    config.tls = Some(halloo::Identity::self_signed_in(directory.path()).unwrap());
    config.access.allowed_hosts = vec!["game.example".to_owned()];
    config.access.token = Some(halloo::Token::new(TOKEN).unwrap());
    let server = Server::start(config).unwrap();
    let mut page = ChildProcess::start(program.arg(server.port().to_string()).arg(TOKEN));
    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    let expected = format!("https://game.example:{}/#token={TOKEN}", server.port());
    assert_eq!(report["offers"], json!([expected, expected, expected]));
    let reason = "This phone may not trust the certificate";
    assert_eq!(report["distrusted"], json!([reason, reason]));
}
