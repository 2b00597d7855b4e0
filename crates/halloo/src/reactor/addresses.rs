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
    /// Those that are no clients: not yet, not any more, or never to be.
    guests: usize,
    clients: usize,
}

impl Addresses {
    /// A socket came; answers how many of this address are no clients now.
    pub(crate) fn arrive(&mut self, ip: IpAddr) -> usize {
        if ip.is_loopback() {
            return 0;
        }
        let count = self.counts.entry(ip).or_default();
        count.guests += 1;
        count.guests
    }

    /// Clients of this address.
    pub(crate) fn clients(&self, ip: IpAddr) -> usize {
        self.counts.get(&ip).map_or(0, |count| count.clients)
    }

    /// A socket finished its handshake and is a client.
    pub(crate) fn join(&mut self, ip: IpAddr) {
        if let Some(count) = self.counts.get_mut(&ip) {
            count.guests -= 1;
            count.clients += 1;
        }
    }

    /// A client is none any more, while its socket says goodbye.
    pub(crate) fn leave(&mut self, ip: IpAddr) {
        if let Some(count) = self.counts.get_mut(&ip) {
            count.clients -= 1;
            count.guests += 1;
        }
    }

    /// The socket of one that is no client is gone.
    pub(crate) fn depart(&mut self, ip: IpAddr) {
        let Some(count) = self.counts.get_mut(&ip) else { return };
        count.guests -= 1;
        if count.guests + count.clients == 0 {
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
        addresses.join(one);
        assert_eq!((addresses.clients(one), addresses.clients(two)), (1, 0));
        assert_eq!(addresses.arrive(one), 2);
        addresses.leave(one);
        assert_eq!((addresses.clients(one), addresses.arrive(one)), (0, 4), "who says goodbye is a guest");
        for ip in [one, one, one, one, two] {
            addresses.depart(ip);
        }
        assert!(addresses.counts.is_empty());
    }

    #[test]
    fn loopback_is_not_counted() {
        let mut addresses = Addresses::default();
        let ip = IpAddr::from([127, 0, 0, 1]);
        assert_eq!((addresses.arrive(ip), addresses.arrive(ip)), (0, 0));
        addresses.join(ip);
        assert_eq!(addresses.clients(ip), 0);
        addresses.leave(ip);
        addresses.depart(ip);
    }
}
