//! TLS handshakes: a few in each turn and fairly between addresses, because each may take as long as thousands of
//! messages.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// The connections whose TLS handshake can go on: in the order in which their bytes arrived, but alternating between
/// addresses, so that one device does not delay the others.
#[derive(Debug, Default)]
pub(super) struct TlsQueue {
    waiting: HashMap<IpAddr, VecDeque<usize>>,
    /// The addresses in `waiting`, the next one first.
    addresses: VecDeque<IpAddr>,
}

impl TlsQueue {
    /// Appends the connection in `slot`.
    pub(super) fn push(&mut self, ip: IpAddr, slot: usize) {
        let slots = self.waiting.entry(ip).or_default();
        if slots.is_empty() {
            self.addresses.push_back(ip);
        }
        slots.push_back(slot);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Removes and returns the next slot. Its connection may be gone by now, and the slot in use again.
    pub(super) fn pop(&mut self) -> Option<usize> {
        let ip = self.addresses.pop_front()?;
        let slots = self.waiting.get_mut(&ip)?;
        let slot = slots.pop_front();
        if slots.is_empty() {
            self.waiting.remove(&ip);
        } else {
            self.addresses.push_back(ip);
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_alternate_and_each_keeps_its_order() {
        let [flood, one, two] = [1, 2, 3].map(|last| IpAddr::from([192, 168, 1, last]));
        let mut queue = TlsQueue::default();
        (0..100).for_each(|slot| queue.push(flood, slot));
        queue.push(one, 200);
        queue.push(two, 300);
        queue.push(one, 201);
        let order: Vec<usize> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order[..6], [0, 200, 300, 1, 201, 2]);
        assert!(order.len() == 103 && order[6..].is_sorted() && queue.is_empty() && queue.waiting.is_empty());
    }
}
