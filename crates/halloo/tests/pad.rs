//! The pad, in Chromium.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::time::{Duration, Instant};

use halloo::{Config, Event, PadLayout, Server};
use halloo_test_support::{ChildProcess, ExpectEvent, browser, http_get, loopback};
use serde_json::{Value, json};

/// Returns when a pad has introduced itself.
fn expect_join(server: &Server) -> Value {
    loop {
        if let Event::MessageReceived { message, .. } = server.expect_event() {
            let message: Value = serde_json::from_str(message.text().unwrap()).unwrap();
            if message.get("join").is_some() {
                return message;
            }
        }
    }
}

#[test]
fn a_phone_plays_and_stays_the_same_player() {
    let Some(mut program) = browser("pad_in_browser.mjs") else { return };
    let layout: PadLayout = r#"{"left":"stick","right":["a","b"],"tilt":true}"#.parse().unwrap();
    let mut server = Server::start(Config::local().pad(layout.clone())).unwrap();
    let mut page = ChildProcess::start(program.arg(server.port().to_string()));
    while page.next_line() != "restart" {}
    let port = server.port();
    server.stop();
    server.restart(Config::local().pad(layout).port(port).strict_port(true)).unwrap();
    let start = Instant::now();
    let message = expect_join(&server);
    assert_eq!((&message["left"], &message["a"]), (&json!([0, 0]), &json!(0)), "the whole state comes with it");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());

    let report: Value = serde_json::from_str(&page.next_line_after("report ")).unwrap();
    let steps = json!({
        "two fingers": { "left": [1, 0], "a": 1 },
        "slide": { "a": 0, "b": 1 },
        "off": { "b": 0 },
        "cancelled": { "left": [0, 0], "a": 0 },
        "pressed": { "a": 1 },
        "blurred": { "a": 0 },
        "unblocked": [{ "left": [-1, 0] }],
        "tap": [{ "b": 1 }, { "b": 0 }],
        "keyDown": { "left": [-1, 0] },
        "keyUp": { "left": [0, 0] },
        "tilt": [10, 20, -30],
        "renamed": "Ada",
    });
    assert_eq!(report["steps"], steps, "{report:#}");
    assert_eq!((&report["findings"], &report["foreign"]), (&json!([]), &json!([])), "{report:#}");
    assert!(report["loaded"].as_array().unwrap().len() <= 3, "{report:#}");
    assert!((20..=61).contains(&report["perSecond"].as_u64().unwrap()), "{report:#}");
    assert!(report["shortest"].as_f64().unwrap() >= 14.0, "{report:#}");
    assert_eq!(report["whileBlocked"], json!(0));
    assert_eq!((&report["isSeat"], &report["sameSeat"], &report["name"]), (&json!(true), &json!(true), &json!("Ada")));
}

#[test]
fn a_game_changes_the_pad_and_hears_from_all_of_its_controls() {
    let Some(mut program) = browser("pad_and_game_in_browser.mjs") else { return };
    let server = Server::start(Config::local().pad(PadLayout::default())).unwrap();
    let mut page = ChildProcess::start(program.arg(server.port().to_string()));
    let report: Value = loop {
        let line = page.next_line();
        if let Some(text) = line.strip_prefix("game ") {
            let _ = server.send_to_all(text);
        } else if let Some(report) = line.strip_prefix("report ") {
            break serde_json::from_str(report).unwrap();
        }
    };
    let steps = json!({
        "another layout": [{ "b": 0 }, { "a": 0, "l": 0, "r": 0 }],
        "swipe": [{ "left": "right" }],
        "swipe on, then up": [{ "left": "up" }],
        "text": [{ "text": "42 ü" }, "Sent"],
        "color": "#123456",
        "vibrate": [[[30, 10, 30]], 0],
        "ping": [{ "pong": 7 }],
        "turned": [{ "left": [1, 0] }],
        "cancelled": [{ "left": [0, 0] }],
        "left-handed": true,
    });
    assert_eq!(report["steps"], steps, "{report:#}");
    let nothing = json!([]);
    assert_eq!((&report["exceptions"], &report["findings"]), (&nothing, &nothing), "{report:#}");
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings.len() == 2 && warnings[1].as_str().unwrap().contains("wheel"), "{report:#}");
}

#[test]
fn the_pad_is_the_page_only_on_request_and_loads_nothing_from_elsewhere() {
    let server = Server::start(Config::local()).unwrap();
    assert!(http_get(loopback(&server), "/", "").contains("<title>halloo</title>"));
    let pad = http_get(loopback(&server), "/_halloo/pad", "");
    assert!(pad.contains(r#""layout":{"left":"stick","right":["a","b"],"orientation":"any"}"#), "{pad}");
    let server = Server::start(Config::local().pad(PadLayout::default())).unwrap();
    let root = http_get(loopback(&server), "/", "");
    assert!(root.contains("src=\"_halloo/pad.js\""), "{root}");
    for page in [pad, root] {
        assert!(
            page.contains("Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'self';")
        );
    }
    let manifest = http_get(loopback(&server), "/_halloo/pad.webmanifest", "");
    assert!(manifest.contains("Content-Type: application/manifest+json"), "{manifest}");
}

#[test]
fn the_layout_at_the_root_is_replaced_while_the_server_runs() {
    let server = Server::start(Config::local().name("Tanks")).unwrap();
    let root = || http_get(loopback(&server), "/", "");
    server.set_pad(r#"{"middle":["buzz"]}"#.parse::<PadLayout>().unwrap()).unwrap();
    assert!(root().contains(r#"{"name":"Tanks","layout":{"middle":["buzz"],"orientation":"any"}}"#), "{}", root());
    server.set_pad(PadLayout::default()).unwrap();
    assert!(root().contains(r#""layout":{"left":"stick""#), "{}", root());
    server.set_pad(None).unwrap();
    assert!(root().contains("<title>halloo</title>"), "{}", root());
    assert!(http_get(loopback(&server), "/_halloo/pad", "").contains(r#""layout":{"left":"stick""#));
}
