//! Is the peer still there? Silence is answered with a ping, longer silence with a verdict.

use std::time::Duration;

use crate::Time;
use crate::defaults::HEARTBEATS_TO_DEATH;

/// What to do about a peer's silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepaliveAction {
    /// Nothing until then.
    Wait(Time),
    /// Send a ping now; ask again at once.
    Ping,
    /// The peer is gone.
    Dead,
}

/// The heartbeat of one connection: any byte from the peer counts as life.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    last_heard: Time,
    /// When the last ping went out; [`Time::NEVER`] when its pong has come.
    pinged: Time,
    latency_micros: u32,
}

impl Heartbeat {
    /// The peer was just heard.
    pub fn new(now: Time) -> Heartbeat {
        Heartbeat { last_heard: now, pinged: Time::NEVER, latency_micros: 0 }
    }

    /// Round trip of the last ping, in microseconds; 0 before the first.
    pub fn latency_micros(&self) -> u32 {
        self.latency_micros
    }

    /// A ping goes out now without a silence before it, to learn the round trip.
    pub fn ping(&mut self, now: Time) {
        self.pinged = now;
    }

    /// Bytes came. One ping is due per silence, so the next silence may ask again.
    pub fn handle_bytes(&mut self, now: Time) {
        self.last_heard = now;
    }

    /// A pong came: the round trip is known.
    pub fn handle_pong(&mut self, now: Time) {
        if self.is_waiting() {
            self.latency_micros = u32::try_from((now - self.pinged).as_micros()).unwrap_or(u32::MAX);
            self.pinged = Time::NEVER;
        }
    }

    /// Judges the silence: a ping after `interval`, dead after three times as long. Time before `listening_since`
    /// does not count, for the peer cannot be heard while the server itself does not read. `interval` zero turns the
    /// heartbeat off.
    pub fn poll(&mut self, now: Time, interval: Duration, listening_since: Time) -> KeepaliveAction {
        if interval.is_zero() {
            return KeepaliveAction::Wait(Time::NEVER);
        }
        let heard = self.last_heard.max(listening_since);
        let silence = now - heard;
        if silence >= interval * HEARTBEATS_TO_DEATH {
            return KeepaliveAction::Dead;
        }
        let asked = self.is_waiting() && self.pinged >= heard;
        if silence < interval {
            KeepaliveAction::Wait(heard + interval)
        } else if asked {
            KeepaliveAction::Wait(heard + interval * HEARTBEATS_TO_DEATH)
        } else {
            self.pinged = now;
            KeepaliveAction::Ping
        }
    }

    fn is_waiting(&self) -> bool {
        self.pinged != Time::NEVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn silence_is_pinged_once_and_then_ends() {
        let mut heartbeat = Heartbeat::new(at(100));
        assert_eq!(heartbeat.poll(at(104), INTERVAL, Time::ZERO), KeepaliveAction::Wait(at(105)));
        assert_eq!(heartbeat.poll(at(105), INTERVAL, Time::ZERO), KeepaliveAction::Ping);
        assert_eq!(heartbeat.poll(at(105), INTERVAL, Time::ZERO), KeepaliveAction::Wait(at(115)));
        assert_eq!(heartbeat.poll(at(114), INTERVAL, Time::ZERO), KeepaliveAction::Wait(at(115)));
        assert_eq!(heartbeat.poll(at(115), INTERVAL, Time::ZERO), KeepaliveAction::Dead);
    }

    #[test]
    fn a_pong_gives_the_round_trip_and_another_life() {
        let mut heartbeat = Heartbeat::new(at(0));
        assert_eq!(heartbeat.poll(at(5), INTERVAL, Time::ZERO), KeepaliveAction::Ping);
        let answer = at(5) + Duration::from_millis(3);
        heartbeat.handle_bytes(answer);
        heartbeat.handle_pong(answer);
        assert_eq!(heartbeat.latency_micros(), 3000);
        assert_eq!(heartbeat.poll(at(10), INTERVAL, Time::ZERO), KeepaliveAction::Wait(answer + INTERVAL));
        assert_eq!(heartbeat.poll(at(11), INTERVAL, Time::ZERO), KeepaliveAction::Ping);
    }

    #[test]
    fn a_ping_at_the_start_gives_the_round_trip_before_any_silence() {
        let mut heartbeat = Heartbeat::new(at(0));
        heartbeat.ping(at(0));
        let answer = at(0) + Duration::from_millis(2);
        heartbeat.handle_bytes(answer);
        heartbeat.handle_pong(answer);
        assert_eq!(heartbeat.latency_micros(), 2000);
        assert_eq!(heartbeat.poll(at(6), INTERVAL, Time::ZERO), KeepaliveAction::Ping, "the next silence asks again");
    }

    #[test]
    fn a_server_that_does_not_read_blames_nobody() {
        let mut heartbeat = Heartbeat::new(at(0));
        assert_eq!(heartbeat.poll(at(40), INTERVAL, at(39)), KeepaliveAction::Wait(at(44)));
    }

    #[test]
    fn a_thousand_quiet_but_living_hours() {
        let mut heartbeat = Heartbeat::new(at(0));
        let mut now = at(0);
        let mut pings = 0;
        while now < at(3_600_000) {
            match heartbeat.poll(now, INTERVAL, Time::ZERO) {
                KeepaliveAction::Wait(until) => now = until,
                KeepaliveAction::Ping => {
                    pings += 1;
                    heartbeat.handle_bytes(now);
                    heartbeat.handle_pong(now);
                }
                KeepaliveAction::Dead => panic!("answered every ping and was declared dead at {now:?}"),
            }
        }
        assert_eq!(pings, 3_600_000 / 5 - 1);
    }

    #[test]
    fn zero_turns_it_off() {
        assert_eq!(
            Heartbeat::new(at(0)).poll(at(1000), Duration::ZERO, Time::ZERO),
            KeepaliveAction::Wait(Time::NEVER)
        );
    }
}
