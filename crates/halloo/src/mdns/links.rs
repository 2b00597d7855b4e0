//! The interfaces on which multicast DNS is spoken.

use std::io;
use std::net::IpAddr;

use halloo_proto::interfaces::Interface;
use halloo_proto::mdns::Link;

/// An interface, with the networks that it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalLink {
    pub(super) link: Link,
    /// The addresses of this machine on it, each with the length of the network's prefix.
    networks: Vec<(IpAddr, u8)>,
}

impl LocalLink {
    /// Returns whether `source` is on the network of this interface. Multicast DNS never crosses a router, so that any
    /// other source is forged (RFC 6762 section 11).
    pub(super) fn has(&self, source: IpAddr) -> bool {
        let is_link_local = match source {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        is_link_local || self.networks.iter().any(|(own, prefix)| is_same_network(*own, source, *prefix))
    }
}

/// Returns the links of `interfaces`, of which each has one address. Loopback is none.
///
/// # Errors
/// When the system does not list its interfaces. It may be short of file descriptors, so that nothing is known about them.
pub(super) fn local_links(interfaces: &[Interface]) -> io::Result<Vec<LocalLink>> {
    let found = if_addrs::get_if_addrs()?;
    let mut links: Vec<LocalLink> = Vec::new();
    for Interface { name, addr, .. } in interfaces.iter().filter(|interface| !interface.addr.is_loopback()) {
        if let Some(known) = links.iter_mut().find(|known| known.link.name == *name) {
            known.link.addresses.push(*addr);
            continue;
        }
        let of_interface = || found.iter().filter(|interface| interface.name == *name);
        let networks = of_interface().map(|interface| match &interface.addr {
            if_addrs::IfAddr::V4(v4) => (v4.ip.into(), v4.prefixlen),
            if_addrs::IfAddr::V6(v6) => (v6.ip.into(), v6.prefixlen),
        });
        // It may have gone since it was listed.
        if let Some(index) = of_interface().find_map(|interface| interface.index) {
            let link = Link { name: name.clone(), index, addresses: vec![*addr] };
            links.push(LocalLink { link, networks: networks.collect() });
        }
    }
    Ok(links)
}

fn is_same_network(one: IpAddr, other: IpAddr, prefix: u8) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let rest = 32_u32.saturating_sub(prefix.into());
            prefix > 0 && (one.to_bits() ^ other.to_bits()) >> rest == 0
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let rest = 128_u32.saturating_sub(prefix.into());
            prefix > 0 && (one.to_bits() ^ other.to_bits()) >> rest == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_on_the_network_of_the_interface_are_accepted() {
        let link = Link { name: "eth0".into(), index: 2, addresses: Vec::new() };
        let networks = vec![([192, 168, 1, 5].into(), 24), ("fd00:1::5".parse().unwrap(), 64)];
        let link = LocalLink { link, networks };
        for (source, expected) in [
            ("192.168.1.9", true),
            ("192.168.2.9", false),
            ("169.254.3.4", true),
            ("8.8.8.8", false),
            ("fd00:1::9", true),
            ("fe80::9", true),
            ("2001:db8::9", false),
        ] {
            assert_eq!(link.has(source.parse().unwrap()), expected, "{source}");
        }
        assert!(!LocalLink { networks: vec![([10, 0, 0, 1].into(), 0)], ..link }.has([8, 8, 8, 8].into()));
    }
}
