//! The addresses of a machine to announce, in order of preference.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The IPv6 multicast group of discovery, where IPv4 has the broadcast address. It reaches the link only (scope 2). It is
/// transient (`ff12`, RFC 4291 section 2.7), because IANA has not assigned it, and in the range that hosts choose from (RFC
/// 3307 section 4.3). The group of all nodes, `ff02::1`, would wake every device.
pub const IPV6_GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0x8000, 0x8766);

/// One address of an interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The name of the interface.
    pub name: String,
    /// The number of the interface, which is part of its link-local IPv6 addresses; 0 if it is not known.
    pub index: u32,
    /// The address.
    pub addr: IpAddr,
    /// How many bits of the address are those of its network.
    pub prefix: u8,
    /// Whether the default route uses this address.
    pub default_route: bool,
}

impl Interface {
    /// Returns the address that programs of one machine reach each other at.
    pub fn loopback() -> Interface {
        let addr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Interface { name: "loopback".into(), index: 0, addr, prefix: 8, default_route: false }
    }

    /// Returns whether `peer` is in the network of this address. Every link has the same network of link-local addresses,
    /// which the number of the interface distinguishes.
    pub fn contains(&self, peer: SocketAddr) -> bool {
        let differing = match (self.addr, peer) {
            (IpAddr::V4(own), SocketAddr::V4(peer)) => (own.to_bits() ^ peer.ip().to_bits()).leading_zeros(),
            (IpAddr::V6(_), SocketAddr::V6(peer)) if peer.scope_id() != 0 && peer.scope_id() != self.index => 0,
            (IpAddr::V6(own), SocketAddr::V6(peer)) => (own.to_bits() ^ peer.ip().to_bits()).leading_zeros(),
            _ => 0,
        };
        // A prefix of zero would include every address.
        self.prefix > 0 && differing >= u32::from(self.prefix)
    }

    /// Returns the address with a port and, if it needs one, with its zone.
    pub fn at(&self, port: u16) -> SocketAddr {
        match self.addr {
            IpAddr::V4(ip) => (ip, port).into(),
            IpAddr::V6(ip) if self.needs_zone() => SocketAddrV6::new(ip, port, 0, self.index).into(),
            IpAddr::V6(ip) => (ip, port).into(),
        }
    }

    /// Returns where a datagram to every machine on this network is sent.
    pub fn destination(&self, port: u16) -> SocketAddr {
        match self.addr {
            // Loopback does not carry the limited broadcast address, only its directed one.
            IpAddr::V4(ip) if ip.is_loopback() => ([127, 255, 255, 255], port).into(),
            IpAddr::V4(_) => (Ipv4Addr::BROADCAST, port).into(),
            IpAddr::V6(_) => SocketAddrV6::new(IPV6_GROUP, port, 0, self.index).into(),
        }
    }

    /// Returns whether the address is an IPv6 address that is only valid together with the interface, so that a URL
    /// with it works on no other machine.
    pub fn needs_zone(&self) -> bool {
        matches!(self.addr, IpAddr::V6(ip) if ip.is_unicast_link_local())
    }

    /// Returns whether the name is that of a bridge, of a network of virtual machines or containers, or of a tunnel.
    pub fn is_virtual(&self) -> bool {
        const PREFIXES: [&str; 9] =
            ["docker", "podman", "veth", "br-", "virbr", "vmnet", "vboxnet", "vEthernet", "VMware"];
        self.is_tunnel() || self.begins_with(&PREFIXES)
    }

    /// Returns whether the name is that of a VPN or of a mobile network. Such an interface does not lead to other
    /// devices on the local network, even if it has the default route.
    pub fn is_tunnel(&self) -> bool {
        const PREFIXES: [&str; 11] =
            ["tun", "tap", "utun", "wg", "ppp", "ipsec", "tailscale", "rmnet", "ccmni", "pdp_ip", "wwan"];
        self.begins_with(&PREFIXES)
    }

    fn begins_with(&self, prefixes: &[&str]) -> bool {
        prefixes.iter().any(|prefix| self.name.starts_with(prefix))
    }

    /// Returns the reason for the rank that [`announced`] gives the interface, for display.
    ///
    /// ```
    /// use halloo_proto::interfaces::Interface;
    ///
    /// let (name, addr) = ("wlan0".into(), [192, 168, 1, 5].into());
    /// let wlan0 = Interface { name, index: 3, addr, prefix: 24, default_route: true };
    /// assert_eq!(wlan0.reason(), "private address, default route, physical");
    /// ```
    pub fn reason(&self) -> String {
        let range = ["private", "public", "self-assigned"][usize::from(range(self.addr))];
        let route = if self.default_route { ", default route" } else { "" };
        let kind = match (self.is_tunnel(), self.is_virtual()) {
            (true, _) => "tunnel",
            (_, true) => "virtual",
            _ => "physical",
        };
        format!("{range} address{route}, {kind}")
    }
}

/// Returns the interfaces to announce on, best first: private ranges (192.168/16, 10/8, 172.16/12, fc00::/7), then others,
/// then 169.254/16 and fe80::/10. Within a range, tunnels come last, the default route first, and physical interfaces before
/// virtual ones. An interface that has an IPv4 address is announced with those of IPv4 alone, and one without with its best
/// IPv6 address. Loopback comes last, and only if there is no other IPv4 address.
pub fn announced(interfaces: Vec<Interface>) -> Vec<Interface> {
    let mut usable = ranked(interfaces);
    let ipv4 = usable.iter().filter(|interface| interface.addr.is_ipv4());
    let mut has_address: BTreeSet<String> = ipv4.map(|interface| interface.name.clone()).collect();
    usable.retain(|interface| interface.addr.is_ipv4() || has_address.insert(interface.name.clone()));
    if usable.iter().all(|interface| interface.addr.is_ipv6()) {
        usable.push(Interface::loopback());
    }
    usable
}

/// Returns the interfaces to search on: loopback, every IPv4 address, and of each interface the best IPv6 address and the
/// link-local one. A server without IPv4 may be on any network, and a link-local address reaches all of a link.
pub fn searched(interfaces: Vec<Interface>) -> Vec<Interface> {
    let (mut searched, ipv6): (Vec<_>, Vec<_>) =
        ranked(interfaces).into_iter().partition(|interface| interface.addr.is_ipv4());
    searched.insert(0, Interface::loopback());
    let mut seen = BTreeSet::new();
    searched.extend(ipv6.into_iter().filter(|it| seen.insert((it.name.clone(), it.needs_zone()))));
    searched
}

/// From where a server can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// From this machine only: it has no network.
    ThisMachine,
    /// From other machines by programs, but not by web browsers: all addresses need a zone.
    Programs,
    /// From other machines.
    Network,
}

/// Returns from where the addresses of a list that [`announced`] returned can be reached.
pub fn reach(announced: &[Interface]) -> Reach {
    let others = || announced.iter().filter(|interface| !interface.addr.is_loopback());
    match others().next() {
        None => Reach::ThisMachine,
        Some(_) if others().all(Interface::needs_zone) => Reach::Programs,
        Some(_) => Reach::Network,
    }
}

/// Returns the addresses for other machines in a list that [`announced`] returned. They do not depend on a zone, and
/// loopback is among them only if there is nothing else.
pub fn addresses(announced: &[Interface]) -> Vec<IpAddr> {
    let without_zone = announced.iter().filter(|interface| !interface.needs_zone()).map(|interface| interface.addr);
    let (loopback, others): (Vec<_>, Vec<_>) = without_zone.partition(IpAddr::is_loopback);
    if others.is_empty() { loopback } else { others }
}

/// Returns the first of the [`addresses`]; loopback if there is none.
pub fn local_ip(announced: &[Interface]) -> IpAddr {
    addresses(announced).first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Returns the interface through which `peer` is reached directly: of the networks that contain `peer` the smallest, as a
/// routing table selects it. `None` if there is none, so that `peer` is behind a router.
///
/// ```
/// use halloo_proto::interfaces::{Interface, towards};
///
/// let interface = |addr: [u8; 4], prefix| Interface { addr: addr.into(), prefix, ..Interface::loopback() };
/// let interfaces = [interface([10, 9, 0, 1], 8), interface([10, 1, 1, 5], 24)];
/// assert_eq!(towards(&interfaces, ([10, 1, 1, 9], 80).into()), Some(&interfaces[1]));
/// assert_eq!(towards(&interfaces, ([192, 168, 1, 9], 80).into()), None);
/// ```
pub fn towards(interfaces: &[Interface], peer: SocketAddr) -> Option<&Interface> {
    let containing = interfaces.iter().filter(|interface| interface.contains(peer));
    // Of equal networks the one with the default route, since the system prefers that as well.
    containing.max_by_key(|interface| (interface.prefix, interface.default_route))
}

/// Returns the addresses that other machines may reach, best first.
fn ranked(mut interfaces: Vec<Interface>) -> Vec<Interface> {
    interfaces.retain(|interface| !interface.addr.is_loopback() && !interface.addr.is_unspecified());
    interfaces.sort_by_key(|it| {
        let kind = (range(it.addr), it.is_tunnel(), !it.default_route, it.is_virtual(), it.addr.is_ipv6());
        (kind, it.name.clone(), it.addr)
    });
    interfaces
}

/// Returns the rank of the address range. A self-assigned address reaches only devices on the same link.
fn range(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(ip) if ip.is_link_local() => 2,
        IpAddr::V4(ip) => u8::from(!ip.is_private()),
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 2,
        IpAddr::V6(ip) => u8::from(!ip.is_unique_local()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, addr: &str, default_route: bool) -> Interface {
        let (index, prefix) = (u32::from(name.as_bytes()[name.len() - 1]), if addr.contains(':') { 64 } else { 24 });
        Interface { name: name.into(), index, addr: addr.parse().unwrap(), prefix, default_route }
    }

    fn addrs(list: &[Interface]) -> Vec<String> {
        list.iter().map(|interface| interface.addr.to_string()).collect()
    }

    fn order(list: &[(&str, [u8; 4], bool)]) -> Vec<Ipv4Addr> {
        let list =
            list.iter().map(|&(name, addr, default)| interface(name, &Ipv4Addr::from(addr).to_string(), default));
        let ipv4 = |interface: Interface| match interface.addr {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) => panic!("{ip}"),
        };
        announced(list.collect()).into_iter().map(ipv4).collect()
    }

    #[test]
    fn private_before_public_default_route_first_virtual_and_self_assigned_last() {
        let found = order(&[
            ("lo", [127, 0, 0, 1], false),
            ("eth9", [169, 254, 1, 1], false),
            ("eth1", [203, 0, 113, 5], false),
            ("docker0", [172, 17, 0, 1], false),
            ("wlan0", [192, 168, 1, 5], false),
            ("eth0", [10, 0, 0, 5], true),
        ]);
        let last_bytes: Vec<[u8; 4]> = found.iter().map(|ip| ip.octets()).collect();
        assert_eq!(last_bytes, [[10, 0, 0, 5], [192, 168, 1, 5], [172, 17, 0, 1], [203, 0, 113, 5], [169, 254, 1, 1]]);
    }

    #[test]
    fn vpn_and_mobile_network_rank_below_the_local_network() {
        let found = order(&[
            ("tun0", [10, 8, 0, 2], true),
            ("rmnet_data0", [10, 101, 7, 9], false),
            ("docker0", [172, 17, 0, 1], false),
            ("wlan0", [192, 168, 1, 5], false),
        ]);
        let last_bytes: Vec<[u8; 4]> = found.iter().map(|ip| ip.octets()).collect();
        assert_eq!(last_bytes, [[192, 168, 1, 5], [172, 17, 0, 1], [10, 8, 0, 2], [10, 101, 7, 9]]);
        // The Hyper-V switch that the host uses has the default route; those of virtual machines do not.
        let found = order(&[
            ("vEthernet (Default Switch)", [172, 20, 0, 1], false),
            ("vEthernet (External)", [192, 168, 1, 5], true),
        ]);
        assert_eq!(found[0].octets(), [192, 168, 1, 5]);
    }

    #[test]
    fn loopback_only_if_there_is_nothing_else() {
        assert_eq!(order(&[("lo", [127, 0, 0, 1], false)]), [Ipv4Addr::LOCALHOST]);
        assert_eq!(order(&[]), [Ipv4Addr::LOCALHOST]);
    }

    /// A machine with IPv6 on three interfaces and IPv4 on one of them.
    fn mixed() -> Vec<Interface> {
        vec![
            interface("lo0", "::1", false),
            interface("eth0", "192.168.1.5", false),
            interface("eth0", "fd00::5", false),
            interface("eth0", "fe80::5", false),
            interface("wlan1", "fe80::6", false),
            interface("wlan1", "2001:db8::6", false),
            interface("wlan1", "fd00::6", true),
            interface("eth2", "fe80::7", false),
        ]
    }

    #[test]
    fn interface_without_ipv4_is_announced_with_its_best_ipv6_address() {
        let announced = announced(mixed());
        assert_eq!(addrs(&announced), ["fd00::6", "192.168.1.5", "fe80::7"]);
        assert_eq!(addresses(&announced), ["fd00::6", "192.168.1.5"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    }

    #[test]
    fn loopback_is_announced_besides_ipv6_because_older_clients_use_ipv4_alone() {
        let only_ipv6 = announced(vec![interface("eth0", "fe80::5", false), interface("eth0", "fd00::5", false)]);
        assert_eq!(
            (addrs(&only_ipv6), local_ip(&only_ipv6).to_string()),
            (vec!["fd00::5".into(), "127.0.0.1".into()], "fd00::5".into())
        );
        assert_eq!((addresses(&only_ipv6).len(), reach(&only_ipv6)), (1, Reach::Network));
        let only_link_local = announced(vec![interface("eth0", "fe80::5", false)]);
        assert_eq!(
            (addrs(&only_link_local), local_ip(&only_link_local).to_string()),
            (vec!["fe80::5".into(), "127.0.0.1".into()], "127.0.0.1".into())
        );
    }

    #[test]
    fn link_local_ipv6_addresses_are_for_programs() {
        let link_local = interface("eth0", "fe80::5", false);
        assert_eq!(reach(&announced(vec![link_local.clone()])), Reach::Programs);
        assert_eq!(reach(&announced(vec![link_local, interface("eth1", "10.0.0.5", false)])), Reach::Network);
        assert_eq!(reach(&announced(Vec::new())), Reach::ThisMachine);
    }

    #[test]
    fn searches_use_every_link() {
        let expected = ["127.0.0.1", "192.168.1.5", "fd00::6", "fd00::5", "fe80::5", "fe80::7", "fe80::6"];
        assert_eq!(addrs(&searched(mixed())), expected);
        assert_eq!(addrs(&searched(Vec::new())), ["127.0.0.1"]);
    }

    #[test]
    fn link_local_peers_are_on_the_interface_of_their_zone() {
        let interfaces = mixed();
        let peer = |index| SocketAddrV6::new("fe80::9".parse().unwrap(), 1, 0, index).into();
        let found = |peer| towards(&interfaces, peer).map(|interface| interface.addr.to_string());
        assert_eq!(found(peer(u32::from(b'1'))).as_deref(), Some("fe80::6"));
        assert_eq!(found(peer(u32::from(b'2'))).as_deref(), Some("fe80::7"));
        assert_eq!(found(peer(99)), None);
        assert_eq!(found("[fd00::9]:1".parse().unwrap()).as_deref(), Some("fd00::6"), "it has the default route");
        assert_eq!(found("192.168.1.9:1".parse().unwrap()).as_deref(), Some("192.168.1.5"));
    }
}
