//! Detection of a dead peer: silence leads to a ping, and longer silence ends the connection.

use std::time::Duration;

use crate::Time;
use crate::defaults::MAX_SILENT_HEARTBEATS;
use crate::frame::Role;
use crate::read_pauses::ReadPauses;

/// What to do about a peer's silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepaliveAction {
    /// Do nothing until this time.
    Wait(Time),
    /// Send a ping now, then poll again.
    Ping,
    /// Send an unsolicited pong now (RFC 6455 section 5.5.3), then poll again. Reading is paused, so a ping would prove
    /// nothing, but the peer must see that this side is alive.
    Pong,
    /// The peer is dead.
    Dead,
}

/// The keepalive state of one connection. Any byte from the peer is a sign of life.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    last_received: Time,
    /// When the last ping or unsolicited pong was sent; [`Time::NEVER`] if a pong has arrived since.
    last_sent: Time,
    latency_micros: u32,
}

impl Keepalive {
    /// Creates the keepalive of a connection from which bytes were received just now.
    pub fn new(now: Time) -> Keepalive {
        Keepalive { last_received: now, last_sent: Time::NEVER, latency_micros: 0 }
    }

    /// Returns the round trip of the last answered ping in microseconds; 0 before the first.
    pub fn latency_micros(&self) -> u32 {
        self.latency_micros
    }

    /// Records a ping that is sent now without preceding silence, to measure the round trip.
    pub fn handle_ping_sent(&mut self, now: Time) {
        self.last_sent = now;
    }

    /// Records that bytes arrived.
    pub fn handle_bytes(&mut self, now: Time) {
        self.last_received = now;
    }

    /// Records that a pong arrived, and measures the round trip unless reading was paused since the ping.
    pub fn handle_pong(&mut self, pauses: &ReadPauses) {
        if self.is_waiting() {
            if self.last_sent >= pauses.since() {
                let round_trip = pauses.now() - self.last_sent;
                self.latency_micros = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX);
            }
            self.last_sent = Time::NEVER;
        }
    }

    /// Returns what to do now: ping after `interval` of silence, and consider the peer dead after three times as long.
    /// Time before [`ReadPauses::since`] does not count as silence, because reading was paused. While it is paused, a
    /// client sends unsolicited pongs, and a server only waits. An `interval` of zero disables the keepalive.
    pub fn poll(&mut self, role: Role, interval: Duration, pauses: &ReadPauses) -> KeepaliveAction {
        let action = self.next(role, interval, pauses);
        if matches!(action, KeepaliveAction::Ping | KeepaliveAction::Pong) {
            self.last_sent = pauses.now();
        }
        action
    }

    /// Returns when [`Keepalive::poll`] has something to do; [`Time::NEVER`] if the keepalive is disabled.
    pub fn poll_timeout(&self, role: Role, interval: Duration, pauses: &ReadPauses) -> Time {
        match self.next(role, interval, pauses) {
            KeepaliveAction::Wait(until) => until,
            _ => pauses.now(),
        }
    }

    fn next(&self, role: Role, interval: Duration, pauses: &ReadPauses) -> KeepaliveAction {
        let now = pauses.now();
        if interval.is_zero() {
            return KeepaliveAction::Wait(Time::NEVER);
        }
        if pauses.is_paused() {
            return match role {
                Role::Server => KeepaliveAction::Wait(now + interval),
                Role::Client => {
                    let sent = if self.is_waiting() { self.last_sent } else { self.last_received };
                    let due = sent.max(self.last_received) + interval;
                    if now >= due { KeepaliveAction::Pong } else { KeepaliveAction::Wait(due) }
                }
            };
        }
        let received = self.last_received.max(pauses.since());
        let silence = now - received;
        let is_pinged = self.is_waiting() && self.last_sent >= received;
        if silence >= interval * MAX_SILENT_HEARTBEATS {
            KeepaliveAction::Dead
        } else if silence < interval {
            KeepaliveAction::Wait(received + interval)
        } else if is_pinged {
            KeepaliveAction::Wait(received + interval * MAX_SILENT_HEARTBEATS)
        } else {
            KeepaliveAction::Ping
        }
    }

    fn is_waiting(&self) -> bool {
        self.last_sent != Time::NEVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn poll(keepalive: &mut Keepalive, now: Time) -> KeepaliveAction {
        keepalive.poll(Role::Server, INTERVAL, &now.into())
    }

    #[test]
    fn silent_peer_is_pinged_once_and_then_dead() {
        let mut keepalive = Keepalive::new(at(100));
        assert_eq!(poll(&mut keepalive, at(104)), KeepaliveAction::Wait(at(105)));
        assert_eq!(poll(&mut keepalive, at(105)), KeepaliveAction::Ping);
        assert_eq!(poll(&mut keepalive, at(105)), KeepaliveAction::Wait(at(115)));
        assert_eq!(poll(&mut keepalive, at(114)), KeepaliveAction::Wait(at(115)));
        assert_eq!(poll(&mut keepalive, at(115)), KeepaliveAction::Dead);
    }

    #[test]
    fn pong_measures_the_round_trip_and_is_a_sign_of_life() {
        let mut keepalive = Keepalive::new(at(0));
        assert_eq!(poll(&mut keepalive, at(5)), KeepaliveAction::Ping);
        let pong = at(5) + Duration::from_millis(3);
        keepalive.handle_bytes(pong);
        keepalive.handle_pong(&pong.into());
        assert_eq!(keepalive.latency_micros(), 3000);
        assert_eq!(poll(&mut keepalive, at(10)), KeepaliveAction::Wait(pong + INTERVAL));
        assert_eq!(poll(&mut keepalive, at(11)), KeepaliveAction::Ping);
    }

    #[test]
    fn first_ping_measures_the_round_trip_before_any_silence() {
        let mut keepalive = Keepalive::new(at(0));
        keepalive.handle_ping_sent(at(0));
        let pong = at(0) + Duration::from_millis(2);
        keepalive.handle_bytes(pong);
        keepalive.handle_pong(&pong.into());
        assert_eq!(keepalive.latency_micros(), 2000);
        assert_eq!(poll(&mut keepalive, at(6)), KeepaliveAction::Ping, "silence leads to a ping again");
    }

    #[test]
    fn pause_does_not_count_as_silence_and_its_pongs_measure_nothing() {
        let mut keepalive = Keepalive::new(at(0));
        let mut pauses = ReadPauses::from(at(1));
        pauses.pause();
        pauses.handle_turn(at(39), None, INTERVAL);
        assert_eq!(keepalive.poll(Role::Server, INTERVAL, &pauses), KeepaliveAction::Wait(at(44)));
        assert_eq!(keepalive.poll(Role::Client, INTERVAL, &pauses), KeepaliveAction::Pong);
        assert_eq!(keepalive.poll(Role::Client, INTERVAL, &pauses), KeepaliveAction::Wait(at(44)));
        pauses.handle_turn(at(40), None, INTERVAL);
        pauses.resume();
        keepalive.handle_pong(&pauses);
        assert_eq!(keepalive.latency_micros(), 0);
        assert_eq!(keepalive.poll(Role::Client, INTERVAL, &pauses), KeepaliveAction::Wait(at(45)));
    }

    #[test]
    fn peer_that_answers_every_ping_stays_alive() {
        let mut keepalive = Keepalive::new(at(0));
        let mut now = at(0);
        let mut pings = 0;
        while now < at(3_600_000) {
            match poll(&mut keepalive, now) {
                KeepaliveAction::Wait(until) => now = until,
                KeepaliveAction::Ping => {
                    pings += 1;
                    keepalive.handle_bytes(now);
                    keepalive.handle_pong(&now.into());
                }
                other => panic!("{other:?} at {now:?} although every ping was answered"),
            }
        }
        assert_eq!(pings, 3_600_000 / 5 - 1);
    }

    #[test]
    fn zero_interval_disables_the_keepalive() {
        let off = Keepalive::new(at(0)).poll(Role::Client, Duration::ZERO, &at(1000).into());
        assert_eq!(off, KeepaliveAction::Wait(Time::NEVER));
    }
}
