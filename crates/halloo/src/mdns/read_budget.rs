//! How much is read from one socket of multicast DNS. The rest is dropped by the system when its receive buffer is full,
//! which costs this process nothing.

use std::time::Duration;

use halloo_proto::Time;

/// Packets per second on average. An office with hundreds of devices has some dozens.
const PACKETS_PER_SECOND: u32 = 250;
/// Bytes per second on average: what the packets of an honest network have at most, 1 KiB each.
const BYTES_PER_SECOND: u32 = PACKETS_PER_SECOND * 1024;
/// The time whose packets may come at once.
const BURST: Duration = Duration::from_secs(2);
/// The shortest pause. Pauses are long, because each begins and ends with system calls.
const PAUSE: Duration = Duration::from_millis(100);

/// Allows a burst, and then a rate of packets and bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReadBudget {
    /// When the whole burst is available again.
    full_at: Time,
}

impl ReadBudget {
    /// Counts a packet of `length` bytes.
    pub(super) fn take(&mut self, length: usize, now: Time) {
        let bytes = u32::try_from(length).unwrap_or(u32::MAX);
        let cost = (Duration::from_secs(1) / PACKETS_PER_SECOND).max(Duration::from_secs(1) * bytes / BYTES_PER_SECOND);
        self.full_at = self.full_at.max(now) + cost;
    }

    /// Returns until when to pause; `None` while there is a budget.
    pub(super) fn poll_pause(&self, now: Time) -> Option<Time> {
        let used = self.full_at - now;
        (used >= BURST).then(|| now + (used - BURST) + PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many packets of `length` bytes are read in `seconds` of a flood, and in how many turns.
    fn read(length: usize, seconds: u64) -> (u32, u32) {
        let (mut budget, mut now, end) = (ReadBudget::default(), Time::ZERO, Time::ZERO + Duration::from_secs(seconds));
        let (mut packets, mut turns) = (0, 0);
        while now < end {
            turns += 1;
            while budget.poll_pause(now).is_none() {
                budget.take(length, now);
                packets += 1;
            }
            now = budget.poll_pause(now).expect("the budget is used up");
        }
        (packets, turns)
    }

    #[test]
    fn flood_is_read_in_few_turns_and_at_the_average_rate() {
        let (packets, turns) = read(60, 10);
        assert!((2950..=3026).contains(&packets) && (95..=100).contains(&turns), "{packets} in {turns} turns");
        // A packet of 9 KB counts like nine.
        let (packets, _) = read(9000, 10);
        assert!((335..=350).contains(&packets), "{packets}");
    }

    #[test]
    fn honest_network_is_never_paused() {
        let mut budget = ReadBudget::default();
        for second in 0..60 {
            let now = Time::ZERO + Duration::from_secs(second);
            for _ in 0..200 {
                assert_eq!(budget.poll_pause(now), None);
                budget.take(400, now);
            }
        }
    }
}
