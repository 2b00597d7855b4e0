//! When to send beacons: at once, then every two seconds, and never while a client is connected.

use std::time::Duration;

use crate::Time;

/// Delays after the first beacons of a burst, so that a lost datagram does not cost two seconds.
const BURST: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// Minimum interval, so that no configuration floods the network.
pub const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// The schedule of beacons.
#[derive(Debug)]
pub struct Announcer {
    enabled: bool,
    clients: usize,
    interval: Duration,
    next: Time,
    /// Beacons of the burst that were sent.
    burst: usize,
    random: u64,
}

impl Announcer {
    /// Creates a schedule that begins at once; `seed` determines the jitter.
    pub fn new(enabled: bool, interval: Duration, seed: u64) -> Announcer {
        Announcer {
            enabled,
            clients: 0,
            interval: interval.max(MIN_INTERVAL),
            next: Time::ZERO,
            burst: 0,
            random: seed | 1,
        }
    }

    /// Returns whether discovery is enabled.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Returns whether beacons are sent now.
    pub fn is_active(&self) -> bool {
        self.enabled && self.clients == 0
    }

    /// Handles a change of the number of clients.
    pub fn handle_clients(&mut self, clients: usize, now: Time) {
        let left = self.clients > 0 && clients == 0;
        self.clients = clients;
        if left {
            self.announce(now);
        }
    }

    /// Announces the server again, because the addresses of this machine changed, and other browsers may be reachable.
    pub fn handle_network_change(&mut self, now: Time) {
        if self.clients == 0 {
            self.announce(now);
        }
    }

    /// Enables discovery.
    pub fn start(&mut self, now: Time) {
        if !self.enabled {
            self.enabled = true;
            if self.clients == 0 {
                self.announce(now);
            } else {
                // A burst that was left over when discovery stopped is not resumed.
                self.burst = BURST.len();
            }
        }
    }

    /// Disables discovery.
    pub fn stop(&mut self) {
        self.enabled = false;
    }

    /// Schedules a beacon at once if discovery is enabled, even while clients are connected.
    pub fn broadcast_now(&mut self, now: Time) {
        self.announce(now);
    }

    /// Returns when the next beacon is due; `None` while no beacons are sent.
    pub fn poll_timeout(&self) -> Option<Time> {
        (self.enabled && (self.clients == 0 || self.burst == 0)).then_some(self.next)
    }

    /// Returns whether to send a beacon now. If so, the next one is scheduled.
    pub fn poll_beacon(&mut self, now: Time) -> bool {
        if self.poll_timeout().is_none_or(|next| now < next) {
            return false;
        }
        let wait = BURST.get(self.burst).copied().unwrap_or_else(|| self.jittered());
        self.burst += 1;
        self.next = now + wait;
        true
    }

    /// Begins a burst.
    fn announce(&mut self, now: Time) {
        self.next = now;
        self.burst = 0;
    }

    /// Returns the interval give or take 5 %, so that many servers do not announce at the same time (xorshift64).
    fn jittered(&mut self) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let share = (self.random % 1001) as u32;
        (self.interval / 10_000).saturating_mul(9500 + share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs until `end`, waking up exactly when asked to, and returns when beacons were sent, in milliseconds.
    fn run(announcer: &mut Announcer, from: u64, end: u64) -> Vec<u64> {
        let mut now = at(from);
        let mut sent = Vec::new();
        while now <= at(end) {
            if announcer.poll_beacon(now) {
                sent.push(now.as_micros() / 1000);
            }
            match announcer.poll_timeout() {
                Some(next) => now = next.max(now),
                None => break,
            }
        }
        sent
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    fn announcer() -> Announcer {
        Announcer::new(true, Duration::from_secs(2), 42)
    }

    #[test]
    fn interval_is_two_seconds_with_jitter_after_a_burst() {
        let sent = run(&mut announcer(), 0, 3_600_000);
        assert_eq!(sent[..3], [0, 100, 500]);
        let gaps: Vec<u64> = sent[2..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (1899..=2101).contains(gap)));
        assert!(gaps.iter().any(|gap| *gap < 1950) && gaps.iter().any(|gap| *gap > 2050), "no jitter");
        let mean = gaps.iter().sum::<u64>() / gaps.len() as u64;
        assert!((1990..=2010).contains(&mean), "mean {mean}");
    }

    #[test]
    fn after_the_longest_interval_no_beacon_follows_the_burst() {
        let mut announcer = Announcer::new(true, Duration::MAX, 1);
        assert_eq!(run(&mut announcer, 0, 3_600_000), [0, 100, 500]);
        assert_eq!(announcer.poll_timeout(), Some(Time::NEVER));
    }

    #[test]
    fn no_beacons_while_a_client_is_connected() {
        let mut announcer = announcer();
        run(&mut announcer, 0, 10_000);
        announcer.handle_clients(1, at(10_000));
        assert!(!announcer.is_active() && announcer.is_enabled());
        assert!(run(&mut announcer, 10_000, 100_000).is_empty());
        announcer.handle_clients(2, at(20_000));
        announcer.handle_clients(1, at(30_000));
        assert!(run(&mut announcer, 30_000, 100_000).is_empty());
        announcer.handle_clients(0, at(100_000));
        assert_eq!(run(&mut announcer, 100_000, 101_000), [100_000, 100_100, 100_500]);
    }

    #[test]
    fn broadcast_now_sends_one_beacon_if_discovery_is_on() {
        let mut announcer = announcer();
        announcer.stop();
        announcer.broadcast_now(at(5));
        assert!(run(&mut announcer, 5, 100_000).is_empty());
        announcer.start(at(7000));
        assert_eq!(run(&mut announcer, 7000, 7200), [7000, 7100]);
        announcer.handle_clients(1, at(7300));
        announcer.broadcast_now(at(8000));
        assert_eq!(run(&mut announcer, 8000, 100_000), [8000], "once, although a client is connected");
    }

    #[test]
    fn network_change_is_announced_unless_a_client_is_connected_or_discovery_is_off() {
        let mut announcer = announcer();
        run(&mut announcer, 0, 10_000);
        announcer.handle_network_change(at(10_001));
        assert_eq!(run(&mut announcer, 10_001, 10_600), [10_001, 10_101, 10_501]);
        announcer.handle_clients(1, at(11_000));
        announcer.handle_network_change(at(12_000));
        assert!(run(&mut announcer, 12_000, 100_000).is_empty());
        announcer.handle_clients(0, at(100_000));
        announcer.stop();
        announcer.handle_network_change(at(100_001));
        assert!(run(&mut announcer, 100_001, 200_000).is_empty());
    }

    #[test]
    fn start_while_a_client_is_connected_sends_no_beacon() {
        let mut announcer = Announcer::new(false, Duration::from_secs(2), 42);
        announcer.handle_clients(1, at(0));
        announcer.start(at(1000));
        assert!(run(&mut announcer, 1000, 100_000).is_empty());
        announcer.handle_clients(0, at(100_000));
        assert_eq!(run(&mut announcer, 100_000, 100_050), [100_000]);
    }
}
