//! The networks of this machine where the system does not list its interfaces: what the table of routes shows.

use std::io;
use std::net::Ipv4Addr;

use super::shortage::is_shortage;

/// A route to a network that this machine is attached to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AttachedRoute {
    /// The name of the interface.
    pub(super) interface: String,
    /// The first address of the network.
    pub(super) network: Ipv4Addr,
    pub(super) prefix: u8,
}

/// Returns the routes to attached networks. Empty where the system has no such file or hides it.
///
/// # Errors
/// When the system is short of file descriptors or memory.
pub(super) fn attached_routes() -> io::Result<Vec<AttachedRoute>> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return Ok(Vec::new());
    }
    match std::fs::read_to_string("/proc/net/route") {
        Err(error) if is_shortage(&error) => Err(error),
        table => Ok(parse(&table.unwrap_or_default())),
    }
}

/// Parses the table (proc_net(5)): the columns are the interface, the network, the gateway, five others and the mask. Its
/// addresses are numbers in memory order.
fn parse(table: &str) -> Vec<AttachedRoute> {
    let address = |text: &str| u32::from_str_radix(text, 16).ok().map(|number| Ipv4Addr::from(number.to_ne_bytes()));
    let route = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let &[interface, network, gateway, _, _, _, _, mask, ..] = columns.as_slice() else { return None };
        let (network, mask) = (address(network)?, address(mask)?);
        let is_attached = address(gateway)?.is_unspecified() && !mask.is_unspecified();
        let prefix = mask.to_bits().leading_ones() as u8;
        is_attached.then(|| AttachedRoute { interface: interface.into(), network, prefix })
    };
    table.lines().filter_map(route).collect()
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    #[test]
    fn routes_through_a_gateway_are_left_out() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                     tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n\
                     eth0\t0000100A\t0101A8C0\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
                     broken\n";
        let route = |interface: &str, network: [u8; 4], prefix| AttachedRoute {
            interface: interface.into(),
            network: network.into(),
            prefix,
        };
        assert_eq!(parse(table), [route("eth0", [192, 168, 1, 0], 24), route("tun0", [10, 0, 0, 0], 8)]);
    }
}
