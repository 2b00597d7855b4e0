//! Tables of `Host` and `Origin` headers, genuine and forged, each with the expected decision.

use std::net::IpAddr;

use halloo_proto::access::{AccessRules, Denied};
use halloo_proto::setting_names::SettingNames;
use halloo_proto::upgrade::Refusal;

const HERE: &str = "192.168.1.5:8765";

fn lan_peer() -> IpAddr {
    IpAddr::from([192, 168, 1, 9])
}

fn loopback() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}

fn origin_passes(origin: &str, host: &str, peer: IpAddr) -> bool {
    AccessRules::default().check_origin(&[origin], host, peer).is_ok()
}

#[test]
fn origin_from_another_machine_must_match_the_host() {
    let table = [
        // The page of this server, in every spelling.
        ("http://192.168.1.5:8765", true),
        ("https://192.168.1.5:8765", true),
        ("HTTP://192.168.1.5:8765", true),
        ("chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb", true),
        ("moz-extension://1f6ee0a4-2f3a-4d6c-9f0f-0a3c8d2e1b11", true),
        ("safari-web-extension://AF60B2A8-7C6F-4B3C-8A40-5C2A6E1B9D3E", true),
        // No particular site.
        ("null", false),
        ("NULL", false),
        ("*", false),
        ("file://", false),
        ("file:///home/anna/page.html", false),
        ("about:blank", false),
        ("about:srcdoc", false),
        ("data:text/html,x", false),
        ("blob:http://192.168.1.5:8765", false),
        ("javascript://192.168.1.5:8765", false),
        // Another site.
        ("http://evil.com", false),
        ("https://evil.com", false),
        ("http://evil.com:8765", false),
        ("HTTP://EVIL.COM:8765", false),
        ("http://192.168.1.6:8765", false),
        ("http://192.168.1.50:8765", false),
        ("http://xn--bcher-kva.example", false),
        ("http://bücher.example", false),
        ("http://１９２.168.1.5:8765", false),
        ("http://192。168。1。5:8765", false),
        ("http://evil.local:8765", false),
        // Another port, or none.
        ("http://192.168.1.5", false),
        ("https://192.168.1.5", false),
        ("http://192.168.1.5:80", false),
        ("http://192.168.1.5:8766", false),
        ("http://192.168.1.5:876", false),
        ("http://192.168.1.5:87650", false),
        ("http://192.168.1.5:74301", false), // 8765 + 65536
        ("http://192.168.1.5:+8765", false),
        ("http://192.168.1.5:-1", false),
        ("http://192.168.1.5:", false),
        ("http://192.168.1.5:8765:8765", false),
        ("http://192.168.1.5:0x223d", false),
        // The origin of this server as part of another.
        ("http://192.168.1.5:8765.evil.com", false),
        ("http://192.168.1.5.evil.com:8765", false),
        ("http://192.168.1.5:8765@evil.com", false),
        ("http://evil.com@192.168.1.5:8765", false),
        ("http://a:b@192.168.1.5:8765", false),
        ("http://evil.com\\192.168.1.5:8765", false),
        ("http://evil.com\\@192.168.1.5:8765", false),
        ("evil://http://192.168.1.5:8765", false),
        ("http://evil.com, http://192.168.1.5:8765", false),
        ("http://192.168.1.5:8765, http://evil.com", false),
        ("http://192.168.1.5:8765 http://evil.com", false),
        // Not an origin.
        ("//192.168.1.5:8765", false),
        ("http:192.168.1.5:8765", false),
        ("http:/192.168.1.5:8765", false),
        ("http:///192.168.1.5:8765", false),
        (" http://192.168.1.5:8765", false),
        ("http://", false),
        ("://192.168.1.5:8765", false),
        ("ftp://192.168.1.5:8765", false),
        ("httpx://192.168.1.5:8765", false),
        // Other spellings of the same address are other origins to a browser.
        ("http://3232235781:8765", false),
        ("http://0xc0a80105:8765", false),
        ("http://192.168.261:8765", false),
        ("http://[::ffff:192.168.1.5]:8765", false),
        // Loopback, but not from loopback.
        ("http://localhost:8765", false),
        ("http://127.0.0.1:8765", false),
        ("http://[::1]:8765", false),
        ("http://0.0.0.0:8765", false),
        // Browser extensions, well-formed and malformed.
        ("chrome-extension://", false),
        ("chrome-extension://a/b", false),
        ("chrome-extension://a@b", false),
        ("moz-extension://evil.com", false),
        ("xchrome-extension://abc", false),
        ("chrome-extension://abcdef", true),
        ("moz-extension://0a-1b", true),
        ("safari-web-extension://X", true),
        ("http://a@192.168.1.5:8765", false),
        ("http://localhost:3000", false),
        ("http://[::1]:1", false),
        ("http://192.168.1.5:08765x", false),
        ("data:text/html", false),
        ("http://0:8765", false),
    ];
    assert!(table.len() >= 60);
    for (origin, expected) in table {
        assert_eq!(origin_passes(origin, HERE, lan_peer()), expected, "{origin:?}");
    }
}

#[test]
fn loopback_origin_is_accepted_from_loopback() {
    for (origin, expected) in [
        ("http://localhost:5173", true),
        ("https://localhost", true),
        ("http://LOCALHOST:3000", true),
        ("http://app.localhost:3000", true),
        ("http://127.0.0.1:8000", true),
        ("http://127.8.9.1", true),
        ("http://[::1]:8000", true),
        ("http://localhost.evil.com", false),
        ("http://127.0.0.1.evil.com", false),
        ("http://evillocalhost", false),
        ("http://evil.com:8765", false),
        ("http://localhost@evil.com", false),
        ("http://0.0.0.0:3000", false),
        ("http://127.1", false),
        ("http://2130706433", false),
        ("http://[::2]", false),
        ("http://.localhost", false),
        ("ftp://localhost", false),
        ("null", false),
        ("file://", false),
        ("http://evil.com", false),
    ] {
        for peer in [loopback(), "::1".parse().unwrap(), "::ffff:127.0.0.1".parse().unwrap()] {
            assert_eq!(origin_passes(origin, "127.0.0.1:8765", peer), expected, "{origin:?} from {peer}");
        }
    }
}

#[test]
fn scheme_implies_its_default_port() {
    for (origin, host, expected) in [
        ("http://game.local", "game.local", true),
        ("http://game.local", "game.local:80", true),
        ("http://game.local:80", "game.local", true),
        ("https://game.local", "game.local:443", true),
        ("https://game.local:443", "game.local", true),
        ("https://game.local", "game.local:80", false),
        ("http://game.local", "game.local:443", false),
        ("http://GAME.local:8765", "game.LOCAL:8765", true),
        ("http://[fe80::1]:8765", "[fe80::1]:8765", true),
        ("http://[fe80::1]:8765", "[fe80::2]:8765", false),
    ] {
        assert_eq!(origin_passes(origin, host, lan_peer()), expected, "{origin} at {host}");
    }
}

#[test]
fn host_must_be_an_ip_address_or_a_local_name() {
    let table = [
        ("127.0.0.1", true),
        ("127.0.0.1:8765", true),
        ("192.168.1.5:8765", true),
        ("8.8.8.8:8765", true), // an IP address cannot be rebound
        ("[::1]:8765", true),
        ("[FE80::1]", true),
        ("[::ffff:10.0.0.1]:8765", true),
        ("localhost", true),
        ("LocalHost:8765", true),
        ("localhost.", true),
        ("app.localhost:8765", true),
        ("anna.local", false),
        ("ANNA.LOCAL.:8765", false),
        ("a.b.local", false),
        ("", false),
        (":8765", false),
        (".", false),
        ("evil.com", false),
        ("EVIL.COM:8765", false),
        ("127.0.0.1.evil.com", false),
        ("127.0.0.1.evil.com:8765", false),
        ("192.168.1.5.nip.io:8765", false),
        ("localhost.evil.com", false),
        ("evil.localhost.com", false),
        ("anna.local.evil.com", false),
        ("evillocal", true),
        ("evil-localhost", true),
        ("local", true),
        (".local", false),
        ("a..local", false),
        ("localhost..", false),
        ("127.1", false),
        ("127.0.1", false),
        ("127.0.0.1.1", false),
        ("127.0.0.256", false),
        ("127.0.0.01", false),
        ("0x7f000001", false),
        ("0x7f.0.0.1", false),
        ("2130706433", false),
        ("::1", false),
        ("::1:8765", false),
        ("[::1", false),
        ("[::1]x", false),
        ("[::1]evil.com", false),
        ("[::1].evil.com", false),
        ("[evil.com]", false),
        ("[127.0.0.1]", false),
        ("[]", false),
        ("localhost:", true),
        ("localhost:port", false),
        ("localhost:-1", false),
        ("localhost:+80", false),
        ("localhost:99999", false),
        ("localhost:80:80", false),
        ("localhost:80@evil.com", false),
        ("evil.com:80@localhost", false),
        ("user@localhost", false),
        ("http://localhost", false),
        ("localhost/", false),
        ("localhost/.evil.com", false),
        ("evil.com/.local", false),
        ("evil.com#.local", false),
        ("evil.com?.local", false),
        ("evil.com\\.local", false),
        ("evil.com .local", false),
        ("evil.com%00.local", false),
        ("localhost, evil.com", false),
        ("localhost evil.com", false),
        ("ёvil.local", false),
        ("ⓛocalhost", false),
        ("127。0。0。1", false),
        ("192.168.1.5:1", true),
        ("[fe80::1]", true),
        ("LOCALHOST:80", true),
        ("a.localhost", true),
        ("box.local", false),
        ("box.local.:8765", false),
        ("evil.com:8765", false),
        ("localhost/x", false),
        ("0x7f.1", false),
        ("local.evil", false),
        ("127.0.0.1:8765:1", false),
        ("mylocalhost", true),
        ("localhost,evil.com", false),
        ("xn--local", true),
        ("127.0.0.1 evil.com", false),
    ];
    assert!(table.len() >= 40);
    for (host, expected) in table {
        assert_eq!(AccessRules::default().check_host(&[host]).is_ok(), expected, "{host:?}");
    }
    for several in [&[][..], &["localhost", "localhost"], &["localhost", "evil.com"], &["127.0.0.1"; 3]] {
        assert_eq!(AccessRules::default().check_host(several), Err(Denied::MissingHost), "{several:?}");
    }
}

#[test]
fn own_and_allowed_host_names_are_accepted() {
    let mut rules = AccessRules::default();
    rules.own_host = Some("annas-laptop".into());
    rules.allowed_hosts = vec!["game.example".into()];
    for (host, expected) in [
        ("annas-laptop:8765", true),
        ("ANNAS-LAPTOP", true),
        ("annas-laptop.", true),
        ("game.example:80", true),
        ("annas-laptop.evil.com", false),
        ("x.annas-laptop", false),
        ("x.game.example", false),
        ("game.example.evil.com", false),
        ("gameXexample.org", false),
    ] {
        assert_eq!(rules.check_host(&[host]).is_ok(), expected, "{host}");
    }
}

#[test]
fn allowed_origins_are_accepted() {
    let mut rules = AccessRules::default();
    rules.allowed_origins = vec!["https://Play.Example/".into(), "null".into()];
    for (origin, expected) in [
        ("https://play.example", true),
        ("null", true),
        ("http://play.example", false),
        ("https://play.example:8443", false),
        ("https://play.example.evil.com", false),
        ("https://x.play.example", false),
        ("file://", false),
    ] {
        assert_eq!(rules.check_origin(&[origin], HERE, lan_peer()).is_ok(), expected, "{origin}");
    }
    rules.allowed_origins = vec!["*".into()];
    assert!(rules.check_origin(&["https://anything.example"], HERE, lan_peer()).is_ok());
    // Two origins are refused even if every origin is allowed.
    assert!(rules.check_origin(&["http://a.example", "http://a.example"], HERE, lan_peer()).is_err());
    assert!(rules.check_origin(&[], HERE, lan_peer()).is_ok());
}

/// Returns the refusal as a command-line program describes it.
fn described(denied: Denied) -> String {
    Refusal::from(denied).describe(SettingNames::CommandLine)
}

#[test]
fn refusal_names_the_option_that_would_allow_the_request() {
    let rules = AccessRules::default();
    for (origin, option) in [
        ("http://play.example:3000", "http://play.example:3000"),
        ("https://[2001:db8::1]", "\"https://[2001:db8::1]\""),
        ("null", "null"),
        ("file://", "file://"),
        ("HTTP://Play.Example./", "http://play.example"),
    ] {
        let text = rules.check_origin(&[origin], HERE, lan_peer()).map_err(described).unwrap_err();
        assert!(text.contains(&format!("`--allowed-origins {option}`")), "{text}");
    }
    let long = format!("https://{}.example", "a".repeat(180));
    assert!(
        rules.check_origin(&[&long], HERE, lan_peer()).map_err(described).unwrap_err().contains(&format!("{long}`"))
    );
    let text = rules.check_host(&["Game.Example:8765"]).map_err(described).unwrap_err();
    assert!(text.contains("`--allowed-hosts game.example`"), "a port would not match: {text}");
}

#[test]
fn refusal_never_suggests_text_that_a_shell_would_execute() {
    let rules = AccessRules::default();
    for text in [
        "http://x$(reboot)",
        "http://`id`",
        "http://x;id",
        "http://x|id",
        "a b",
        "http://x\u{202e}y",
        "http://x\ny",
        "-x",
    ] {
        let origin = rules.check_origin(&[text], HERE, lan_peer()).map_err(described).unwrap_err();
        assert!(!origin.contains("--allowed-origins"), "{origin}");
        let host = rules.check_host(&[text]).map_err(described).unwrap_err();
        assert!(!host.contains("--allowed-hosts"), "{host}");
        for shown in [origin, host] {
            assert!(!shown.contains(['\n', '\u{202e}']), "{shown:?}");
        }
    }
}

#[test]
fn only_peers_on_local_networks_may_connect() {
    let rules = AccessRules::default();
    let attached = [("203.0.113.7".parse().unwrap(), 24), ("2001:db8:1::7".parse().unwrap(), 64)];
    for (peer, expected) in [
        ("127.255.0.1", true),
        ("10.255.255.255", true),
        ("11.0.0.0", false),
        ("172.16.0.0", true),
        ("172.15.255.255", false),
        ("192.169.0.1", false),
        ("169.254.255.255", true),
        ("100.127.255.255", true),
        ("100.63.255.255", false),
        ("203.0.113.200", true),
        ("203.0.114.1", false),
        ("::ffff:203.0.113.9", true),
        ("::ffff:8.8.8.8", false),
        ("febf::1", true),
        ("fec0::1", false),
        ("fc00::1", true),
        ("2001:db8:1::99", true),
        ("2001:db8:2::1", false),
        ("0.0.0.0", false),
        ("::", false),
        ("127.0.0.1", true),
        ("10.1.2.3", true),
        ("172.31.0.1", true),
        ("172.32.0.1", false),
        ("192.168.0.9", true),
        ("169.254.1.1", true),
        ("100.64.0.1", true),
        ("100.128.0.1", false),
        ("8.8.8.8", false),
        ("::1", true),
        ("fd00::1", true),
        ("fe80::1", true),
        ("2001:db8::1", false),
        ("::ffff:10.0.0.1", true),
    ] {
        assert_eq!(rules.allows_peer(peer.parse().unwrap(), &attached), expected, "{peer}");
    }
    let everything = [("0.0.0.0".parse().unwrap(), 0), ("10.0.0.1".parse().unwrap(), 255)];
    assert!(!rules.allows_peer("8.8.8.8".parse().unwrap(), &everything));
    let mut public = AccessRules::default();
    public.allow_public = true;
    assert!(public.allows_peer("8.8.8.8".parse().unwrap(), &[]));
}

#[test]
fn malformed_headers_cannot_look_like_advice() {
    let text = "`--allow-public`";
    let host = AccessRules::default().check_host(&[text]).unwrap_err();
    let origin = AccessRules::default().check_origin(&[text], HERE, lan_peer()).unwrap_err();
    for denied in [host, origin] {
        let refusal = Refusal::from(denied).describe(SettingNames::CommandLine);
        assert!(refusal.contains("'--allow-public'") && !refusal.contains('`'), "{refusal}");
    }
}
