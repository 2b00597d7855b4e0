//! A page that Vite has built, in Chromium.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo_test_support::{ChildProcess, TempDir, vite};
use serde_json::{Value, json};

#[test]
fn a_page_connects_as_vite_built_it_and_while_vite_serves_it() {
    let Some(mut program) = vite("vite_page_in_browser.mjs") else { return };
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let mut page = ChildProcess::start(program.arg(env!("CARGO_BIN_EXE_halloo")).arg(directory.path()));
    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    let shown = json!({
        "state": "Connected", "color": "rgb(0, 128, 0)", "image": 7, "messages": ["hello from the server"],
    });
    let expected = json!({ "files": ["index.css", "index.js", "tank.svg"], "built": shown, "developed": shown });
    assert_eq!(report, expected, "{report:#}");
}
