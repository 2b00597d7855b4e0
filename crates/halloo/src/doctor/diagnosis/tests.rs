//! Each case changes one thing on a machine without problems.

use super::*;
use crate::port_owners::PortOwner;

fn interface(name: &str, addr: [u8; 4], rank: usize) -> InterfaceFacts {
    InterfaceFacts {
        name: name.into(),
        addr: addr.into(),
        rank: Some(rank),
        reason: "private address, physical".into(),
        default_route: rank == 1,
        is_virtual: false,
        is_tunnel: false,
        broadcast: Echo::Received,
        multicast: Echo::Received,
    }
}

fn healthy() -> Facts {
    let addrs = [[192, 168, 1, 5].into(), [10, 0, 0, 4].into(), [127, 0, 0, 1].into()];
    let owner = PortOwner { pid: 12, program: "halloo".into() };
    let port = |protocol, port| PortFacts { protocol, port, in_use: true, owners: vec![owner.clone()] };
    Facts {
        platform: "linux",
        interfaces: vec![interface("wlan0", [192, 168, 1, 5], 1), interface("eth0", [10, 0, 0, 4], 2)],
        interfaces_error: None,
        ports: vec![port("TCP", 8765), port("UDP", 8766)],
        discovery_port: Some(8766),
        multicast_error: None,
        servers: vec![FoundServer {
            id: "a1".into(),
            name: "den".into(),
            port: 8765,
            here: true,
            replied_via: addrs.to_vec(),
            connects: addrs.to_vec(),
            refuses: Vec::new(),
        }],
        firewalls: Vec::new(),
    }
}

/// Returns the findings that are not `Ok` after `change`.
fn problems(change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let mut facts = healthy();
    change(&mut facts);
    findings(&facts, None).into_iter().filter(|finding| finding.severity != Severity::Ok).collect()
}

/// Returns the only problem: what it is about, its severity, and its text with the advice.
#[track_caller]
fn only(change: impl FnOnce(&mut Facts)) -> (&'static str, Severity, String) {
    let mut problems = problems(change);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let finding = problems.remove(0);
    (finding.about, finding.severity, format!("{}; {}", finding.text, finding.advice.expect("advice")))
}

#[test]
fn a_healthy_machine_has_no_problems() {
    let findings = findings(&healthy(), None);
    assert!(
        findings.iter().all(|finding| finding.severity == Severity::Ok && finding.advice.is_none()),
        "{findings:?}"
    );
    assert!(findings.len() < 12, "more lines than fit on a screen");
}

#[test]
fn no_network_is_a_failure() {
    let (about, severity, text) = only(|facts| {
        facts.interfaces.iter_mut().for_each(|interface| {
            (interface.rank, interface.broadcast, interface.multicast) = (None, Echo::NotSent, Echo::NotSent);
        });
    });
    assert_eq!((about, severity), ("network", Severity::Fail));
    assert!(text.contains("connect to a Wi-Fi"), "{text}");
}

#[test]
fn interfaces_that_the_system_does_not_list_are_warned_about() {
    let (about, severity, text) = only(|facts| facts.interfaces_error = Some("it is forbidden".into()));
    assert_eq!((about, severity), ("network", Severity::Warn));
    assert!(text.contains("it is forbidden"), "{text}");
    assert_eq!(text.contains("AF_NETLINK"), cfg!(any(target_os = "linux", target_os = "android")));
}

#[test]
fn link_local_and_public_addresses_are_warned_about() {
    let own = problems(|facts| facts.interfaces[1].addr = [169, 254, 1, 1].into());
    assert!(own[0].about == "network" && own[0].advice.as_ref().is_some_and(|it| it.contains("DHCP")), "{own:?}");
    let public = problems(|facts| facts.interfaces[0].addr = [203, 0, 113, 5].into());
    assert!(public[0].advice.as_ref().is_some_and(|advice| advice.contains("allow_public")), "{public:?}");
    let shared = problems(|facts| facts.interfaces[0].addr = [100, 64, 0, 1].into());
    assert!(shared.iter().all(|finding| finding.about != "network"), "{shared:?}");
}

#[test]
fn a_default_route_through_a_vpn_is_warned_about() {
    let (about, severity, text) = only(|facts| facts.interfaces[0].is_tunnel = true);
    assert_eq!((about, severity), ("vpn", Severity::Warn));
    assert!(text.contains("wlan0") && text.contains("VPN's settings"), "{text}");
    assert!(problems(|facts| facts.interfaces[1].is_tunnel = true).is_empty(), "it is not the default route");
}

#[test]
fn a_blocked_broadcast_gets_the_advice_for_its_platform() {
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
            facts.firewalls = name.map(|name| FirewallFacts { name, allows: Some(true) }).into_iter().collect();
            facts.interfaces[0].broadcast = Echo::Silent;
        });
        assert_eq!((about, severity), ("broadcast", Severity::Fail), "{platform}");
        assert!(text.contains("did not come back on wlan0") && text.contains(advice), "{platform}: {text}");
    }
}

#[test]
fn a_broadcast_that_cannot_be_sent_is_a_failure() {
    let (_, severity, text) = only(|facts| {
        facts.platform = "macos";
        facts.interfaces[1].broadcast = Echo::Refused("No route to host".into());
    });
    assert_eq!(severity, Severity::Fail);
    assert!(text.contains("eth0: No route to host") && text.contains("Local Network"), "{text}");
}

#[test]
fn multicast_problems_are_warnings() {
    let (about, severity, _) = only(|facts| facts.interfaces[0].multicast = Echo::Silent);
    assert_eq!((about, severity), ("multicast", Severity::Warn));
    let (about, severity, text) = only(|facts| facts.multicast_error = Some("in use".into()));
    assert_eq!((about, severity), ("multicast", Severity::Warn));
    assert!(text.contains("in use"), "{text}");
}

#[test]
fn a_port_of_another_program_is_reported() {
    let (about, severity, text) = only(|facts| {
        facts.servers[0].port = 8766;
        facts.ports[0].owners[0].program = "python3".into();
    });
    assert_eq!((about, severity), ("port", Severity::Warn));
    assert!(text.contains("TCP 8765 is in use by python3 (pid 12)") && text.contains("8774"), "{text}");
    let (_, severity, text) = only(|facts| facts.discovery_port = Some(8767));
    assert!(severity == Severity::Fail && text.contains("UDP 8766 is used exclusively by halloo (pid 12)"), "{text}");
    let (about, severity, _) = only(|facts| {
        facts.discovery_port = None;
        facts.ports.remove(1);
    });
    assert_eq!((about, severity), ("broadcast", Severity::Fail));
}

#[test]
fn missing_and_unreachable_servers_are_warned_about() {
    let (_, severity, text) = only(|facts| {
        facts.servers.clear();
        facts.ports[0].in_use = false;
    });
    assert!(severity == Severity::Warn && text.contains("start one"), "{text}");
    let (_, severity, text) =
        only(|facts| facts.servers[0].replied_via.retain(|addr| *addr != IpAddr::from([10, 0, 0, 4])));
    assert!(severity == Severity::Warn && text.contains("does not reply to probes on eth0"), "{text}");
    let (_, severity, text) = only(|facts| facts.servers[0].refuses.push([10, 0, 0, 4].into()));
    assert!(severity == Severity::Warn && text.contains("10.0.0.4:8765") && text.contains("`bind`"), "{text}");
}

#[test]
fn a_firewall_gets_the_advice_for_it() {
    let text = |name, allows| only(|facts| facts.firewalls.push(FirewallFacts { name, allows })).2;
    assert!(text("ufw", None).contains("only root can read"));
    assert!(text("nftables", Some(false)).contains("tcp dport 8765-8774 accept"));
}
