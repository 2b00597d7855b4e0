//! Options that a refusal advises, given to the program literally, let the same request in.

use std::net::{IpAddr, Ipv4Addr};

use clap::{Args, Command, FromArgMatches};
use halloo::{AccessRules, SettingNames};
use halloo_proto::Time;
use halloo_proto::authenticator::{Authenticator, Challenger};
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::upgrade::{Decision, RequestContext, read_head};
use proptest::prelude::*;

use super::SettingArgs;

const LAN_PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 2));

/// Returns the body of the refusal of a request, if these rules refuse it.
fn refusal(rules: &AccessRules, host: &str, origin: Option<&str>) -> Option<String> {
    let mut rules = rules.clone();
    rules.setting_names = SettingNames::CommandLine;
    let origin = origin.map_or_else(String::new, |origin| format!("Origin: {origin}\r\n"));
    let head = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n{origin}\r\n");
    let context = RequestContext { ip: LAN_PEER, now: Time::ZERO, has_files: false, subprotocols: &[] };
    let mut authenticator = Authenticator::new(Challenger::new("5f0c9a3be1d24477", [7; 32]));
    match read_head(head.as_bytes(), context, &rules, &HandshakeLimits::default(), &mut authenticator) {
        Decision::Refuse { response, .. } => Some(String::from_utf8(response).unwrap()),
        _ => None,
    }
}

/// Returns the arguments in a text, which are between backticks, as a shell splits them.
fn advised(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2).filter(|part| part.starts_with("--"));
    quoted.flat_map(str::split_whitespace).map(|word| word.trim_matches('"').to_owned()).collect()
}

/// Follows the advice of a refusal, if there is any. Returns the options and the refusal of the same request with them.
fn follow(host: &str, origin: Option<&str>) -> Option<(Vec<String>, Option<String>)> {
    let text = refusal(&AccessRules::default(), host, origin)?;
    let arguments = advised(&text);
    if arguments.is_empty() {
        return None;
    }
    let command = SettingArgs::augment_args(Command::new("serve"));
    let line = std::iter::once("serve").chain(arguments.iter().map(String::as_str));
    let matches = command.try_get_matches_from(line).unwrap_or_else(|error| panic!("{text}: {error}"));
    let settings = SettingArgs::from_arg_matches(&matches).unwrap();
    Some((arguments, refusal(&settings.config.access, host, origin)))
}

#[test]
fn advised_options_let_known_requests_in() {
    let own = "192.168.77.1:8765";
    for (host, origin, options) in [
        (own, Some("file://"), &["--allowed-origins", "file://"][..]),
        (own, Some("null"), &["--allowed-origins", "null"]),
        (own, Some("http://play.example/"), &["--allowed-origins", "http://play.example"]),
        (own, Some("https://[2001:db8::1]:3000"), &["--allowed-origins", "https://[2001:db8::1]:3000"]),
        (own, Some("capacitor://localhost"), &["--allowed-origins", "capacitor://localhost"]),
        ("game.example.:80", None, &["--allowed-hosts", "game.example"]),
        ("game.example", Some("https://game.example"), &["--allowed-hosts", "game.example"]),
        ("game.example", Some("http://game.example:8080"), &["--allowed-hosts", "game.example"]),
        (
            "game.example:8765",
            Some("http://game.example"),
            &["--allowed-hosts", "game.example", "--allowed-origins", "http://game.example"],
        ),
    ] {
        let (arguments, refused) = follow(host, origin).expect("advice");
        assert_eq!(arguments, options, "{host}, {origin:?}");
        assert_eq!(refused, None, "{host}, {origin:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn advised_options_let_the_same_request_in(
        host in "(192\\.168\\.77\\.1|\\[::1\\]|[a-zA-Z0-9._-]{1,12}|[!-~]{1,12})(:[0-9]{0,5})?",
        origin in prop::option::of(
            "((http|https|file|app|ws|HTTP)://)?(\\[fd00::1\\]|[a-zA-Z0-9._-]{0,12}|[ -~]{0,12})(:[0-9]{0,5})?/{0,2}"
        ),
    ) {
        if let Some((arguments, refused)) = follow(&host, origin.as_deref()) {
            prop_assert_eq!(refused, None, "with {:?}", arguments);
        }
    }
}
