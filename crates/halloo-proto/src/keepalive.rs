//! Detection of a dead peer: silence leads to a ping, and longer silence ends the connection.

use std::time::Duration;

use crate::Time;
use crate::defaults::{HEARTBEAT, MAX_SILENT_HEARTBEATS, MAX_TRANSIT, SLOW_LINK_BYTES_PER_SECOND};
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

/// The unit of [`Keepalive::in_transit_until`], in microseconds: a sixteenth of a second.
const TICK: u64 = 62_500;

/// The keepalive state of one connection. Any byte that the peer sends or accepts is a sign of life.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    last_alive: Time,
    /// When the last ping or unsolicited pong was sent; [`Time::NEVER`] if a pong has arrived since.
    last_sent: Time,
    latency_micros: u32,
    /// When a peer on a slow link has received everything that was written, in ticks.
    in_transit_until: u32,
}

impl Keepalive {
    /// Creates the keepalive of a connection from which bytes were received just now.
    pub fn new(now: Time) -> Keepalive {
        Keepalive { last_alive: now, last_sent: Time::NEVER, latency_micros: 0, in_transit_until: 0 }
    }

    /// Returns the round trip of the last answered ping in microseconds; 0 before the first.
    pub fn latency_micros(&self) -> u32 {
        self.latency_micros
    }

    /// Returns when the peer last sent or accepted bytes.
    pub fn last_alive(&self) -> Time {
        self.last_alive
    }

    /// Records that this connection alone was not read until now, although it may have bytes: silence begins anew.
    pub fn handle_resumed(&mut self, now: Time) {
        (self.last_alive, self.last_sent) = (now, Time::NEVER);
    }

    /// Records a ping that is sent now without preceding silence, to measure the round trip.
    pub fn handle_ping_sent(&mut self, now: Time) {
        self.last_sent = now;
    }

    /// Records that bytes arrived.
    pub fn handle_bytes(&mut self, now: Time) {
        self.last_alive = now;
    }

    /// Records that the socket accepted `bytes`. A pong comes behind them, so on a slow link it may take longer.
    pub fn handle_written(&mut self, bytes: usize, now: Time) {
        let now = now.as_micros() / TICK;
        let transit = (bytes / (SLOW_LINK_BYTES_PER_SECOND / 16)) as u64;
        let until = u64::from(self.in_transit_until).max(now) + transit;
        let latest = now + MAX_TRANSIT.as_micros() as u64 / TICK;
        self.in_transit_until = u32::try_from(until.min(latest)).unwrap_or(u32::MAX);
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
    /// Time before [`ReadPauses::since`] does not count as silence, because reading was paused. While it is paused, this
    /// side sends an unsolicited pong every `interval`; a server at least every [`HEARTBEAT`], because its clients may
    /// have a shorter one. An `interval` of zero disables the keepalive.
    /// `is_blocked`: bytes wait for the peer. A ping would wait behind them, so it is sent later, and the write timeout
    /// decides meanwhile whether the peer is dead.
    pub fn poll(&mut self, role: Role, interval: Duration, pauses: &ReadPauses, is_blocked: bool) -> KeepaliveAction {
        let action = self.next(role, interval, pauses, is_blocked);
        if matches!(action, KeepaliveAction::Ping | KeepaliveAction::Pong) {
            self.last_sent = pauses.now();
        }
        action
    }

    /// Returns when [`Keepalive::poll`] has something to do; [`Time::NEVER`] if the keepalive is disabled, or if bytes
    /// wait for the peer.
    pub fn poll_timeout(&self, role: Role, interval: Duration, pauses: &ReadPauses, is_blocked: bool) -> Time {
        match self.next(role, interval, pauses, is_blocked) {
            KeepaliveAction::Wait(until) => until,
            _ => pauses.now(),
        }
    }

    fn next(&self, role: Role, interval: Duration, pauses: &ReadPauses, is_blocked: bool) -> KeepaliveAction {
        let now = pauses.now();
        if interval.is_zero() || is_blocked {
            return KeepaliveAction::Wait(Time::NEVER);
        }
        if pauses.is_paused() {
            let interval = if role == Role::Server { interval.min(HEARTBEAT) } else { interval };
            let sent = if self.is_waiting() { self.last_sent } else { self.last_alive };
            let due = sent.max(self.last_alive) + interval;
            return if now >= due { KeepaliveAction::Pong } else { KeepaliveAction::Wait(due) };
        }
        let alive = self.last_alive.max(pauses.since());
        let in_transit_until = Time::from_micros(u64::from(self.in_transit_until) * TICK);
        let dead_at = alive.max(in_transit_until) + interval.saturating_mul(MAX_SILENT_HEARTBEATS);
        let is_pinged = self.is_waiting() && self.last_sent >= alive;
        if now >= dead_at {
            KeepaliveAction::Dead
        } else if now - alive < interval {
            KeepaliveAction::Wait(alive + interval)
        } else if is_pinged {
            KeepaliveAction::Wait(dead_at)
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
        keepalive.poll(Role::Server, INTERVAL, &now.into(), false)
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
    fn the_longest_interval_means_never() {
        let keepalive = Keepalive::new(at(100));
        for role in [Role::Client, Role::Server] {
            assert_eq!(keepalive.poll_timeout(role, Duration::MAX, &at(1_000_000).into(), false), Time::NEVER);
        }
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
        for role in [Role::Server, Role::Client] {
            let mut keepalive = keepalive;
            assert_eq!(keepalive.poll(role, INTERVAL, &pauses, false), KeepaliveAction::Pong);
            assert_eq!(keepalive.poll(role, INTERVAL, &pauses, false), KeepaliveAction::Wait(at(44)));
            let next = KeepaliveAction::Wait(at(if role == Role::Server { 44 } else { 99 }));
            assert_eq!(keepalive.poll(role, 12 * INTERVAL, &pauses, false), next);
        }
        assert_eq!(keepalive.poll(Role::Server, INTERVAL, &pauses, false), KeepaliveAction::Pong);
        pauses.handle_turn(at(40), None, INTERVAL);
        pauses.resume();
        keepalive.handle_pong(&pauses);
        assert_eq!(keepalive.latency_micros(), 0);
        assert_eq!(keepalive.poll(Role::Client, INTERVAL, &pauses, false), KeepaliveAction::Wait(at(45)));
    }

    #[test]
    fn silence_begins_anew_when_one_connection_is_read_again() {
        let mut keepalive = Keepalive::new(at(0));
        assert_eq!(poll(&mut keepalive, at(5)), KeepaliveAction::Ping);
        keepalive.handle_resumed(at(100));
        assert_eq!(poll(&mut keepalive, at(100)), KeepaliveAction::Wait(at(105)));
        assert_eq!(poll(&mut keepalive, at(105)), KeepaliveAction::Ping);
        assert_eq!(poll(&mut keepalive, at(115)), KeepaliveAction::Dead);
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
    fn peer_on_a_slow_link_has_time_to_receive_what_was_written() {
        let mut keepalive = Keepalive::new(at(100));
        keepalive.handle_written(80 * 1024, at(100));
        assert_eq!(poll(&mut keepalive, at(105)), KeepaliveAction::Ping, "the ping is not delayed");
        assert_eq!(
            poll(&mut keepalive, at(105)),
            KeepaliveAction::Wait(at(125)),
            "10 s at 8 KiB/s, and three heartbeats"
        );
        keepalive.handle_written(80 * 1024, at(105));
        assert_eq!(poll(&mut keepalive, at(125)), KeepaliveAction::Wait(at(135)));
        keepalive.handle_written(usize::MAX / 2, at(125));
        assert_eq!(poll(&mut keepalive, at(130)), KeepaliveAction::Wait(at(170)), "30 s at most");
        assert_eq!(poll(&mut keepalive, at(170)), KeepaliveAction::Dead);
    }

    #[test]
    fn small_messages_delay_the_death_of_a_peer_by_nothing() {
        let mut keepalive = Keepalive::new(at(100));
        for _ in 0..1_000_000 {
            keepalive.handle_written(500, at(100));
        }
        assert_eq!(poll(&mut keepalive, at(105)), KeepaliveAction::Ping);
        assert_eq!(poll(&mut keepalive, at(115)), KeepaliveAction::Dead);
    }

    #[test]
    fn zero_interval_disables_the_keepalive() {
        let off = Keepalive::new(at(0)).poll(Role::Client, Duration::ZERO, &at(1000).into(), false);
        assert_eq!(off, KeepaliveAction::Wait(Time::NEVER));
    }
}
