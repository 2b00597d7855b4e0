//! One case of a table, and the playing of it.

use halloo::{Config, Event, Server};

use crate::client::{Client, Frame, close, wire};

/// Input up to this size is also sent byte by byte; what is larger, in pieces of an odd size.
const BYTE_BY_BYTE: usize = 70_000;
const PIECE: usize = 7919;

/// What a client sends, and what it must get before the connection ends.
pub(crate) struct Case {
    name: String,
    sent: Vec<Frame>,
    back: Vec<Frame>,
    /// The code that the server must close with, its reason being free; otherwise `back` holds the close frame.
    refused: Option<u16>,
}

/// `sent` is answered with `back`, and the connection with the close of both sides.
pub(crate) fn echoed(name: impl Into<String>, mut sent: Vec<Frame>, mut back: Vec<Frame>) -> Case {
    sent.push(close(1000, ""));
    back.push(close(1000, ""));
    Case { name: name.into(), sent, back, refused: None }
}

/// `sent` comes back as it is.
pub(crate) fn same(name: impl Into<String>, sent: Vec<Frame>) -> Case {
    echoed(name, sent.clone(), sent)
}

/// `sent` is answered with exactly `back`, the close frame included.
pub(crate) fn answered(name: impl Into<String>, sent: Vec<Frame>, back: Vec<Frame>) -> Case {
    Case { name: name.into(), sent, back, refused: None }
}

/// The server answers `back` and then closes with `code`.
pub(crate) fn refused(name: impl Into<String>, sent: Vec<Frame>, back: Vec<Frame>, code: u16) -> Case {
    Case { name: name.into(), sent, back, refused: Some(code) }
}

/// A server that sends every message back to where it came from.
pub(crate) fn echo(config: Config) -> Server {
    let handler = |event: Event<'_>, hub: &mut halloo::Hub<'_>| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    };
    Server::start_with(config, handler).expect("a free port")
}

/// Plays every case against a server with the default limits.
pub(crate) fn play(cases: impl IntoIterator<Item = Case>) {
    play_with(Config::local(), cases);
}

/// Plays every case against a server with these settings.
pub(crate) fn play_with(config: Config, cases: impl IntoIterator<Item = Case>) {
    let server = echo(config);
    let mut played = 0;
    for case in cases {
        let bytes = wire(&case.sent);
        let small = if bytes.len() <= BYTE_BY_BYTE { 1 } else { PIECE };
        for piece in [bytes.len().max(1), small] {
            case.judge(&Client::connect(server.port()).play(&bytes, piece), piece);
        }
        played += 1;
    }
    assert!(played > 0, "an empty table proves nothing");
}

impl Case {
    fn judge(&self, got: &[Frame], piece: usize) {
        let name = format!("{} (in pieces of {piece} bytes)", self.name);
        let Some(code) = self.refused else {
            assert_frames(&name, got, &self.back);
            return;
        };
        let [got @ .., last] = got else { panic!("{name}: nothing came back") };
        assert_frames(&name, got, &self.back);
        assert_eq!(last.code(), Some(code), "{name}: {last:?}");
    }
}

/// Compares without printing megabytes.
fn assert_frames(name: &str, got: &[Frame], expected: &[Frame]) {
    assert!(got == expected, "{name}: got {got:?} instead of {expected:?}");
}
