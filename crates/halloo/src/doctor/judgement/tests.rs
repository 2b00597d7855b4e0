//! Each case changes one thing of a machine on which all is well.

use super::*;

fn interface(name: &str, addr: [u8; 4], rank: usize) -> InterfaceFacts {
    InterfaceFacts {
        name: name.into(),
        addr: addr.into(),
        rank: Some(rank),
        reason: "private address, physical".into(),
        default_route: rank == 1,
        is_virtual: false,
        is_tunnel: false,
        broadcast: Echo::Heard,
        multicast: Echo::Heard,
    }
}

fn well() -> Facts {
    let addrs = [[192, 168, 1, 5].into(), [10, 0, 0, 4].into(), [127, 0, 0, 1].into()];
    let holder = Holder { pid: 12, program: "halloo".into() };
    let port = |protocol, port| PortFacts { protocol, port, in_use: true, holders: vec![holder.clone()] };
    Facts {
        platform: "linux",
        interfaces: vec![interface("wlan0", [192, 168, 1, 5], 1), interface("eth0", [10, 0, 0, 4], 2)],
        ports: vec![port("TCP", 8765), port("UDP", 8766)],
        discovery_port: Some(8766),
        multicast_error: None,
        servers: vec![ServerFacts {
            id: "a1".into(),
            name: "den".into(),
            port: 8765,
            here: true,
            answered_via: addrs.to_vec(),
            connects: addrs.to_vec(),
            refuses: Vec::new(),
        }],
        firewalls: Vec::new(),
    }
}

/// The findings that are not as they should be, after `change`.
fn wrong(change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let mut facts = well();
    change(&mut facts);
    judge(&facts, None).into_iter().filter(|finding| finding.severity != Severity::Ok).collect()
}

/// The only one of them: what it is about, how it stands, and text and advice in one.
#[track_caller]
fn only(change: impl FnOnce(&mut Facts)) -> (&'static str, Severity, String) {
    let mut wrong = wrong(change);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    let finding = wrong.remove(0);
    (finding.about, finding.severity, format!("{}; {}", finding.text, finding.advice.expect("what to do")))
}

#[test]
fn all_is_well() {
    let findings = judge(&well(), None);
    assert!(
        findings.iter().all(|finding| finding.severity == Severity::Ok && finding.advice.is_none()),
        "{findings:?}"
    );
    assert!(findings.len() < 12, "more than fits on a screen with the rest");
}

#[test]
fn no_network() {
    let (about, severity, text) = only(|facts| {
        facts.interfaces.iter_mut().for_each(|interface| {
            (interface.rank, interface.broadcast, interface.multicast) = (None, Echo::NotTried, Echo::NotTried);
        });
    });
    assert_eq!((about, severity), ("network", Severity::Fail));
    assert!(text.contains("connect to a Wi-Fi"), "{text}");
}

#[test]
fn addresses_that_work_for_few() {
    let own = wrong(|facts| facts.interfaces[1].addr = [169, 254, 1, 1].into());
    assert!(own[0].about == "network" && own[0].advice.as_ref().is_some_and(|it| it.contains("DHCP")), "{own:?}");
    let public = wrong(|facts| facts.interfaces[0].addr = [203, 0, 113, 5].into());
    assert!(public[0].advice.as_ref().is_some_and(|advice| advice.contains("allow_public")), "{public:?}");
    let shared = wrong(|facts| facts.interfaces[0].addr = [100, 64, 0, 1].into());
    assert!(shared.iter().all(|finding| finding.about != "network"), "{shared:?}");
}

#[test]
fn a_vpn_takes_everything() {
    let (about, severity, text) = only(|facts| facts.interfaces[0].is_tunnel = true);
    assert_eq!((about, severity), ("vpn", Severity::Warn));
    assert!(text.contains("wlan0") && text.contains("VPN's settings"), "{text}");
    assert!(wrong(|facts| facts.interfaces[1].is_tunnel = true).is_empty(), "it is not the default route");
}

#[test]
fn a_broadcast_that_is_swallowed_names_the_command_of_the_platform() {
    let cases = [
        ("linux", None, "nft list ruleset"),
        ("linux", Some("ufw"), "sudo ufw allow 8765:8774/tcp"),
        ("linux", Some("firewalld"), "firewall-cmd --add-port=8765-8774/tcp"),
        ("windows", None, "netsh advfirewall"),
        ("macos", None, "Local Network"),
        ("android", None, "ACCESS_LOCAL_NETWORK"),
        ("ios", None, "NSLocalNetworkUsageDescription"),
    ];
    for (platform, name, advice) in cases {
        let (about, severity, text) = only(|facts| {
            facts.platform = platform;
            facts.firewalls = name.map(|name| FirewallFacts { name, lets_in: Some(true) }).into_iter().collect();
            facts.interfaces[0].broadcast = Echo::Silent;
        });
        assert_eq!((about, severity), ("broadcast", Severity::Fail), "{platform}");
        assert!(text.contains("did not come back on wlan0") && text.contains(advice), "{platform}: {text}");
    }
}

#[test]
fn a_broadcast_that_may_not_be_sent() {
    let (_, severity, text) = only(|facts| {
        facts.platform = "macos";
        facts.interfaces[1].broadcast = Echo::Refused("No route to host".into());
    });
    assert_eq!(severity, Severity::Fail);
    assert!(text.contains("eth0: No route to host") && text.contains("Local Network"), "{text}");
}

#[test]
fn multicast_is_not_needed() {
    let (about, severity, _) = only(|facts| facts.interfaces[0].multicast = Echo::Silent);
    assert_eq!((about, severity), ("multicast", Severity::Warn));
    let (about, severity, text) = only(|facts| facts.multicast_error = Some("in use".into()));
    assert_eq!((about, severity), ("multicast", Severity::Warn));
    assert!(text.contains("in use"), "{text}");
}

#[test]
fn a_port_that_others_hold() {
    let (about, severity, text) = only(|facts| {
        facts.servers[0].port = 8766;
        facts.ports[0].holders[0].program = "python3".into();
    });
    assert_eq!((about, severity), ("port", Severity::Warn));
    assert!(text.contains("TCP 8765 is in use by python3 (pid 12)") && text.contains("8774"), "{text}");
    let (_, severity, text) = only(|facts| facts.discovery_port = Some(8767));
    assert!(severity == Severity::Fail && text.contains("UDP 8766 is not shared by halloo (pid 12)"), "{text}");
    let (about, severity, _) = only(|facts| {
        facts.discovery_port = None;
        facts.ports.remove(1);
    });
    assert_eq!((about, severity), ("broadcast", Severity::Fail));
}

#[test]
fn a_server_that_is_not_there_or_hides() {
    let (_, severity, text) = only(|facts| {
        facts.servers.clear();
        facts.ports[0].in_use = false;
    });
    assert!(severity == Severity::Warn && text.contains("start one"), "{text}");
    let (_, severity, text) = only(|facts| facts.servers[0].answered_via.retain(|addr| addr.octets()[0] != 10));
    assert!(severity == Severity::Warn && text.contains("does not answer probes on eth0"), "{text}");
    let (_, severity, text) = only(|facts| facts.servers[0].refuses.push([10, 0, 0, 4].into()));
    assert!(severity == Severity::Warn && text.contains("10.0.0.4:8765") && text.contains("`bind`"), "{text}");
}

#[test]
fn firewalls_are_told_with_their_command() {
    let told = |name, lets_in| only(|facts| facts.firewalls.push(FirewallFacts { name, lets_in })).2;
    assert!(told("ufw", None).contains("only root can read"));
    assert!(told("nftables", Some(false)).contains("tcp dport 8765-8774 accept"));
}
