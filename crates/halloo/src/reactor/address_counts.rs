//! How many sockets each address has, so that one device cannot take the places of all others.

use std::collections::HashMap;
use std::net::IpAddr;

/// Sockets by address. Loopback is not counted, because all programs of this machine share it.
#[derive(Debug, Default)]
pub(super) struct AddressCounts {
    counts: HashMap<IpAddr, Count>,
}

#[derive(Debug, Default)]
struct Count {
    /// Sockets that are not clients: pending, closing or refused.
    others: usize,
    clients: usize,
}

impl AddressCounts {
    /// Adds an accepted socket and returns how many sockets of this address are not clients.
    pub(super) fn add(&mut self, ip: IpAddr) -> usize {
        if ip.is_loopback() {
            return 0;
        }
        let count = self.counts.entry(ip).or_default();
        count.others += 1;
        count.others
    }

    /// Returns the number of clients of this address.
    pub(super) fn clients(&self, ip: IpAddr) -> usize {
        self.counts.get(&ip).map_or(0, |count| count.clients)
    }

    /// Counts a socket as a client: its handshake is complete.
    pub(super) fn join(&mut self, ip: IpAddr) {
        if let Some(count) = self.counts.get_mut(&ip) {
            count.others -= 1;
            count.clients += 1;
        }
    }

    /// No longer counts a socket as a client: it is closing.
    pub(super) fn leave(&mut self, ip: IpAddr) {
        if let Some(count) = self.counts.get_mut(&ip) {
            count.clients -= 1;
            count.others += 1;
        }
    }

    /// Removes a socket that is not a client.
    pub(super) fn remove(&mut self, ip: IpAddr) {
        let Some(count) = self.counts.get_mut(&ip) else { return };
        count.others -= 1;
        if count.others + count.clients == 0 {
            self.counts.remove(&ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_without_sockets_is_removed() {
        let mut counts = AddressCounts::default();
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert_eq!((counts.add(one), counts.add(one), counts.add(two)), (1, 2, 1));
        counts.join(one);
        assert_eq!((counts.clients(one), counts.clients(two)), (1, 0));
        assert_eq!(counts.add(one), 2);
        counts.leave(one);
        assert_eq!((counts.clients(one), counts.add(one)), (0, 4), "a closing socket is not a client");
        for ip in [one, one, one, one, two] {
            counts.remove(ip);
        }
        assert!(counts.counts.is_empty());
    }

    #[test]
    fn loopback_is_not_counted() {
        let mut counts = AddressCounts::default();
        let ip = IpAddr::from([127, 0, 0, 1]);
        assert_eq!((counts.add(ip), counts.add(ip)), (0, 0));
        counts.join(ip);
        assert_eq!(counts.clients(ip), 0);
        counts.leave(ip);
        counts.remove(ip);
    }
}
