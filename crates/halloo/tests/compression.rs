//! Compression, with a client in another language.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::path::Path;
use std::process::Command;

use halloo::{Config, Event, Hub, Server};

#[test]
fn python_compresses() {
    let Some(interpreter) = std::env::var_os("HALLOO_TEST_PYTHON") else {
        eprintln!("SKIPPED: HALLOO_TEST_PYTHON is not set; `cargo xtask test` sets it");
        return;
    };
    let mut config = Config::local();
    config.compression = true;
    let to_all = |event: Event<'_>, hub: &mut Hub<'_>| {
        if let Event::MessageReceived { message, .. } = event {
            hub.send_to_all(message).ok();
        }
    };
    let server = Server::start_with(config, to_all).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/deflate.py");
    let output = Command::new(interpreter).arg(script).arg(server.url()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout.trim_ascii_end(), b"OK");
}
