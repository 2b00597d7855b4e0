//! Names of this machine on a local network, and proxies in front of it.

use std::net::{IpAddr, Ipv4Addr};

use halloo_proto::access::{AccessRules, Denied};

const LAN_PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 2));

fn rules(own_host: &str) -> AccessRules {
    let mut rules = AccessRules::default();
    rules.own_host = Some(own_host.into());
    rules
}

#[test]
fn name_that_is_not_in_the_public_dns_is_accepted() {
    for (host, expected) in [
        // The own name with the suffix of a router.
        ("den.lan:8765", true),
        ("DEN.LAN.", true),
        ("den.home", true),
        ("den.localdomain", true),
        ("den.corp:8765", true),
        ("other.lan", false),
        ("x.den.lan", false),
        ("den.lan.evil.example", false),
        ("den.example", false),
        ("den.", true),
        // Domains for local use.
        ("den.home.arpa:8765", true),
        ("other.home.arpa", true),
        ("den.internal", true),
        ("a.b.internal", true),
        ("home.arpa", false),
        ("evilhome.arpa", false),
        ("home.arpa.evil.example", false),
        ("in-addr.arpa", false),
        // An alias without a dot.
        ("games", true),
        ("games:8765", true),
        ("my_server", true),
        ("2130706433", false),
        ("0x7f000001", false),
        // An empty port.
        ("127.0.0.1:", true),
        ("localhost:", true),
        ("[::1]:", true),
        ("evil.example:", false),
        (":", false),
        // The zone of a link-local address.
        ("[fe80::1%25eth0]:8765", true),
        ("[fe80::1%eth0]:8765", true),
        ("[fe80::1%2]", true),
        ("[fe80::1%25]", true),
        ("[fe80::1%]", false),
        ("[fe80::1%a b]", false),
        ("[fe80::1%eth0]evil.example", false),
        ("192.168.77.1%eth0", false),
        ("evil.example%eth0", false),
    ] {
        for own in ["den", "den.fritz.box", "Den."] {
            assert_eq!(rules(own).check_host(&[host]).is_ok(), expected, "{host} on {own}");
        }
    }
    assert!(rules("den.fritz.box").check_host(&["den.fritz.box:8765"]).is_ok());
    assert!(AccessRules::default().check_host(&["den.lan"]).is_err());
}

#[test]
fn only_own_names_under_local_are_accepted() {
    let table = [
        ("den.local:8765", true),
        ("DEN.LOCAL.", true),
        ("living-room-2.local", true),
        ("living-room.local", false),
        ("evil.local:8765", false),
        ("x.den.local", false),
        ("den.local.evil.example", false),
        ("den.local.local", false),
    ];
    let mut named = rules("den");
    named.local_names = vec!["den.local".into(), "living-room-2.local".into()];
    for (host, expected) in table {
        assert_eq!(named.check_host(&[host]).is_ok(), expected, "{host}");
        // Neither the name of the system nor a page of the same name makes it a name of a server that has none.
        for own in ["den", "den.local", "evil.local"] {
            assert!(rules(own).check_host(&[host]).is_err(), "{host} on {own}");
        }
    }
    let denied = named.check_page(&["evil.local:8765"], &["http://evil.local:8765"], LAN_PEER).unwrap_err();
    assert_eq!(denied.remedies(), [("allowed_hosts", "evil.local")]);
    named.allowed_hosts = vec!["evil.local".into()];
    assert!(named.check_page(&["evil.local:8765"], &["http://evil.local:8765"], LAN_PEER).is_ok());
}

#[test]
fn page_at_a_link_local_address_may_connect() {
    for host in ["[fe80::1%25eth0]:8765", "[fe80::1]:8765"] {
        assert!(rules("den").check_origin(&["http://[fe80::1]:8765"], host, LAN_PEER).is_ok(), "{host}");
    }
}

#[test]
fn proxy_that_leaves_out_the_port_of_a_configured_host_needs_no_second_setting() {
    let mut rules = AccessRules::default();
    let origin = ["http://game.example:8080"];
    let unknown = |origin: Option<&str>| {
        Err(Denied::UnknownHost { name: "game.example".into(), origin: origin.map(str::to_owned) })
    };
    assert_eq!(rules.check_page(&["game.example"], &origin, LAN_PEER), unknown(None));
    // With a port that is not the page's, the origin has to be allowed, too.
    let port = ["game.example:8765"];
    assert_eq!(rules.check_page(&port, &origin, LAN_PEER), unknown(Some("http://game.example:8080")));
    rules.allowed_hosts = vec!["game.example".into()];
    assert_eq!(rules.check_page(&["game.example"], &origin, LAN_PEER), Ok(Some(origin[0])));
    assert!(rules.check_page(&["game.example"], &["https://game.example:8443"], LAN_PEER).is_ok());
    assert!(rules.check_page(&port, &origin, LAN_PEER).is_err());
    assert!(rules.check_page(&["game.example"], &["http://evil.example:8080"], LAN_PEER).is_err());
    // Other ports of a host that is not configured are other sites.
    for host in ["192.168.77.1", "den.local", "localhost"] {
        let origin = format!("http://{host}:8080");
        assert!(rules.check_page(&[host], &[&origin], LAN_PEER).is_err(), "{host}");
    }
}
