//! The client against a server in another language.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use halloo::{Client, ClientEvent};

const PATIENCE: Duration = Duration::from_secs(20);

fn next(client: &Client) -> ClientEvent {
    client.wait_event(PATIENCE).expect("an event")
}

fn received(client: &Client) -> halloo::Message<'static> {
    match next(client) {
        ClientEvent::MessageReceived { message } => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn python_serves() {
    let Some(interpreter) = std::env::var_os("HALLOO_TEST_PYTHON") else {
        eprintln!("SKIPPED: HALLOO_TEST_PYTHON is not set; `cargo xtask test` sets it");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/server.py");
    let mut server =
        Command::new(interpreter).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.next().unwrap();

    for path in ["", "/fragments"] {
        let client = Client::connect(format!("{url}{path}")).unwrap();
        assert!(matches!(next(&client), ClientEvent::Connected { .. }));
        let texts = ["hällo".to_owned(), "ü".repeat(500_000)];
        for text in &texts {
            client.send(text).unwrap();
        }
        client.send(vec![255; 1024 * 1024]).unwrap();
        for text in &texts {
            assert!(received(&client).text() == Some(text));
        }
        assert!(received(&client).bytes() == [255; 1024 * 1024]);
        client.close(3001, "tschüß");
        assert!(matches!(next(&client), ClientEvent::Disconnected { retry_in: None, .. }));
        assert_eq!(lines.next().unwrap(), "3001 tschüß");
    }

    let client = Client::connect(&url).unwrap();
    client.send("enough").unwrap();
    assert!(matches!(next(&client), ClientEvent::Connected { .. }));
    assert!(matches!(next(&client), ClientEvent::Disconnected { reason, .. } if reason == "as you wish"));
    assert!(matches!(next(&client), ClientEvent::GaveUp { .. }));

    let client = Client::connect(format!("{url}/refused")).unwrap();
    let ClientEvent::GaveUp { reason } = next(&client) else { panic!() };
    assert!(reason.contains("(403): not by this door"), "{reason}");

    let client = Client::connect(&url).unwrap();
    assert!(client.wait_connected(PATIENCE));
    drop(client);
    // Of the one that was put out, and of the one that was dropped; each has a thread of its own there.
    let mut ends: Vec<String> = lines.by_ref().take(2).collect();
    ends.sort();
    // The answer to a close repeats its code, not its text.
    assert_eq!(ends, ["1001 ", "4000 "]);
    drop(server.stdin.take());
    assert!(server.wait().unwrap().success());
}
