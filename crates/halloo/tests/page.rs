//! The page in Chromium, and client.js on Node.js.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo::{Config, Event, Hub, Message, Server, Token};
use halloo_test_support::{ChildProcess, browser, node};
use serde_json::{Value, json};

const TOKEN: &str = "the-otters-meet-at-nine";

/// Returns what the program reports when it uses the page of `server`.
fn report(server: &Server, mut program: std::process::Command, arguments: &[&str]) -> Value {
    let mut page = ChildProcess::start(program.arg(server.port().to_string()).args(arguments));
    serde_json::from_str(&page.next_line_after("report ")).unwrap()
}

/// Starts a server that requires [`TOKEN`], echoes messages, and dismisses a client that asks for it.
fn start_server() -> Server {
    let mut config = Config::local();
    config.name = "den".into();
    config.access.token = Some(Token::new(TOKEN).unwrap());
    // So that the page must not send the token itself.
    config.access.token_proof_only = true;
    let handler = |event: Event<'_>, hub: &mut Hub<'_>| {
        if let Event::MessageReceived { client, message } = event {
            let _ = match &message {
                Message::Text(text) if text == "dismiss" => hub.disconnect(client, 4001, "the game is over"),
                _ => hub.send(client, message),
            };
        }
    };
    Server::start_with(config, handler).unwrap()
}

#[test]
fn a_person_gets_in_with_the_token_and_stays_out_when_dismissed() {
    let Some(program) = browser("page_in_browser.mjs") else { return };
    let server = start_server();
    let report = report(&server, program, &[TOKEN]);
    let dismissed = json!({
        "state": "Closed", "detail": "The application closed the connection: the game is over", "asks": false,
        "focus": "again",
    });
    let steps = json!({
        "no token": {
            "state": "Refused", "detail": "This server requires a token: enter it, or open the invitation link.",
            "asks": true, "focus": "token",
        },
        "wrong token": {
            "state": "Refused",
            "detail": "The token is wrong. The server may have a new one: enter it, or open the invitation link again.",
            "asks": true, "focus": "token",
        },
        "connected": { "state": "Connected", "detail": "1 message received", "asks": false, "focus": "text" },
        "dismissed": dismissed,
    });
    assert_eq!(report["steps"], steps, "{report:#}");
    assert_eq!(report["findings"], json!([]), "{report:#}");
    assert_eq!((&report["attemptsByUser"], &report["attemptsByTime"]), (&json!(1), &json!(0)));
    assert_eq!(report["address"], "");
    assert_eq!(server.status().extras.clients_total, 3);
}

#[test]
fn client_js_on_node_proves_the_token_and_delivers_what_was_queued() {
    let Some(mut program) = node("client_on_node.mjs") else { return };
    // Node.js has `WebSocket` from version 22 on, and with this option before.
    program.env("NODE_OPTIONS", "--experimental-websocket");
    let server = start_server();
    let report = report(&server, program, &[TOKEN]);
    let expected = json!({
        "outcome": "queued", "replies": ["one", "two"], "proven": true,
        "refused": "This server requires a token: enter it, or open the invitation link.",
        "ended": "the game is over",
        "brief": [format!("ws://127.0.0.1:{}/room/red?seat=3", server.port()), "open", "close"],
        "mistake": "TypeError: send text or bytes",
    });
    assert_eq!(report, expected);
}
