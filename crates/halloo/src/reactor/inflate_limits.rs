//! Limits on what the compressed messages of one client, and of all together, are inflated to.

use std::collections::HashMap;

use halloo_proto::Time;
use halloo_proto::defaults::{INFLATED_MESSAGES_PER_SECOND, TOTAL_INFLATED_MESSAGES_PER_SECOND};
use halloo_proto::inflate_budget::InflateBudget;

use crate::ClientId;

/// The number of budgets below which it is not worth looking for those to forget.
const MIN_PRUNED: usize = 64;

/// What clients have inflated beyond the usual ratio. A client that stays within it has no entry, and never waits.
#[derive(Debug)]
pub(super) struct InflateLimits {
    /// Bytes per second of one client, and of all together.
    rate: usize,
    total_rate: usize,
    clients: HashMap<ClientId, InflateBudget>,
    total: InflateBudget,
    /// The number of entries at which forgotten ones are removed.
    prune_at: usize,
}

impl InflateLimits {
    pub(super) fn new(max_message_bytes: usize) -> InflateLimits {
        InflateLimits {
            rate: max_message_bytes.saturating_mul(INFLATED_MESSAGES_PER_SECOND),
            total_rate: max_message_bytes.saturating_mul(TOTAL_INFLATED_MESSAGES_PER_SECOND),
            clients: HashMap::new(),
            total: InflateBudget::default(),
            prune_at: MIN_PRUNED,
        }
    }

    /// Counts a message of `compressed` bytes of `client`. Returns whether its next one must wait.
    pub(super) fn spend(&mut self, client: ClientId, compressed: usize, inflated: usize, now: Time) -> bool {
        let mut budget = self.clients.get(&client).copied().unwrap_or_default();
        budget.spend(compressed, inflated, self.rate, now);
        if budget.is_forgotten(now) {
            return false;
        }
        self.total.spend(compressed, inflated, self.total_rate, now);
        if self.clients.len() >= self.prune_at {
            self.clients.retain(|_, budget| !budget.is_forgotten(now));
            self.prune_at = MIN_PRUNED.max(2 * self.clients.len());
        }
        self.clients.insert(client, budget);
        self.blocked_until(client, now).is_some()
    }

    /// Returns until when messages of `client` must wait; `None` if they need not.
    pub(super) fn blocked_until(&self, client: ClientId, now: Time) -> Option<Time> {
        let budget = self.clients.get(&client).filter(|budget| !budget.is_forgotten(now))?;
        let until = budget.blocked_until().max(self.total.blocked_until());
        (until > now).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn clients_that_exceed_the_ratio_share_a_total_and_others_do_not_wait() {
        let mut limits = InflateLimits::new(MIB);
        let (end, mut inflated) = (Duration::from_secs(10).as_millis() as u64, 0);
        for millis in 0..end {
            let now = Time::from_micros(millis * 1000);
            for client in (1..=100).map(ClientId) {
                if limits.blocked_until(client, now).is_none() {
                    limits.spend(client, 1000, MIB, now);
                    inflated += 1;
                }
            }
            assert!(!limits.spend(ClientId(999), MIB / 10, MIB, now), "ten to one is usual");
            assert_eq!(limits.blocked_until(ClientId(999), now), None);
        }
        // The first message of each client is not known to be one before it is inflated.
        let most = TOTAL_INFLATED_MESSAGES_PER_SECOND * 11 + 100;
        assert!(inflated <= most, "{inflated} messages of 1 MiB in 10 s");
    }

    #[test]
    fn budgets_of_clients_that_left_are_removed() {
        let mut limits = InflateLimits::new(MIB);
        for client in 0..10_000 {
            limits.spend(ClientId(client), 1000, MIB, Time::from_micros(client * 1_000_000));
            assert!(limits.clients.len() <= MIN_PRUNED);
        }
    }
}
