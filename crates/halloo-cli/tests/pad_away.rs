//! The pad in Chromium, when the server, the network or the phone is away for a while.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo_test_support::{ChildProcess, browser};
use serde_json::{Value, json};

#[test]
fn a_pad_comes_back_as_the_same_player_with_its_controls_released() {
    let Some(mut program) = browser("pad_away_in_browser.mjs") else { return };
    let mut page = ChildProcess::start(program.arg(env!("CARGO_BIN_EXE_halloo")));
    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    let released = json!([[0, 0], 0]);
    let expected = json!({
        "the server is killed and comes back": {
            "withinASecond": true, "sameSeat": true, "pressedWhileAway": false, "state": released,
        },
        "the player leaves the page and comes back": { "persisted": true, "sameSeat": true, "state": released },
        "the network goes and comes back": { "sameSeat": true, "state": released },
        "a slow phone shows the page again after its connection died": { "noticedWithinSixSeconds": true, "sameSeat": true },
    });
    assert_eq!(report, expected, "{report:#}");
}
