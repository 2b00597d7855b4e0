//! How many sockets each address has, so that one device cannot take the places of all others.

use std::collections::HashMap;
use std::net::IpAddr;

/// Sockets by address. Loopback is not counted: all programs of this machine share it.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    counts: HashMap<IpAddr, Count>,
}

#[derive(Debug, Default)]
struct Count {
    handshakes: usize,
    established: usize,
}

impl Addresses {
    /// A socket came, and begins its handshake; answers how many of this address do so now.
    pub(crate) fn arrive(&mut self, ip: IpAddr) -> usize {
        if ip.is_loopback() {
            return 0;
        }
        let count = self.counts.entry(ip).or_default();
        count.handshakes += 1;
        count.handshakes
    }

    /// Sockets of this address that finished their handshake.
    pub(crate) fn established(&self, ip: IpAddr) -> usize {
        self.counts.get(&ip).map_or(0, |count| count.established)
    }

    /// A socket finished its handshake.
    pub(crate) fn establish(&mut self, ip: IpAddr) {
        if let Some(count) = self.counts.get_mut(&ip) {
            count.handshakes -= 1;
            count.established += 1;
        }
    }

    /// A socket is gone.
    pub(crate) fn leave(&mut self, ip: IpAddr, in_handshake: bool) {
        let Some(count) = self.counts.get_mut(&ip) else { return };
        *(if in_handshake { &mut count.handshakes } else { &mut count.established }) -= 1;
        if count.handshakes + count.established == 0 {
            self.counts.remove(&ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_gone_leaves_no_trace() {
        let mut addresses = Addresses::default();
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert_eq!((addresses.arrive(one), addresses.arrive(one), addresses.arrive(two)), (1, 2, 1));
        addresses.establish(one);
        assert_eq!((addresses.established(one), addresses.established(two)), (1, 0));
        assert_eq!(addresses.arrive(one), 2);
        for in_handshake in [true, false, true] {
            addresses.leave(one, in_handshake);
        }
        addresses.leave(two, true);
        assert!(addresses.counts.is_empty());
    }

    #[test]
    fn loopback_is_not_counted() {
        let mut addresses = Addresses::default();
        let ip = IpAddr::from([127, 0, 0, 1]);
        assert_eq!((addresses.arrive(ip), addresses.arrive(ip)), (0, 0));
        addresses.establish(ip);
        addresses.leave(ip, false);
        assert_eq!(addresses.established(ip), 0);
    }
}
