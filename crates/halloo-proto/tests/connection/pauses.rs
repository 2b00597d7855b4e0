//! Pauses of reading: the time in which one side does not read does not count against the other.

use std::time::Duration;

use halloo_proto::close::CloseCode;
use halloo_proto::connection::DropReason;
use halloo_proto::frame::Opcode;

use super::endpoint::{HEARTBEAT, STALL_TIMEOUT, Seen, WRITE_TIMEOUT};
use super::pair::{Pair, ROLES};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn silence_and_partial_messages_have_no_deadline_during_a_pause() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.ends(role).1.fragment(Opcode::Text, b"begun ");
        pair.run(Duration::from_millis(100));
        let (paused, other) = pair.ends(role);
        paused.pauses.pause();
        other.is_stopped = true;
        pair.run(HOUR);
        let (paused, other) = pair.ends(role);
        assert_eq!(paused.seen, []);
        assert!(paused.pings.is_empty(), "a ping proves nothing while its pong is not read");
        other.is_stopped = false;
        paused.pauses.resume();
        other.pauses.handle_turn(paused.pauses.now(), Some(Duration::ZERO), HEARTBEAT);
        other.frame(Opcode::Continuation, b"and finished");
        pair.run(Duration::from_secs(1));
        assert_eq!(pair.ends(role).0.seen, [Seen::Text("begun and finished".into())], "{role:?}");
    }
}

#[test]
fn deadlines_begin_anew_after_a_pause() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.delay = Duration::ZERO;
        pair.ends(role).1.fragment(Opcode::Text, b"never finished");
        pair.run(Duration::from_millis(100));
        pair.ends(role).0.pauses.pause();
        pair.ends(role).1.is_stopped = true;
        pair.run(HOUR);
        pair.ends(role).0.pauses.resume();
        let ends = |seen: &Seen| matches!(seen, Seen::Violation(CloseCode::TryAgainLater) | Seen::Dropped(_));
        let ended = pair.run_until(|pair| pair.client.seen.iter().chain(&pair.server.seen).any(ends)).unwrap();
        assert_eq!(ended, STALL_TIMEOUT.min(3 * HEARTBEAT), "{role:?}");
    }
}

#[test]
fn paused_side_sends_pongs_to_stay_connected() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.ends(role).0.pauses.pause();
        pair.run(HOUR);
        let (paused, other) = pair.ends(role);
        assert_eq!((&other.seen[..], other.is_gone), (&[][..], false), "{role:?}");
        let expected = HOUR.as_secs() / HEARTBEAT.as_secs();
        let pongs = paused.pongs.len() as u64;
        assert!((expected - 1..=expected).contains(&pongs), "{pongs} pongs");
        paused.pauses.resume();
        pair.run(HEARTBEAT);
        assert_eq!(pair.ends(role).0.seen, []);
    }
}

#[test]
fn client_stays_with_a_paused_server_that_accepts_no_bytes() {
    let mut pair = Pair::default();
    // A client has its own heartbeat, whatever that of the server is.
    pair.server.config.heartbeat = HOUR;
    pair.server.pauses.pause();
    pair.run(Duration::from_secs(1));
    pair.client.blocked_since = Some(pair.now);
    pair.run(HOUR);
    assert_eq!((&pair.client.seen[..], pair.client.is_gone), (&[][..], false));
    // A server that shows no life is given up after the write timeout.
    pair.server.is_stopped = true;
    let dropped = Seen::Dropped(DropReason::WriteTimeout);
    let ended = pair.run_until(|pair| pair.client.has_seen(&dropped)).unwrap();
    assert!(ended <= WRITE_TIMEOUT, "{ended:?}");
}

#[test]
fn client_that_sends_but_accepts_nothing_is_dropped_by_a_server() {
    let mut pair = Pair::default();
    pair.server.blocked_since = Some(pair.now);
    for _ in 0..2 * WRITE_TIMEOUT.as_secs() {
        pair.client.text("still here");
        pair.run(Duration::from_secs(1));
    }
    assert!(pair.server.has_seen(&Seen::Dropped(DropReason::WriteTimeout)));
}

#[test]
fn connection_that_is_not_read_alone_shows_life_and_has_no_deadline() {
    let mut pair = Pair::default();
    pair.client.fragment(Opcode::Text, b"begun ");
    pair.run(Duration::from_millis(100));
    // The same as a pause, except that the end of it is known to this connection alone.
    let before = pair.server.pauses;
    pair.server.pauses = before.held();
    pair.run(HOUR);
    assert_eq!((&pair.client.seen[..], &pair.server.seen[..]), (&[][..], &[][..]));
    pair.server.pauses = pair.now.into();
    pair.server.connection.handle_resumed(pair.now);
    pair.client.frame(Opcode::Continuation, b"and finished");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.server.seen, [Seen::Text("begun and finished".into())]);
}

#[test]
fn paused_server_reads_all_messages_after_the_pause() {
    let mut pair = Pair::default();
    pair.server.pauses.pause();
    pair.run(2 * HEARTBEAT);
    pair.client.text("one");
    pair.client.text("two");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.server.seen, []);
    pair.server.pauses.resume();
    pair.run(HEARTBEAT);
    assert_eq!(pair.server.seen, [Seen::Text("one".into()), Seen::Text("two".into())]);
}

#[test]
fn resumed_process_pings_before_it_drops_the_peer() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.run(Duration::from_secs(1));
        let now = pair.now + HOUR;
        let (suspended, other) = pair.ends(role);
        other.is_stopped = true;
        // The next turn was due after 4 s, but begins after an hour.
        suspended.pauses.handle_turn(now, Some(Duration::from_secs(4)), HEARTBEAT);
        suspended.handle_timeout(now);
        assert_eq!((suspended.seen.len(), suspended.pings.len()), (0, 0));
        pair.now = now;
        let dropped = Seen::Dropped(DropReason::Silent);
        let ended = pair.run_until(|pair| pair.client.has_seen(&dropped) || pair.server.has_seen(&dropped));
        assert_eq!(ended, Some(3 * HEARTBEAT), "{role:?}");
        assert_eq!(pair.ends(role).0.pings, [now + HEARTBEAT]);
    }
}

#[test]
fn control_frames_received_during_a_pause_do_not_exceed_the_limit() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.ends(role).0.pauses.pause();
        // Fewer than the limit per second, for ten seconds: five times the burst in total.
        for _ in 0..10 {
            let (_, other) = pair.ends(role);
            for _ in 0..49 {
                other.frame(Opcode::Pong, b"");
            }
            pair.run(Duration::from_secs(1));
        }
        pair.ends(role).0.pauses.resume();
        pair.run(Duration::from_secs(1));
        assert_eq!(pair.ends(role).0.seen, [], "{role:?}");
    }
}
