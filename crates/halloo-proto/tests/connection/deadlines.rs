//! Every deadline, on a virtual clock.

use std::time::Duration;

use halloo_proto::close::CloseCode;
use halloo_proto::connection::DropReason;
use halloo_proto::frame::{Opcode, Role};

use super::endpoint::{CLOSE_TIMEOUT, HEARTBEAT, STALL_TIMEOUT, Seen, WRITE_TIMEOUT};
use super::pair::{Pair, ROLES, START};

#[test]
fn silent_peer_is_pinged_once_and_dropped_after_three_heartbeats() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.ends(role).1.is_stopped = true;
        let dropped = Seen::Dropped(DropReason::Silent);
        let ended = pair.run_until(|pair| pair.client.has_seen(&dropped) || pair.server.has_seen(&dropped));
        assert_eq!(ended, Some(3 * HEARTBEAT), "{role:?}");
        assert_eq!(pair.ends(role).0.pings, [START + HEARTBEAT]);
    }
}

#[test]
fn peers_that_only_answer_pings_stay_connected_and_measure_the_round_trip() {
    let mut pair = Pair::default();
    pair.delay = Duration::from_millis(30);
    pair.run(Duration::from_secs(3600));
    for endpoint in [&pair.client, &pair.server] {
        assert_eq!(endpoint.seen, []);
        assert!(!endpoint.is_gone);
    }
    // A ping of one side is a sign of life for the other side, which then does not ping.
    assert!(pair.client.pings.len() + pair.server.pings.len() > 300);
    assert!(pair.server.connection.latency_micros() == 60_000 || pair.client.connection.latency_micros() == 60_000);
}

#[test]
fn zero_heartbeat_disables_pings_and_the_silence_limit() {
    let mut pair = Pair::new(Duration::ZERO);
    pair.client.is_stopped = true;
    assert_eq!(pair.run_until(|pair| pair.server.is_gone), None);
    assert_eq!((pair.server.pings.len(), pair.server.seen.len()), (0, 0));
}

#[test]
fn partial_message_must_not_stall_with_any_heartbeat() {
    for role in ROLES {
        for heartbeat in [HEARTBEAT, Duration::from_secs(600), Duration::ZERO] {
            let mut pair = Pair::new(heartbeat);
            pair.delay = Duration::ZERO;
            pair.ends(role).1.fragment(Opcode::Text, b"never finished");
            let violated = Seen::Violation(CloseCode::TryAgainLater);
            let ended = pair.run_until(|pair| pair.client.has_seen(&violated) || pair.server.has_seen(&violated));
            assert_eq!(ended, Some(STALL_TIMEOUT), "{role:?} {heartbeat:?}");
            let (_, other) = pair.ends(role);
            other.is_stopped = true;
            pair.run(2 * CLOSE_TIMEOUT);
            assert!(pair.ends(role).0.has_seen(&Seen::Dropped(DropReason::CloseTimeout)));
        }
    }
}

#[test]
fn partial_message_completed_just_in_time_is_delivered() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.ends(role).1.fragment(Opcode::Text, b"in ");
        pair.run(STALL_TIMEOUT);
        pair.ends(role).1.frame(Opcode::Continuation, b"time");
        pair.run(HEARTBEAT);
        assert_eq!(pair.ends(role).0.seen, [Seen::Text("in time".into())]);
    }
}

#[test]
fn incomplete_frame_is_a_partial_message() {
    // No heartbeat: its pings would be read as the rest of the payload.
    let mut pair = Pair::new(Duration::ZERO);
    pair.delay = Duration::ZERO;
    // The header announces five bytes of payload, but only two follow.
    pair.server.raw(vec![0x81, 5, b'h', b'a']);
    let violated = Seen::Violation(CloseCode::TryAgainLater);
    assert_eq!(pair.run_until(|pair| pair.client.has_seen(&violated)), Some(STALL_TIMEOUT));
}

#[test]
fn peer_that_accepts_nothing_is_dropped_after_the_write_timeout() {
    for role in ROLES {
        for heartbeat in [HEARTBEAT, Duration::ZERO] {
            let mut pair = Pair::new(heartbeat);
            pair.ends(role).0.blocked_since = Some(START);
            pair.ends(role).1.is_stopped = true;
            let dropped = Seen::Dropped(DropReason::WriteTimeout);
            let ended = pair.run_until(|pair| pair.client.has_seen(&dropped) || pair.server.has_seen(&dropped));
            assert_eq!(ended, Some(WRITE_TIMEOUT), "{role:?} {heartbeat:?}");
        }
    }
}

#[test]
fn peer_that_accepts_a_byte_in_time_is_not_dropped() {
    // No heartbeat: the client receives nothing either.
    let mut pair = Pair::new(Duration::ZERO);
    pair.server.blocked_since = Some(START);
    pair.run(WRITE_TIMEOUT - Duration::from_millis(1));
    pair.server.blocked_since = Some(pair.now);
    pair.run(WRITE_TIMEOUT - Duration::from_millis(1));
    assert_eq!(pair.server.seen, []);
    pair.run(Duration::from_millis(1));
    assert_eq!(pair.server.seen, [Seen::Dropped(DropReason::WriteTimeout)]);
}

#[test]
fn write_timeout_applies_while_closing() {
    let mut pair = Pair::default();
    pair.server.config.close_timeout = Duration::from_secs(3600);
    pair.server.blocked_since = Some(START);
    assert!(pair.server.close(CloseCode::Normal, ""));
    pair.client.is_stopped = true;
    let dropped = Seen::Dropped(DropReason::WriteTimeout);
    assert_eq!(pair.run_until(|pair| pair.server.has_seen(&dropped)), Some(WRITE_TIMEOUT));
}

#[test]
fn sixty_pings_a_second_are_answered_as_often_as_the_limit_allows() {
    for role in ROLES {
        let mut pair = Pair::default();
        let interval = Duration::from_secs(1) / 60;
        for _ in 0..60 * 60 {
            pair.ends(role).1.frame(Opcode::Ping, b"");
            pair.run(interval);
        }
        let (victim, _) = pair.ends(role);
        assert_eq!(victim.seen, [], "{role:?}");
        let answered = victim.pongs.len();
        assert!((2900..=3100).contains(&answered), "{answered} pongs in a minute with 50 a second");
    }
}

#[test]
fn flood_of_control_frames_is_a_violation_on_either_side() {
    for role in ROLES {
        let mut pair = Pair::default();
        let (victim, other) = pair.ends(role);
        let limit = victim.config.messages.max_control_frames_per_second;
        for _ in 0..100 * limit {
            other.frame(Opcode::Ping, b"");
        }
        pair.run(Duration::from_millis(100));
        let (victim, _) = pair.ends(role);
        assert_eq!(victim.seen[0], Seen::Violation(CloseCode::PolicyViolation));
        assert_eq!(victim.pongs.len(), 2 * limit as usize, "only the burst is answered");
    }
}

#[test]
fn pongs_and_a_close_frame_beyond_the_rate_are_received() {
    let mut pair = Pair::default();
    for _ in 0..200 {
        pair.client.frame(Opcode::Pong, b"");
    }
    assert!(pair.client.close(CloseCode::Normal, "done"));
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.server.seen[0], Seen::ClosedByPeer(CloseCode::Normal, "done".into()));
}

#[test]
fn unsolicited_pongs_measure_nothing() {
    let mut pair = Pair::default();
    pair.client.frame(Opcode::Pong, b"");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.server.connection.latency_micros(), 0);
    assert_eq!(pair.server.config.role, Role::Server);
}
