//! The entries of `allowed_origins` and `allowed_hosts`: what each matches, and which are invalid.

use std::net::{IpAddr, Ipv4Addr};

use halloo_proto::access::{AccessRules, is_host_setting, is_origin_setting};

const LAN_PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 2));

fn is_allowed(entry: &str, origin: &str) -> bool {
    let mut rules = AccessRules::default();
    rules.allowed_origins = vec![entry.into()];
    rules.check_origin(&[origin], "192.168.77.1:8765", LAN_PEER).is_ok()
}

#[test]
fn entry_matches_the_origins_it_describes() {
    for (entry, allowed, refused) in [
        // Any host with a port.
        (
            "http://*:5173",
            &["http://192.168.77.9:5173", "http://play.example:5173", "http://[::2]:5173"][..],
            &["http://192.168.77.9", "http://192.168.77.9:5174", "https://192.168.77.9:5173", "null"][..],
        ),
        ("https://*", &["https://play.example", "https://a.b:443"], &["https://a.b:444", "http://a.b"]),
        // Any port of a host.
        (
            "http://192.168.77.9:*",
            &["http://192.168.77.9", "http://192.168.77.9:1", "http://192.168.77.9:65535"],
            &["http://192.168.77.90:80", "http://x.192.168.77.9:80", "https://192.168.77.9"],
        ),
        ("http://*:*", &["http://a", "http://a:1"], &["https://a", "file://"]),
        // Subdomains.
        (
            "https://*.example.org",
            &["https://a.example.org", "https://A.b.Example.Org:443"],
            &[
                "https://example.org",
                "https://evilexample.org",
                "https://a.example.org.evil.example",
                "https://a.example.org:8443",
                "http://a.example.org",
                "https://.example.org",
            ],
        ),
        ("https://*.example.org:*", &["https://a.example.org:8443"], &["https://example.org:8443"]),
        // Different spellings of one origin.
        ("HTTP://Play.Example:80/", &["http://play.example"], &["http://play.example:81"]),
        ("https://play.example", &["https://play.example:443"], &["https://play.example:80"]),
        ("http://[0:0::2]:80", &["http://[::2]"], &["http://[::3]"]),
        // Schemes of apps.
        ("capacitor://localhost", &["capacitor://localhost"], &["capacitor://evil", "ionic://localhost"]),
        ("app://*", &["app://a", "app://b"], &["apps://a"]),
        ("null", &["null"], &["file://", "http://null"]),
        ("file://", &["file://", "file:///"], &["null", "file://server"]),
        ("*", &["https://a.b", "null", "file://", "a b"], &[]),
    ] {
        assert!(is_origin_setting(entry), "{entry}");
        for origin in allowed {
            assert!(is_allowed(entry, origin), "{entry} does not allow {origin}");
        }
        for origin in refused {
            assert!(!is_allowed(entry, origin), "{entry} allows {origin}");
        }
    }
}

#[test]
fn entry_that_cannot_match_is_invalid() {
    for entry in [
        "",
        "**",
        "Null",
        "example.org",
        "*.example.org",
        "*:5173",
        "*://example.org",
        "://example.org",
        "http://",
        "http://*.",
        "http://*example.org",
        "http://a*.example.org",
        "http://*.*.org",
        "http://a.*",
        "http://*.168.77.9",
        "http://*.0x1",
        "http://a:**",
        "http://a:1*",
        "http://a:1:*",
        "http://a:99999",
        "http://a:x",
        "http://a/path",
        "http://a//",
        "http://a?x",
        "http://a#x",
        "http://u@a",
        "http://a b",
        "http://bücher.example",
        "http://127.1",
        "http://[fe80::1%25eth0]",
        "http://[::1",
        "http://[*]:80",
        "ws://a",
        "wss://a",
        "file://server",
        "file:///page.html",
        "about:blank",
        "http://a,http://b",
        "-x://a",
        "http://-x",
    ] {
        assert!(!is_origin_setting(entry), "{entry:?}");
        for origin in ["http://a", "https://example.org", "ws:/a", "http://bücher.example"] {
            assert!(!is_allowed(entry, origin), "{entry:?} allows {origin}");
        }
    }
}

#[test]
fn host_is_a_name_without_a_port() {
    for host in
        ["game.example.org", "game.example.org.", "Game", "my_host.example", "192.168.1.5", "xn--mller-kva.example"]
    {
        assert!(is_host_setting(host), "{host}");
        let mut rules = AccessRules::default();
        rules.allowed_hosts = vec![host.into()];
        assert!(rules.check_host(&[&format!("{}:8765", host.to_uppercase())]).is_ok(), "{host}");
    }
    for host in
        ["", ".", "a..b", ".example.org", "a:80", "http://a", "*.a", "a b", "[::1]", "-x", "bücher.example", "a,b"]
    {
        assert!(!is_host_setting(host), "{host:?}");
    }
}
