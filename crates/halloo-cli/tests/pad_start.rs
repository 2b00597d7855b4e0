//! What it takes in Chromium from the address of the pad to playing.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo_test_support::{ChildProcess, browser};
use serde_json::Value;

#[test]
fn a_cold_pad_plays_after_four_requests_and_60_kibibytes() {
    let Some(mut program) = browser("pad_start.mjs") else { return };
    let mut page = ChildProcess::start(program.args([env!("CARGO_BIN_EXE_halloo"), "2"]));
    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    for run in report.as_array().unwrap() {
        let (requests, bytes) = (run["requests"].as_u64().unwrap(), run["bytes"].as_u64().unwrap());
        // The document, two scripts and the WebSocket. `cargo xtask pad-start` also measures the time.
        assert_eq!(requests, 4, "{report:#}");
        assert!((10_000..=60 << 10).contains(&bytes), "{report:#}");
    }
}
