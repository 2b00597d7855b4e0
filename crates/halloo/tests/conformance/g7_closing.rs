//! 7: the closing handshake: its codes, its reason, and frames after it (RFC 6455 sections 5.5.1 and 7).

use halloo::{ClientId, Config, Delivery, Event, LeaveReason, Server};
use halloo_test_support::ExpectEvent;

use crate::case::{closed, refused, run};
use crate::frame::{CONTINUATION, FIN, TEXT, close, frame, header, ping, pong, raw, text};
use crate::raw_client::RawClient;

const VALID: [u16; 20] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000, 4001, 4500, 4998,
    4999,
];
const INVALID: [u16; 17] =
    [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1099, 1100, 1999, 2000, 2999, 5000, 5001, 9999, 65_535];

#[test]
fn valid_codes_are_echoed() {
    run(VALID.into_iter().flat_map(|code| {
        [
            closed(format!("{code}"), vec![close(code, "")], vec![close(code, "")]),
            closed(format!("{code} with a reason"), vec![close(code, "because")], vec![close(code, "")]),
        ]
    }));
}

#[test]
fn invalid_codes_are_refused() {
    run(INVALID.into_iter().flat_map(|code| {
        [
            refused(format!("{code}"), vec![close(code, "")], vec![], 1002),
            refused(format!("{code} with a reason"), vec![close(code, "because")], vec![], 1002),
        ]
    }));
}

#[test]
fn close_payloads_are_validated() {
    let empty = frame(FIN | 8, "");
    run([
        closed("empty", vec![empty.clone()], vec![empty]),
        refused("half a code", vec![frame(FIN | 8, [3])], vec![], 1002),
        closed("the longest reason", vec![close(1000, "*".repeat(123))], vec![close(1000, "")]),
        closed("a reason of multi-byte characters", vec![close(1000, "ü".repeat(61))], vec![close(1000, "")]),
        refused("a reason that is too long", vec![close(1000, "*".repeat(124))], vec![], 1002),
        refused("a reason that is much too long", vec![raw(header(FIN | 8, 1 << 20))], vec![], 1002),
        refused("a reason that is not UTF-8", vec![close(1000, [0xce, 0xba, 0xed, 0xa0, 0x80])], vec![], 1007),
        refused("a reason that ends within a character", vec![close(1000, [0xce])], vec![], 1007),
        refused("in fragments", vec![frame(8, [3, 0xe8]), frame(FIN, "")], vec![], 1002),
    ]);
}

#[test]
fn frames_after_a_close_are_ignored() {
    let done = || close(1000, "");
    let large = text("*".repeat(256 * 1024));
    run([
        closed("text", vec![done(), text("late")], vec![done()]),
        closed("a ping", vec![done(), ping("late")], vec![done()]),
        closed("a second close", vec![done(), close(1001, "late")], vec![done()]),
        closed("garbage", vec![done(), raw([0xff; 300])], vec![done()]),
        closed("a large message", vec![done(), large.clone()], vec![done()]),
        closed("after a large message", vec![large.clone(), done(), ping("late")], vec![large, done()]),
        closed("inside a message", vec![frame(TEXT, "a"), done(), frame(FIN | CONTINUATION, "b")], vec![done()]),
        closed("after a ping", vec![ping("p"), done()], vec![pong("p"), done()]),
    ]);
}

#[test]
fn frames_after_a_violation_are_ignored() {
    let violation = || frame(FIN | TEXT, [0xff]);
    run([
        refused("text", vec![violation(), text("late")], vec![], 1007),
        refused("a close", vec![violation(), close(1000, "")], vec![], 1007),
        refused("another violation", vec![violation(), frame(0xff, "late")], vec![], 1007),
    ]);
}

#[test]
fn the_server_can_close_first() {
    let server = Server::start(Config::local()).unwrap();
    let mut client = RawClient::connect(server.port());
    server.expect_matching(|event| matches!(event, Event::ClientJoined { .. }).then_some(()));
    assert_eq!(server.disconnect(ClientId(1), 4321, "out"), Ok(Delivery::Queued));
    assert_eq!(client.read(), close(4321, "out"));
    // The client sends more before it confirms. The server ignores it.
    client.write(&[text("one more thing"), ping("p"), close(4321, "")]);
    client.expect_end();
    let left = server.expect_event();
    let expected = LeaveReason::Disconnected("out".into());
    assert!(matches!(left, Event::ClientLeft { reason, .. } if reason == expected));
}
