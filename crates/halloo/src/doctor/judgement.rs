//! From facts to findings: what is likely at fault, and the exact next step.

use super::facts::{Echo, Facts, FirewallFacts, Holder, InterfaceFacts, PortFacts, ServerFacts};
use super::finding::{Finding, Severity};
use super::finding::{fail, ok, warn};
use super::own::{self, Own};
use super::remedies::{let_in, let_out, open};

/// Judges each fact, after the server that asks for it; the order is that in which a person would look.
pub(super) fn judge(facts: &Facts, own: Option<&Own<'_>>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = own.iter().flat_map(|own| own::judge(own, facts)).collect();
    findings.extend(networks(facts));
    findings.extend(vpn(facts));
    findings.extend(broadcast(facts));
    findings.extend(multicast(facts));
    findings.extend(facts.firewalls.iter().map(firewall));
    findings.extend(facts.ports.iter().map(|port| self::port(port, facts)));
    findings.extend(servers(facts, own.is_some()));
    findings
}

/// What the other device, the router or a browser decides.
pub(super) fn beyond() -> Vec<String> {
    [
        "Wi-Fi: guest networks and \"client isolation\" keep devices apart; use a network without it.",
        "Browser: Chrome asks before a page may reach the local network; choose \"Allow\".",
        "Android 17: an app needs ACCESS_LOCAL_NETWORK, and a MulticastLock to hear beacons.",
        "iOS: an app needs NSLocalNetworkUsageDescription; to hear beacons also the multicast entitlement,",
        "     which browsing for _halloo._tcp by Bonjour does without (NSBonjourServices names it).",
    ]
    .map(String::from)
    .to_vec()
}

fn networks(facts: &Facts) -> Vec<Finding> {
    if facts.interfaces.iter().all(|interface| interface.rank.is_none()) {
        let advice = "connect to a Wi-Fi or a cable; until then only programs on this machine find each other";
        let mut findings = vec![fail("network", "no network is connected".into(), advice.into())];
        findings.extend(facts.interfaces.iter().map(network));
        return findings;
    }
    facts.interfaces.iter().map(network).collect()
}

fn network(interface: &InterfaceFacts) -> Finding {
    let (name, addr, reason) = (&interface.name, interface.addr, &interface.reason);
    let text = match interface.rank {
        None => return ok("network", format!("{name} {addr} is left out: it has no link")),
        Some(1) => format!("{name} {addr} is announced first: {reason}"),
        Some(_) => format!("{name} {addr} is announced, too: {reason}"),
    };
    if addr.is_link_local() {
        let advice = "no router gave an address; see that DHCP runs on this network, or give both devices an address";
        return warn("network", text, advice.into());
    }
    if interface.rank == Some(1) && !addr.is_private() && !is_shared(addr) {
        let advice = "the network has public addresses, from which clients are refused; the server's setting `allow_public` lets them in";
        return warn("network", text, advice.into());
    }
    ok("network", text)
}

/// 100.64/10, from which clients are let in as from the private ranges (RFC 6598).
fn is_shared(addr: std::net::Ipv4Addr) -> bool {
    let [first, second, ..] = addr.octets();
    first == 100 && second & 0xc0 == 64
}

fn vpn(facts: &Facts) -> Option<Finding> {
    let tunnel =
        facts.interfaces.iter().find(|found| found.rank.is_some() && found.default_route && found.is_tunnel)?;
    let text = format!("the default route leads through {}, which looks like a VPN", tunnel.name);
    let advice = "allow access to the local network in the VPN's settings, or disconnect it";
    Some(warn("vpn", text, advice.into()))
}

fn broadcast(facts: &Facts) -> Vec<Finding> {
    let Some(port) = facts.discovery_port else {
        let advice = "stop the program that holds UDP ports 8766 to 8775";
        return vec![fail("broadcast", "no UDP port could be had to listen on".into(), advice.into())];
    };
    let echo = |interface: &InterfaceFacts| interface.broadcast.clone();
    echoes("broadcast", facts, echo, &format!("a broadcast to UDP {port}"))
}

fn multicast(facts: &Facts) -> Vec<Finding> {
    if let Some(error) = &facts.multicast_error {
        let text = format!("multicast DNS cannot be listened to: {error}");
        let advice = "beacons and probes work without it; NAME.local does not";
        return vec![warn("multicast", text, advice.into())];
    }
    let echo = |interface: &InterfaceFacts| interface.multicast.clone();
    let mut findings = echoes("multicast", facts, echo, "a question to 224.0.0.251, UDP 5353,");
    for finding in &mut findings {
        // Beacons and probes need none of it.
        finding.severity = finding.severity.min(Severity::Warn);
    }
    findings
}

/// One finding for all interfaces where it came back, and one for each other.
fn echoes(about: &'static str, facts: &Facts, echo: impl Fn(&InterfaceFacts) -> Echo, what: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let heard: Vec<&str> =
        facts.interfaces.iter().filter(|i| echo(i) == Echo::Heard).map(|i| i.name.as_str()).collect();
    if !heard.is_empty() {
        findings.push(ok(about, format!("{what} came back on {}", heard.join(", "))));
    }
    for interface in &facts.interfaces {
        let name = &interface.name;
        match echo(interface) {
            Echo::Silent => {
                let text = format!("{what} did not come back on {name}");
                findings.push(fail(about, text, let_in(facts)));
            }
            Echo::Refused(error) => {
                let text = format!("{what} could not be sent on {name}: {error}");
                findings.push(fail(about, text, let_out(facts.platform).into()));
            }
            Echo::Heard | Echo::NotTried => {}
        }
    }
    findings
}

fn firewall(firewall: &FirewallFacts) -> Finding {
    let name = firewall.name;
    match firewall.lets_in {
        Some(true) => ok("firewall", format!("{name} is on and lets port 8765 in")),
        Some(false) => warn("firewall", format!("{name} is on and does not name port 8765"), open(name).into()),
        None => {
            let advice = format!("if others cannot connect: {}", open(name));
            warn("firewall", format!("{name} is on; only root can read its rules"), advice)
        }
    }
}

fn port(port: &PortFacts, facts: &Facts) -> Finding {
    let PortFacts { protocol, port: number, in_use, .. } = *port;
    if !in_use {
        return ok("port", format!("{protocol} {number} is free"));
    }
    let by = holders(&port.holders);
    let ours = facts.servers.iter().any(|server| server.here && server.port == number);
    match protocol {
        "TCP" if ours => ok("port", format!("{protocol} {number} is in use{by}, a server that answers")),
        "TCP" => {
            let advice = format!("a server takes the next free port up to {}; clients learn it", number + 9);
            warn("port", format!("{protocol} {number} is in use{by}"), advice)
        }
        // Shared by servers and browsers, so that somebody has it is as it should be.
        _ if facts.discovery_port == Some(number) => ok("port", format!("{protocol} {number} is shared{by}")),
        _ => {
            let advice = "stop that program: it keeps the port for itself, and simple clients listen on no other";
            fail("port", format!("{protocol} {number} is not shared{by}"), advice.into())
        }
    }
}

fn holders(holders: &[Holder]) -> String {
    let list: Vec<String> = holders.iter().map(|holder| format!("{} (pid {})", holder.program, holder.pid)).collect();
    if list.is_empty() { String::new() } else { format!(" by {}", list.join(", ")) }
}

fn servers(facts: &Facts, has_one: bool) -> Vec<Finding> {
    let (here, elsewhere): (Vec<_>, Vec<_>) = facts.servers.iter().partition(|server| server.here);
    let mut findings: Vec<Finding> = here.iter().flat_map(|server| self::server(server, facts)).collect();
    if here.is_empty() && !has_one {
        let advice = "start one, for instance with `halloo`, and run the doctor again";
        findings.push(warn("server", "no server of this machine answered a probe".into(), advice.into()));
    }
    for server in elsewhere {
        findings.push(ok("server", format!("\"{}\" on another machine answered a probe", server.name)));
    }
    findings
}

fn server(server: &ServerFacts, facts: &Facts) -> Vec<Finding> {
    let (name, port) = (&server.name, server.port);
    let mut findings = Vec::new();
    let silent: Vec<&InterfaceFacts> = facts
        .interfaces
        .iter()
        .filter(|interface| interface.rank.is_some() && !server.answered_via.contains(&interface.addr))
        .collect();
    if silent.is_empty() {
        findings.push(ok("server", format!("\"{name}\" answers probes on every network")));
    }
    for interface in silent {
        let text = format!("\"{name}\" does not answer probes on {}", interface.name);
        findings.push(warn("server", text, format!("if it does not serve this machine only: {}", let_in(facts))));
    }
    if server.refuses.is_empty() {
        findings.push(ok("server", format!("\"{name}\" takes connections at TCP {port} on every address")));
    }
    for addr in &server.refuses {
        let text = format!("\"{name}\" takes no connection at {addr}:{port}");
        findings.push(warn("server", text, "is it bound to another address by its setting `bind`?".into()));
    }
    findings
}

#[cfg(test)]
mod tests;
