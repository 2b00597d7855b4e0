//! Pages with TLS and without on one port, in Chromium.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::fs;
use std::process::Stdio;

use common::{JsonServer, LOCAL_SERVER, halloo};
use halloo_test_support::{ChildProcess, TempDir, browser, python};
use serde_json::{Value, json};

const TOKEN: &str = "the-otters-meet-at-nine";

#[test]
fn a_phone_goes_over_to_the_secure_page_while_a_plain_client_stays_connected() {
    let (Some(mut program), Some(mut dashboard)) = (browser("secure_page_in_browser.mjs"), python("dashboard.py"))
    else {
        return;
    };
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let layout = directory.path().join("layout.json");
    fs::write(&layout, r#"{"left":"stick","right":["a"],"tilt":true}"#).unwrap();
    // The certificate is stored below the home directory.
    let mut command = halloo(&LOCAL_SERVER);
    command.env("HOME", directory.path()).env_remove("XDG_DATA_HOME").stderr(Stdio::null());
    command.args(["--tls=both", "--token", TOKEN, "--allowed-hosts", "game.example", "--pad"]).arg(layout);
    let mut server = JsonServer::start(&mut command);

    let mut dashboard = ChildProcess::start(dashboard.arg(format!("{}/?token={TOKEN}", server.url())));
    assert_eq!(dashboard.next_line(), "open None");
    let mut page = ChildProcess::start(program.args([&server.port.to_string(), TOKEN]));
    while page.next_line() != "playing" {}
    let is_tilt = |event: &Value| event["text"].as_str().is_some_and(|text| text.contains(r#""tilt":[10,20,-30]"#));
    let tilt = server.process.next_matching(is_tilt);
    server.process.write_line(&json!({"cmd": "send_to_all", "text": r#"{"text":"Go!"}"#}).to_string());
    assert_eq!(dashboard.next_line(), r#"{"text":"Go!"}"#);

    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    let expected = json!({
        "plain": {
            "protocol": "http:", "secure": false, "address": "/", "lock": [], "film": 1,
            "offer": "Tilt and keeping the screen on need the secure page. Your phone will warn once: continue.",
        },
        "warned": true,
        "secure": { "protocol": "https:", "secure": true, "address": "/", "lock": ["held"], "film": 0, "offer": null },
        "samePlayer": true,
    });
    assert_eq!(report, expected, "{report:#}");
    server.process.write_line(&json!({"cmd": "send", "client": tilt["client"], "text": "x"}).to_string());
    server.process.stop();
}
