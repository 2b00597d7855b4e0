//! From facts to findings: the likely causes, and the exact next step for each.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::facts::{Echo, Facts, FirewallFacts, FoundServer, InterfaceFacts, PortFacts};
use super::finding::{Finding, Severity};
use super::finding::{fail, ok, warn};
use super::remedies::{allow_incoming, allow_outgoing, open_ports};
use super::server_facts::{self, ServerFacts};
use crate::discovery::interfaces::LIST_ADVICE;
use crate::port_owners;

/// Returns the findings in the order in which a person would check: first the server of this program, if there is one.
pub(super) fn findings(facts: &Facts, server: Option<&ServerFacts<'_>>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = server.iter().flat_map(|server| server_facts::findings(server, facts)).collect();
    findings.extend(networks(facts));
    findings.extend(vpn(facts));
    findings.extend(broadcast(facts));
    findings.extend(multicast(facts));
    findings.extend(facts.firewalls.iter().map(firewall));
    findings.extend(facts.ports.iter().map(|port| self::port(port, facts)));
    findings.extend(servers(facts, server.is_some()));
    findings
}

fn networks(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts.interfaces_error.as_deref().map(unlisted).into_iter().collect();
    if facts.interfaces.iter().all(|interface| interface.rank.is_none()) {
        let advice = "connect to a Wi-Fi or a wired network; until then, only programs on this machine find each other";
        findings.push(fail("network", "no network is connected".into(), advice.into()));
    }
    findings.extend(facts.interfaces.iter().map(network));
    findings
}

fn unlisted(error: &str) -> Finding {
    let text = format!("cannot list the network interfaces: {error}; the networks below are those of the routes");
    warn("network", text, LIST_ADVICE.into())
}

fn network(interface: &InterfaceFacts) -> Finding {
    let (name, addr, reason) = (&interface.name, interface.addr, &interface.reason);
    let text = match interface.rank {
        None => return ok("network", format!("{name} {addr} is not used: it has no link")),
        Some(1) => format!("{name} {addr} is announced first: {reason}"),
        Some(_) => format!("{name} {addr} is also announced: {reason}"),
    };
    let (is_link_local, is_private) = match addr {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.is_private() || is_shared(ip)),
        IpAddr::V6(ip) => (ip.is_unicast_link_local(), ip.is_unique_local()),
    };
    if is_link_local {
        let advice =
            "no router assigned an address; check that DHCP runs on this network, or set an address on both devices";
        let ipv6 = if addr.is_ipv6() { "web browsers cannot open such an address: " } else { "" };
        return warn("network", text, format!("{ipv6}{advice}"));
    }
    if interface.rank == Some(1) && !is_private {
        let advice = "the network has public addresses, and clients with such an address are refused; the server's setting `allow_public` admits them";
        return warn("network", text, advice.into());
    }
    ok("network", text)
}

/// Returns whether `addr` is in 100.64.0.0/10 (RFC 6598), whose clients are admitted like those of private ranges.
fn is_shared(addr: Ipv4Addr) -> bool {
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
        let advice = "stop the programs that use UDP ports 8766 to 8775";
        return vec![fail("broadcast", "no UDP port is free to listen on".into(), advice.into())];
    };
    let echo = |interface: &InterfaceFacts| interface.broadcast.clone();
    echoes("broadcast", facts, echo, &format!("a broadcast to UDP {port}"))
}

fn multicast(facts: &Facts) -> Vec<Finding> {
    if let Some(error) = &facts.multicast_error {
        let text = format!("cannot receive multicast DNS: {error}");
        let advice = "beacons and probes work without it; NAME.local does not";
        return vec![warn("multicast", text, advice.into())];
    }
    let echo = |interface: &InterfaceFacts| interface.multicast.clone();
    let mut findings = echoes("multicast", facts, echo, "a query to 224.0.0.251, UDP 5353,");
    for finding in &mut findings {
        // Beacons and probes do not need it.
        finding.severity = finding.severity.min(Severity::Warn);
    }
    findings
}

/// Returns one finding for all interfaces on which the datagram came back, and one for each of the others.
fn echoes(about: &'static str, facts: &Facts, echo: impl Fn(&InterfaceFacts) -> Echo, what: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let received: Vec<&str> =
        facts.interfaces.iter().filter(|i| echo(i) == Echo::Received).map(|i| i.name.as_str()).collect();
    if !received.is_empty() {
        findings.push(ok(about, format!("{what} came back on {}", received.join(", "))));
    }
    for interface in &facts.interfaces {
        let name = &interface.name;
        match echo(interface) {
            Echo::Silent => {
                let text = format!("{what} did not come back on {name}");
                findings.push(fail(about, text, allow_incoming(facts)));
            }
            Echo::Refused(error) => {
                let text = format!("{what} could not be sent on {name}: {error}");
                findings.push(fail(about, text, allow_outgoing(facts.platform).into()));
            }
            Echo::Received | Echo::NotSent => {}
        }
    }
    findings
}

fn firewall(firewall: &FirewallFacts) -> Finding {
    let name = firewall.name;
    match firewall.allows {
        Some(true) => ok("firewall", format!("{name} is on and allows port 8765")),
        Some(false) => {
            warn("firewall", format!("{name} is on, and its rules do not contain port 8765"), open_ports(name).into())
        }
        None => {
            let advice = format!("if others cannot connect: {}", open_ports(name));
            warn("firewall", format!("{name} is on; only root can read its rules"), advice)
        }
    }
}

fn port(port: &PortFacts, facts: &Facts) -> Finding {
    let PortFacts { protocol, port: number, in_use, .. } = *port;
    if !in_use {
        return ok("port", format!("{protocol} {number} is free"));
    }
    let by = port_owners::by(&port.owners);
    let ours = facts.servers.iter().any(|server| server.here && server.port == number);
    match protocol {
        "TCP" if ours => ok("port", format!("{protocol} {number} is in use{by}, a server that responds")),
        "TCP" => {
            let advice = format!("a server uses the next free port up to {}, and announces it to clients", number + 9);
            warn("port", format!("{protocol} {number} is in use{by}"), advice)
        }
        // Servers and browsers share it, so it is normal that it is in use.
        _ if facts.discovery_port == Some(number) => ok("port", format!("{protocol} {number} is shared{by}")),
        _ => {
            let advice = "stop that program: it uses the port exclusively, and simple clients listen on no other";
            fail("port", format!("{protocol} {number} is used exclusively{by}"), advice.into())
        }
    }
}

fn servers(facts: &Facts, has_own_server: bool) -> Vec<Finding> {
    let (here, elsewhere): (Vec<_>, Vec<_>) = facts.servers.iter().partition(|server| server.here);
    let mut findings: Vec<Finding> = here.iter().flat_map(|server| self::server(server, facts)).collect();
    if here.is_empty() && !has_own_server {
        let advice = "start one, for example with `halloo`, and run the doctor again";
        findings.push(warn("server", "no server on this machine replied to a probe".into(), advice.into()));
    }
    for server in elsewhere {
        findings.push(ok("server", format!("\"{}\" on another machine replied to a probe", server.name)));
    }
    findings
}

fn server(server: &FoundServer, facts: &Facts) -> Vec<Finding> {
    let (name, port) = (&server.name, server.port);
    let mut findings = Vec::new();
    let silent: Vec<&InterfaceFacts> = facts
        .interfaces
        .iter()
        .filter(|interface| interface.rank.is_some() && !server.replied_via.contains(&interface.addr))
        .collect();
    if silent.is_empty() {
        findings.push(ok("server", format!("\"{name}\" replies to probes on every network")));
    }
    for interface in silent {
        let text = format!("\"{name}\" does not reply to probes on {}", interface.name);
        findings.push(warn(
            "server",
            text,
            format!("unless it is meant for this machine only: {}", allow_incoming(facts)),
        ));
    }
    if server.refuses.is_empty() {
        findings.push(ok("server", format!("\"{name}\" accepts connections on TCP {port} on every address")));
    }
    for addr in &server.refuses {
        let text = format!("\"{name}\" accepts no connections on {}", SocketAddr::new(*addr, port));
        findings.push(warn("server", text, "check whether its setting `bind` is another address".into()));
    }
    findings
}

#[cfg(test)]
mod tests;
