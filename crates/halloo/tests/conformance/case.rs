//! A case of a table, and how it is run.

use halloo::Config;
use halloo_test_support::echo_server;

use crate::frame::{Frame, close, encode};
use crate::raw_client::RawClient;

/// Input up to this size is also sent byte by byte, larger input in pieces of an odd size.
const BYTE_BY_BYTE: usize = 70_000;
const PIECE: usize = 7919;

/// What a client sends, and what it must receive before the connection ends.
pub(crate) struct Case {
    name: String,
    sent: Vec<Frame>,
    expected: Vec<Frame>,
    /// The code of the server's close frame, whose reason is not checked. If `None`, `expected` contains the close frame.
    refused: Option<u16>,
}

/// The server responds to `sent` with `expected`, and then both sides close.
pub(crate) fn answered(name: impl Into<String>, mut sent: Vec<Frame>, mut expected: Vec<Frame>) -> Case {
    sent.push(close(1000, ""));
    expected.push(close(1000, ""));
    Case { name: name.into(), sent, expected, refused: None }
}

/// The server echoes `sent` unchanged, and then both sides close.
pub(crate) fn echoed(name: impl Into<String>, sent: Vec<Frame>) -> Case {
    answered(name, sent.clone(), sent)
}

/// The server responds to `sent` with exactly `expected`, including the close frame.
pub(crate) fn closed(name: impl Into<String>, sent: Vec<Frame>, expected: Vec<Frame>) -> Case {
    Case { name: name.into(), sent, expected, refused: None }
}

/// The server responds to `sent` with `expected` and then closes with `code`.
pub(crate) fn refused(name: impl Into<String>, sent: Vec<Frame>, expected: Vec<Frame>, code: u16) -> Case {
    Case { name: name.into(), sent, expected, refused: Some(code) }
}

/// Runs every case against a server with the default limits.
pub(crate) fn run(cases: impl IntoIterator<Item = Case>) {
    run_with(Config::local(), cases);
}

/// Runs every case against a server with these settings.
pub(crate) fn run_with(config: Config, cases: impl IntoIterator<Item = Case>) {
    let server = echo_server(config);
    let mut count = 0;
    for case in cases {
        let bytes = encode(&case.sent);
        let small = if bytes.len() <= BYTE_BY_BYTE { 1 } else { PIECE };
        for piece in [bytes.len().max(1), small] {
            case.check(&RawClient::connect(server.port()).exchange(&bytes, piece), piece);
        }
        count += 1;
    }
    assert!(count > 0, "an empty table proves nothing");
}

impl Case {
    fn check(&self, received: &[Frame], piece: usize) {
        let name = format!("{} (in pieces of {piece} bytes)", self.name);
        let Some(code) = self.refused else {
            assert_frames(&name, received, &self.expected);
            return;
        };
        let [received @ .., last] = received else { panic!("{name}: received nothing") };
        assert_frames(&name, received, &self.expected);
        assert_eq!(last.close_code(), Some(code), "{name}: {last:?}");
    }
}

/// Compares without printing megabytes.
fn assert_frames(name: &str, received: &[Frame], expected: &[Frame]) {
    assert!(received == expected, "{name}: received {received:?} instead of {expected:?}");
}
