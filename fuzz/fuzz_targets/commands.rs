//! Commands of JSON mode, executed by a server: the output is whole lines of printable JSON, and only the command
//! `stop` stops the server.

#![cfg_attr(feature = "engine", no_main)]
#![allow(dead_code, reason = "the program needs more of the module than is needed here")]

use std::sync::{LazyLock, Mutex};

use halloo::{ClientId, Config, Event, Message, Server};
use halloo_fuzz::fuzz_target;

use serde_json::Value;

#[path = "../../crates/halloo-cli/src/json.rs"]
mod json;

/// Replaces the standard output of the program.
mod output {
    use std::io;
    use std::sync::Mutex;

    #[derive(Default)]
    pub(crate) struct Output(pub(crate) Mutex<Vec<u8>>);

    impl Output {
        pub(crate) fn write(&self, lines: &[u8]) -> io::Result<()> {
            self.0.lock().expect("no panic before").extend_from_slice(lines);
            Ok(())
        }

        pub(crate) fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }
}

static SERVER: LazyLock<Mutex<Server>> = LazyLock::new(|| Mutex::new(start()));

fn start() -> Server {
    Server::start(Config::local()).expect("a free port")
}

fuzz_target!(|line: &str| {
    let mut server = SERVER.lock().expect("no panic before");
    let output = output::Output::default();
    match json::handle(&server, line, &output) {
        Ok(()) => {}
        Err(error) => {
            let printed = check(json::line(&json::error(&error)).as_bytes());
            assert_eq!(printed["message"], error.as_str());
        }
    }
    let printed = output.0.into_inner().expect("no panic before");
    if !printed.is_empty() {
        assert_eq!(check(&printed)["event"], "status");
    }
    let stopped = serde_json::from_str::<Value>(line).is_ok_and(|command| command["cmd"] == "stop");
    if !server.summary().server_running || stopped {
        assert!(stopped, "the server stopped without a command");
        *server = start();
    }
    let event = Event::MessageReceived { client: ClientId(1), message: Message::from(line) };
    assert_eq!(check(json::line(&json::event(&event)).as_bytes())["text"], line);
});

/// Parses one whole line of printable characters.
fn check(line: &[u8]) -> Value {
    let line = std::str::from_utf8(line).expect("UTF-8").strip_suffix('\n').expect("a whole line");
    assert!(!line.contains(halloo_proto::text::is_harmful), "{line:?}");
    serde_json::from_str(line).expect("JSON")
}
