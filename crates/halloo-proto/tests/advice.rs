//! Advice in refusals: following it literally lets the same request in.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::{IpAddr, Ipv4Addr};

use halloo_proto::Time;
use halloo_proto::access::{AccessRules, Denied, is_host_setting, is_origin_setting};
use halloo_proto::authenticator::{Authenticator, Challenger};
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::setting_names::SettingNames;
use halloo_proto::upgrade::{Decision, Refusal, RequestContext, read_head};
use proptest::prelude::*;

const LAN_PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 2));

/// Hosts, genuine, foreign and malformed.
fn host() -> impl Strategy<Value = String> {
    let names = [
        "192.168.77.1",
        "[::1]",
        "[fe80::1%25eth0]",
        "localhost",
        "den",
        "den.lan",
        "den.local",
        "evil.example",
        "Evil.Example.",
        "127.1",
        "0x7f.1",
        "x_y.example",
        "-x.example",
        "a..b",
        "[evil.example]",
        "xn--bcher-kva.example",
        "",
    ];
    let ports = ["", ":", ":80", ":443", ":8765", ":08765", ":99999", ":x"];
    (prop::sample::select(names.to_vec()), prop::sample::select(ports.to_vec()))
        .prop_map(|(name, port)| format!("{name}{port}"))
}

fn origin() -> impl Strategy<Value = String> {
    let schemes = [
        "http://",
        "https://",
        "HTTP://",
        "ws://",
        "wss://",
        "file://",
        "app://",
        "chrome-extension://",
        "moz+x://",
        "",
        "://",
        "blob:http://",
    ];
    let tails = ["", "/", "//", "/path", "?q", "#f", "/a,b", "/a b"];
    let built = (prop::sample::select(schemes.to_vec()), host(), prop::sample::select(tails.to_vec()))
        .prop_map(|(scheme, host, tail)| format!("{scheme}{host}{tail}"));
    let odd =
        prop::sample::select(vec!["", "null", "NULL", "*", "file://", "file:///", "file:///a", "about:blank", "a b"])
            .prop_map(str::to_owned);
    prop_oneof![8 => built, 1 => odd, 2 => "[ -~]{0,40}"]
}

/// Returns the refusal of a request by these rules, if they refuse it.
fn refusal(rules: &AccessRules, host: &str, origins: &[String], peer: IpAddr) -> Option<Refusal> {
    let origins: String = origins.iter().map(|origin| format!("Origin: {origin}\r\n")).collect();
    let head = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n{origins}\r\n");
    let context = RequestContext { ip: peer, now: Time::ZERO, has_files: false, subprotocols: &[] };
    match read_head(head.as_bytes(), context, rules, &HandshakeLimits::default(), &mut authenticator()) {
        Decision::Respond { .. } => None,
        Decision::Refuse { reason, .. } => Some(reason),
        other => panic!("{other:?}"),
    }
}

/// An authenticator without history.
fn authenticator() -> Authenticator {
    Authenticator::new(Challenger::new("5f0c9a3be1d24477", [7; 32]))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    #[test]
    fn settings_that_a_refusal_advises_let_the_same_request_in(
        host in host(),
        origins in prop::collection::vec(origin(), 0..3),
        near in any::<bool>(),
    ) {
        let peer = if near { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { LAN_PEER };
        let mut rules = AccessRules::default();
        rules.own_host = Some("den".into());
        let Some(refused) = refusal(&rules, &host, &origins, peer) else { return Ok(()) };
        let Refusal::Denied(denied) = &refused else { return Err(TestCaseError::fail(format!("{refused:?}"))) };
        let remedies = denied.remedies();
        for names in [SettingNames::Rust, SettingNames::CommandLine, SettingNames::Godot] {
            prop_assert_eq!(denied.advice(names).is_some(), !remedies.is_empty());
            for (setting, value) in &remedies {
                prop_assert!(refused.describe(names).contains(&names.add(setting, value)));
            }
        }
        for (setting, value) in &remedies {
            match *setting {
                "allowed_hosts" => {
                    prop_assert!(is_host_setting(value), "{}", value);
                    rules.allowed_hosts.push((*value).to_owned());
                }
                "allowed_origins" => {
                    prop_assert!(is_origin_setting(value), "{}", value);
                    rules.allowed_origins.push((*value).to_owned());
                }
                other => prop_assert!(false, "{}", other),
            }
        }
        if !remedies.is_empty() {
            prop_assert_eq!(refusal(&rules, &host, &origins, peer), None);
        }
    }
}

#[test]
fn request_that_needs_two_settings_is_told_both_at_once() {
    let rules = AccessRules::default();
    let refused = refusal(&rules, "game.example:8765", &["https://play.example".into()], LAN_PEER).unwrap();
    let text = refused.describe(SettingNames::CommandLine);
    assert!(text.contains("`--allowed-hosts game.example` and use `--allowed-origins https://play.example`"), "{text}");
    // No setting helps a malformed origin, so none is advised.
    let refused = refusal(&rules, "game.example", &["a b".into()], LAN_PEER).unwrap();
    assert!(matches!(refused, Refusal::Denied(Denied::MalformedOrigin(_))), "{refused}");
}
