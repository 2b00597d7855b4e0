//! 2: pings are answered with their payload, in order; pongs are not answered (RFC 6455 sections 5.5.2 and 5.5.3).

use crate::case::{answered, echoed, refused, run};
use crate::frame::{FIN, Frame, frame, ping, pong, text};

#[test]
fn a_ping_is_answered_with_its_payload() {
    let all: Vec<u8> = (0..=124).collect();
    let ponged = |name, payload: &[u8]| answered(name, vec![ping(payload)], vec![pong(payload)]);
    run([
        ponged("without payload", b""),
        ponged("with text", b"Hello, world!"),
        ponged("with bytes that are not UTF-8", &[0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff]),
        ponged("with the largest payload", &all),
        refused("with one byte too many", vec![ping([0xfe; 126])], vec![], 1002),
        refused("with 16 bits of length", vec![ping([0xfe; 300])], vec![], 1002),
        refused("in fragments", vec![frame(0x09, "a"), frame(FIN, "b")], vec![], 1002),
    ]);
}

#[test]
fn consecutive_pings_are_answered_in_order() {
    let ten = |frame: fn(String) -> Frame| (0..10).map(|n| frame(format!("payload-{n}"))).collect();
    run([answered("ten pings", ten(ping), ten(pong))]);
}

#[test]
fn a_pong_is_not_answered() {
    run([
        answered("unsolicited, empty", vec![pong("")], vec![]),
        answered("unsolicited, with payload", vec![pong("unsolicited")], vec![]),
        answered("unsolicited, then a ping", vec![pong("unsolicited"), ping("asked")], vec![pong("asked")]),
        refused("with one byte too many", vec![pong([0xfe; 126])], vec![], 1002),
        refused("in fragments", vec![frame(0x0a, "a"), frame(FIN, "b")], vec![], 1002),
        echoed("between messages", vec![text("one"), text("two")]),
    ]);
}
