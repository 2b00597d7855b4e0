//! What an examination collects, without judging it.

use std::net::Ipv4Addr;

use serde::Serialize;

/// Everything that was seen.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Facts {
    pub(super) platform: &'static str,
    /// Announced ones first, best first; then those that are left out.
    pub(super) interfaces: Vec<InterfaceFacts>,
    pub(super) ports: Vec<PortFacts>,
    /// Where the examination could listen for probes; `None` when nowhere.
    pub(super) discovery_port: Option<u16>,
    /// Why multicast DNS could not be listened to.
    pub(super) multicast_error: Option<String>,
    pub(super) servers: Vec<ServerFacts>,
    pub(super) firewalls: Vec<FirewallFacts>,
}

/// One IPv4 address of an interface.
#[derive(Clone, Debug, Serialize)]
pub(super) struct InterfaceFacts {
    pub(super) name: String,
    pub(super) addr: Ipv4Addr,
    /// Its place among the announced, from 1; `None` when it is left out.
    pub(super) rank: Option<usize>,
    pub(super) reason: String,
    pub(super) default_route: bool,
    #[serde(rename = "virtual")]
    pub(super) is_virtual: bool,
    #[serde(rename = "tunnel")]
    pub(super) is_tunnel: bool,
    pub(super) broadcast: Echo,
    pub(super) multicast: Echo,
}

/// What became of a datagram that should come back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Echo {
    /// Nothing was sent.
    #[default]
    NotTried,
    Heard,
    Silent,
    /// The system refused to send it, with this error.
    Refused(String),
}

/// One of the default ports.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PortFacts {
    /// `TCP` or `UDP`.
    pub(super) protocol: &'static str,
    pub(super) port: u16,
    pub(super) in_use: bool,
    /// Who holds it, as far as that can be seen.
    pub(super) holders: Vec<Holder>,
}

/// A program that holds a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Holder {
    pub(super) pid: u32,
    pub(super) program: String,
}

/// A server that answered.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ServerFacts {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) port: u16,
    /// It answered from an address of this machine.
    pub(super) here: bool,
    /// The own addresses through which it was asked and answered.
    pub(super) answered_via: Vec<Ipv4Addr>,
    /// Own addresses at which it takes connections.
    pub(super) connects: Vec<Ipv4Addr>,
    /// Own addresses at which it does not.
    pub(super) refuses: Vec<Ipv4Addr>,
}

/// A firewall that is switched on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct FirewallFacts {
    /// `ufw`, `firewalld` or `nftables`.
    pub(super) name: &'static str,
    /// Whether the ports are named in its rules; `None` when they could not be read.
    pub(super) lets_in: Option<bool>,
}
