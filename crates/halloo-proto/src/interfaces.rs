//! The addresses of a machine to announce, in order of preference.

use std::net::Ipv4Addr;

/// One IPv4 address of an interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The name of the interface.
    pub name: String,
    /// The address.
    pub addr: Ipv4Addr,
    /// How many bits of the address are those of its network.
    pub prefix: u8,
    /// Whether the default route uses this address.
    pub default_route: bool,
}

impl Interface {
    /// Returns the address that programs of one machine reach each other at.
    pub fn loopback() -> Interface {
        Interface { name: "loopback".into(), addr: Ipv4Addr::LOCALHOST, prefix: 8, default_route: false }
    }

    /// Returns whether `ip` is in the network of this address.
    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        // A prefix of zero would include every address.
        self.prefix > 0 && (self.addr.to_bits() ^ ip.to_bits()).leading_zeros() >= u32::from(self.prefix)
    }

    /// Returns the destination address for a broadcast on this interface.
    pub fn broadcast_to(&self) -> Ipv4Addr {
        // Loopback does not carry the limited broadcast address, only its directed one.
        if self.addr.is_loopback() { Ipv4Addr::new(127, 255, 255, 255) } else { Ipv4Addr::BROADCAST }
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
    /// let wlan0 = Interface { name, addr, prefix: 24, default_route: true };
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

/// Returns the interfaces to announce on, best first: private ranges (192.168/16, 10/8, 172.16/12), then others, then
/// 169.254/16. Within a range, tunnels come last, the default route first, and physical interfaces before virtual ones.
/// Loopback is returned only if there is nothing else.
pub fn announced(interfaces: Vec<Interface>) -> Vec<Interface> {
    let mut usable: Vec<Interface> = interfaces
        .into_iter()
        .filter(|interface| !interface.addr.is_loopback() && !interface.addr.is_unspecified())
        .collect();
    usable.sort_by_key(|i| (range(i.addr), i.is_tunnel(), !i.default_route, i.is_virtual(), i.name.clone(), i.addr));
    if usable.is_empty() {
        usable.push(Interface::loopback());
    }
    usable
}

/// Returns the first address of a list that [`announced`] returned; loopback if it is empty.
pub fn local_ip(announced: &[Interface]) -> Ipv4Addr {
    announced.first().map_or(Ipv4Addr::LOCALHOST, |interface| interface.addr)
}

/// Returns the address of this machine that `peer` reaches directly: of the networks that contain `peer` the smallest, as a
/// routing table selects it. `None` if there is none, so that `peer` is behind a router.
///
/// ```
/// use halloo_proto::interfaces::{Interface, address_towards};
///
/// let interface = |addr: [u8; 4], prefix| Interface { addr: addr.into(), prefix, ..Interface::loopback() };
/// let interfaces = [interface([10, 9, 0, 1], 8), interface([10, 1, 1, 5], 24)];
/// assert_eq!(address_towards(&interfaces, [10, 1, 1, 9].into()), Some([10, 1, 1, 5].into()));
/// assert_eq!(address_towards(&interfaces, [192, 168, 1, 9].into()), None);
/// ```
pub fn address_towards(interfaces: &[Interface], peer: Ipv4Addr) -> Option<Ipv4Addr> {
    let containing = interfaces.iter().filter(|interface| interface.contains(peer));
    // Of equal networks the one with the default route, since the system prefers that as well.
    containing.max_by_key(|interface| (interface.prefix, interface.default_route)).map(|interface| interface.addr)
}

/// Returns the rank of the address range. A self-assigned address reaches only devices on the same link.
fn range(ip: Ipv4Addr) -> u8 {
    if ip.is_link_local() { 2 } else { u8::from(!ip.is_private()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(list: &[(&str, [u8; 4], bool)]) -> Vec<Ipv4Addr> {
        let interface = |&(name, addr, default_route): &(&str, [u8; 4], bool)| Interface {
            name: name.into(),
            addr: addr.into(),
            prefix: 24,
            default_route,
        };
        announced(list.iter().map(interface).collect()).into_iter().map(|interface| interface.addr).collect()
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
}
