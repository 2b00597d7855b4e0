//! 7: the closing handshake: its codes, its reason, and what comes behind it (RFC 6455 sections 5.5.1 and 7).

use halloo::{ClientId, Config, Delivery, Event, LeaveReason, Server};

use crate::case::{answered, play, refused};
use crate::client::{CONTINUATION, Client, FIN, TEXT, close, frame, header, ping, pong, raw, text};

const VALID: [u16; 20] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000, 4001, 4500, 4998,
    4999,
];
const INVALID: [u16; 17] =
    [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1099, 1100, 1999, 2000, 2999, 5000, 5001, 9999, 65_535];

#[test]
fn codes_that_may_be_sent_come_back() {
    play(VALID.into_iter().flat_map(|code| {
        [
            answered(format!("{code}"), vec![close(code, "")], vec![close(code, "")]),
            answered(format!("{code} with a reason"), vec![close(code, "because")], vec![close(code, "")]),
        ]
    }));
}

#[test]
fn codes_that_may_not_be_sent_are_refused() {
    play(INVALID.into_iter().flat_map(|code| {
        [
            refused(format!("{code}"), vec![close(code, "")], vec![], 1002),
            refused(format!("{code} with a reason"), vec![close(code, "because")], vec![], 1002),
        ]
    }));
}

#[test]
fn payloads() {
    let empty = frame(FIN | 8, "");
    play([
        answered("nothing", vec![empty.clone()], vec![empty]),
        refused("half a code", vec![frame(FIN | 8, [3])], vec![], 1002),
        answered("the longest reason", vec![close(1000, "*".repeat(123))], vec![close(1000, "")]),
        answered("a reason of many bytes", vec![close(1000, "ü".repeat(61))], vec![close(1000, "")]),
        refused("a reason too long", vec![close(1000, "*".repeat(124))], vec![], 1002),
        refused("a reason far too long", vec![raw(header(FIN | 8, 1 << 20))], vec![], 1002),
        refused("a reason that is not UTF-8", vec![close(1000, [0xce, 0xba, 0xed, 0xa0, 0x80])], vec![], 1007),
        refused("a reason that is cut off", vec![close(1000, [0xce])], vec![], 1007),
        refused("in fragments", vec![frame(8, [3, 0xe8]), frame(FIN, "")], vec![], 1002),
    ]);
}

#[test]
fn what_comes_behind_a_close_is_not_looked_at() {
    let done = || close(1000, "");
    let large = text("*".repeat(256 * 1024));
    play([
        answered("text", vec![done(), text("late")], vec![done()]),
        answered("a ping", vec![done(), ping("late")], vec![done()]),
        answered("a second close", vec![done(), close(1001, "late")], vec![done()]),
        answered("garbage", vec![done(), raw([0xff; 300])], vec![done()]),
        answered("much text", vec![done(), large.clone()], vec![done()]),
        answered("much text before", vec![large.clone(), done(), ping("late")], vec![large, done()]),
        answered("inside a message", vec![frame(TEXT, "a"), done(), frame(FIN | CONTINUATION, "b")], vec![done()]),
        answered("behind a ping", vec![ping("p"), done()], vec![pong("p"), done()]),
    ]);
}

#[test]
fn what_comes_behind_an_offence_is_not_looked_at() {
    let offence = || frame(FIN | TEXT, [0xff]);
    play([
        refused("text", vec![offence(), text("late")], vec![], 1007),
        refused("a close", vec![offence(), close(1000, "")], vec![], 1007),
        refused("another offence", vec![offence(), frame(0xff, "late")], vec![], 1007),
    ]);
}

#[test]
fn the_server_closes_first() {
    let server = Server::start(Config::local()).unwrap();
    let mut client = Client::connect(server.port());
    let joined = server.events().find(|event| matches!(event, Event::ClientJoined { .. }));
    assert!(joined.is_some());
    assert_eq!(server.disconnect(ClientId(1), 4321, "out"), Ok(Delivery::Queued));
    assert_eq!(client.read(), close(4321, "out"));
    // Before it agrees, it says what it had to say; nobody hears it.
    client.write(&[text("one more thing"), ping("p"), close(4321, "")]);
    client.ends();
    let left = server.events().next();
    let told = LeaveReason::Disconnected("out".into());
    assert!(matches!(left, Some(Event::ClientLeft { reason, .. }) if reason == told));
}
