//! What one connection may use of a turn, by what it costs and not only by what it delivers.

use crate::defaults::{MIN_TURN_BYTES, TLS_RECORD_COST, TURN_BYTES, TURN_BYTES_TOTAL, TURN_INFLATED, TURN_MESSAGES};

/// The read budget of one connection in one turn. When a part of it is spent, the other connections are served first.
///
/// ```
/// use halloo_proto::defaults::TURN_BYTES;
/// use halloo_proto::read_budget::ReadBudget;
///
/// let mut budget = ReadBudget::default();
/// budget.spend_bytes(TURN_BYTES);
/// assert!(!budget.may_read() && budget.may_handle());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBudget {
    bytes: usize,
    messages: usize,
    inflated: usize,
}

impl Default for ReadBudget {
    fn default() -> ReadBudget {
        ReadBudget { bytes: TURN_BYTES, messages: TURN_MESSAGES, inflated: TURN_INFLATED }
    }
}

impl ReadBudget {
    /// Returns how many bytes are read from each connection in a turn in which `connections` are ready.
    pub fn share(connections: usize) -> usize {
        (TURN_BYTES_TOTAL / connections.max(1)).clamp(MIN_TURN_BYTES, TURN_BYTES)
    }

    /// Returns a budget for this number of bytes from the socket, instead of [`TURN_BYTES`].
    pub fn with_bytes(bytes: usize) -> ReadBudget {
        ReadBudget { bytes, ..ReadBudget::default() }
    }

    /// Counts bytes that were read from the socket, whatever they decrypt to.
    #[inline]
    pub fn spend_bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Counts TLS records, each as [`TLS_RECORD_COST`] bytes besides those it has.
    pub fn spend_records(&mut self, records: usize) {
        self.spend_bytes(records * TLS_RECORD_COST);
    }

    /// Counts a frame that was handled.
    #[inline]
    pub fn spend_message(&mut self) {
        self.messages = self.messages.saturating_sub(1);
    }

    /// Counts bytes that a compressed message was inflated to.
    pub fn spend_inflated(&mut self, bytes: usize) {
        self.inflated = self.inflated.saturating_sub(bytes);
    }

    /// Returns whether more may be read from the socket in this turn.
    pub fn may_read(&self) -> bool {
        self.bytes > 0
    }

    /// Returns whether more of what was read may be handled in this turn.
    #[inline]
    pub fn may_handle(&self) -> bool {
        self.messages > 0 && self.inflated > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_share_a_turn_when_many_are_ready() {
        assert_eq!([0, 1, 128].map(ReadBudget::share), [TURN_BYTES; 3]);
        assert_eq!(ReadBudget::share(512), TURN_BYTES_TOTAL / 512);
        assert_eq!(ReadBudget::share(100_000), MIN_TURN_BYTES);
    }

    #[test]
    fn empty_records_spend_the_budget_before_their_bytes_do() {
        let (mut budget, mut records) = (ReadBudget::default(), 0);
        while budget.may_read() {
            budget.spend_bytes(22);
            budget.spend_records(1);
            records += 1;
        }
        assert!(records <= 256, "{records} records in one turn");
        assert!(ReadBudget::with_bytes(1).may_read());
    }

    #[test]
    fn messages_and_inflated_bytes_end_the_handling() {
        let mut budget = ReadBudget::default();
        (1..TURN_MESSAGES).for_each(|_| budget.spend_message());
        assert!(budget.may_handle());
        budget.spend_message();
        assert!(!budget.may_handle() && budget.may_read());
        let mut budget = ReadBudget::default();
        budget.spend_inflated(TURN_INFLATED);
        assert!(!budget.may_handle());
    }
}
