//! The pad and the page in WebKit.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo_test_support::{ChildProcess, webkit};
use serde_json::{Value, json};

#[test]
fn a_pad_plays_and_reconnects_in_webkit() {
    let Some(mut program) = webkit("pad_in_webkit.mjs") else { return };
    let mut page = ChildProcess::start(program.arg(env!("CARGO_BIN_EXE_halloo")));
    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    let expected = json!({
        "restarted": { "sameSeat": true, "a": 0 },
        "returned": { "sameSeat": true },
        "page": true,
    });
    assert_eq!(report, expected, "{report:#}");
}
