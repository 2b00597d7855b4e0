//! 10: how the bytes are cut is nobody's business; and what else a header may have wrong.

use halloo::Config;

use crate::case::{echo, echoed, play, refused};
use crate::client::{Client, FIN, TEXT, close, ping, pong, raw, request, text, wire};

#[test]
fn any_size_of_piece() {
    let server = echo(Config::local());
    let frames = [text("*".repeat(65_536)), ping("p"), close(1000, "")];
    let bytes = wire(&frames);
    for piece in [2, 3, 5, 13, 125, 1300, 4096, 65_535] {
        let got = Client::connect(server.port()).play(&bytes, piece);
        assert!(got == [frames[0].clone(), pong("p"), close(1000, "")], "{piece} bytes: {got:?}");
    }
}

/// A client may not wait for the answer to its handshake, though it should.
#[test]
fn frames_right_behind_the_request() {
    let server = echo(Config::local());
    let frames = [text("early"), close(1000, "")];
    let first = [request(server.port(), ""), wire(&frames)].concat();
    for cut in [0, 1, 4, 10] {
        let (now, later) = first.split_at(first.len() - cut);
        let (client, _) = Client::open(server.port(), now);
        assert_eq!(client.play(later, 1), frames);
    }
}

#[test]
fn headers() {
    let unmasked = |first| vec![raw([first, 1, b'x'])];
    play([
        refused("text without a mask", unmasked(FIN | TEXT), vec![], 1002),
        refused("a ping without a mask", unmasked(FIN | 9), vec![], 1002),
        refused("a close without a mask", vec![raw([FIN | 8, 2, 3, 0xe8])], vec![], 1002),
        refused("5 bytes, said in 16 bits", vec![raw([FIN | TEXT, 0xfe, 0, 5])], vec![], 1002),
        refused(
            "65535 bytes, said in 64 bits",
            vec![raw([FIN | TEXT, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff])],
            vec![],
            1002,
        ),
        echoed("a mask of zeros", vec![raw(b"\x81\x85\0\0\0\0plain")], vec![text("plain")]),
    ]);
}
