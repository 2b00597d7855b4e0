//! 10: writes of any size, and invalid headers.

use halloo::Config;
use halloo_test_support::{UPGRADE_REQUEST, echo_server};

use crate::case::{answered, refused, run};
use crate::frame::{FIN, TEXT, close, encode, ping, pong, raw, text};
use crate::raw_client::RawClient;

#[test]
fn the_size_of_writes_does_not_matter() {
    let server = echo_server(Config::local());
    let frames = [text("*".repeat(65_536)), ping("p"), close(1000, "")];
    let bytes = encode(&frames);
    for piece in [2, 3, 5, 13, 125, 1300, 4096, 65_535] {
        let received = RawClient::connect(server.port()).exchange(&bytes, piece);
        assert!(received == [frames[0].clone(), pong("p"), close(1000, "")], "{piece} bytes: {received:?}");
    }
}

/// A client should wait for the response to its handshake, but some do not.
#[test]
fn frames_in_the_same_packet_as_the_request_are_received() {
    let server = echo_server(Config::local());
    let frames = [text("early"), close(1000, "")];
    let start = [UPGRADE_REQUEST.as_bytes(), &encode(&frames)].concat();
    for cut in [0, 1, 4, 10] {
        let (now, later) = start.split_at(start.len() - cut);
        let (client, _) = RawClient::open(server.port(), now);
        assert_eq!(client.exchange(later, 1), frames);
    }
}

#[test]
fn unmasked_frames_and_overlong_lengths_are_refused() {
    let unmasked = |first| vec![raw([first, 1, b'x'])];
    run([
        refused("text without a mask", unmasked(FIN | TEXT), vec![], 1002),
        refused("a ping without a mask", unmasked(FIN | 9), vec![], 1002),
        refused("a close without a mask", vec![raw([FIN | 8, 2, 3, 0xe8])], vec![], 1002),
        refused("a length of 5 in 16 bits", vec![raw([FIN | TEXT, 0xfe, 0, 5])], vec![], 1002),
        refused(
            "a length of 65535 in 64 bits",
            vec![raw([FIN | TEXT, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff])],
            vec![],
            1002,
        ),
        answered("a masking key of zeros", vec![raw(b"\x81\x85\0\0\0\0plain")], vec![text("plain")]),
    ]);
}
