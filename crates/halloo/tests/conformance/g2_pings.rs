//! 2: pings are answered with the same payload, in order; pongs are not (RFC 6455 sections 5.5.2 and 5.5.3).

use crate::case::{echoed, play, refused, same};
use crate::client::{FIN, frame, ping, pong, text};

#[test]
fn pings() {
    let all: Vec<u8> = (0..=124).collect();
    let both = |name, payload: &[u8]| echoed(name, vec![ping(payload)], vec![pong(payload)]);
    play([
        both("without payload", b""),
        both("with text", b"Hello, world!"),
        both("with bytes that are not UTF-8", &[0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff]),
        both("with the largest payload", &all),
        refused("with one byte too many", vec![ping([0xfe; 126])], vec![], 1002),
        refused("with 16 bits of length", vec![ping([0xfe; 300])], vec![], 1002),
        refused("in fragments", vec![frame(0x09, "a"), frame(FIN, "b")], vec![], 1002),
    ]);
}

#[test]
fn pings_in_a_row() {
    let ten = |frame: fn(String) -> crate::client::Frame| (0..10).map(|n| frame(format!("payload-{n}"))).collect();
    play([echoed("ten pings", ten(ping), ten(pong))]);
}

#[test]
fn pongs() {
    play([
        echoed("unasked, empty", vec![pong("")], vec![]),
        echoed("unasked, with payload", vec![pong("unasked")], vec![]),
        echoed("unasked, then a ping", vec![pong("unasked"), ping("asked")], vec![pong("asked")]),
        refused("with one byte too many", vec![pong([0xfe; 126])], vec![], 1002),
        refused("in fragments", vec![frame(0x0a, "a"), frame(FIN, "b")], vec![], 1002),
        same("between messages", vec![text("one"), text("two")]),
    ]);
}
