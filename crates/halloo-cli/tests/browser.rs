//! client.js and the page in Chromium, on connections that freeze or break.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo_test_support::{ChildProcess, browser};
use serde_json::{Value, json};

#[test]
fn pages_stay_connected_and_lose_no_message_silently() {
    let Some(mut program) = browser("client_in_browser.mjs") else { return };
    let mut page = ChildProcess::start(program.arg(env!("CARGO_BIN_EXE_halloo")));
    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    let wrong = "The token is wrong. The server may have a new one: enter it, or open the invitation link again.";
    let expected = json!({
        "a stopped server is noticed after the page becomes visible, and no message is lost or doubled": {
            "outcome": "sent", "withinSixSeconds": true, "waiting": ["queued", 1],
            "texts": ["while stopped", "while away"], "joined": 2,
        },
        "a connection that swallows everything is replaced, and its messages arrive once": {
            "outcome": "sent", "withinSixSeconds": true, "texts": ["into nothing"], "left": 1,
        },
        "a visible page notices it when it sends": { "withinTenSeconds": true },
        "a connection that works is not replaced": { "joined": 1, "texts": [], "seen": ["open"] },
        "it is back within a second of the server's return, and reports what it cannot know": {
            "withinASecond": true, "unconfirmed": ["perhaps lost"], "texts": ["queued"],
        },
        "the queue is bounded": { "outcomes": ["queued", "queued", "full", "queued", "full"], "lengths": [1, 90, 1] },
        "offline and back": { "texts": ["offline"] },
        "the page comes back with the button of the browser": { "kept": [1, true], "joined": 2 },
        "below the path of a proxy": { "addresses": ["ws://HOST/game/", "ws://HOST/game/"] },
        "behind a proxy with another name": { "allowed": "ws://HOST", "refused": "game.example is not a name of this server" },
        "the token of the address is proved, hidden, and kept for the tab": {
            "addresses": ["/", "/?seat=3"], "refused": ["closed", "gaveup", wrong],
        },
        "access.js is asked for again when it does not arrive": {
            "joined": 1, "refused": "This server requires a token: enter it, or open the invitation link.",
        },
        "a page of another origin that is allowed": { "connected": true },
        "messages can be awaited until the link is closed": { "messages": ["a", "b"] },
    });
    for (case, expected) in expected.as_object().unwrap() {
        assert_eq!(&report[case], expected, "{case}");
    }
}
