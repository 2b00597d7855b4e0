//! What is collected about this machine.

use std::net::IpAddr;

use serde::Serialize;

use crate::port_owners::PortOwner;

/// Everything that was collected.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Facts {
    pub(super) platform: &'static str,
    /// First the announced ones, best first, then those that are not used.
    pub(super) interfaces: Vec<InterfaceFacts>,
    /// Why the system does not list its interfaces; then `interfaces` are those that its routes lead to.
    pub(super) interfaces_error: Option<String>,
    pub(super) ports: Vec<PortFacts>,
    /// The UDP port on which probes were received; `None` if none was free.
    pub(super) discovery_port: Option<u16>,
    /// Why multicast DNS could not be received.
    pub(super) multicast_error: Option<String>,
    pub(super) servers: Vec<FoundServer>,
    pub(super) firewalls: Vec<FirewallFacts>,
}

/// One address of an interface.
#[derive(Clone, Debug, Serialize)]
pub(super) struct InterfaceFacts {
    pub(super) name: String,
    pub(super) addr: IpAddr,
    /// Its rank among the announced ones, from 1; `None` if it is not used.
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

/// What happened to a datagram that should come back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Echo {
    /// Nothing was sent.
    #[default]
    NotSent,
    /// It came back.
    Received,
    /// It did not come back.
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
    /// The programs that use it, as far as this user may see them.
    pub(super) owners: Vec<PortOwner>,
}

/// A server that replied to a probe.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FoundServer {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) port: u16,
    /// It replied from an address of this machine.
    pub(super) here: bool,
    /// The addresses of this machine from which it was probed and replied.
    pub(super) replied_via: Vec<IpAddr>,
    /// Addresses of this machine on which it accepts connections.
    pub(super) connects: Vec<IpAddr>,
    /// Addresses of this machine on which it does not.
    pub(super) refuses: Vec<IpAddr>,
}

/// A firewall that is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct FirewallFacts {
    /// `ufw`, `firewalld` or `nftables`.
    pub(super) name: &'static str,
    /// Whether its rules contain the ports; `None` if they cannot be read.
    pub(super) allows: Option<bool>,
}
