//! Slow links: whatever makes progress goes on, and whatever does not is cut.

use std::time::Duration;

use halloo_proto::close::CloseCode;
use halloo_proto::connection::DropReason;
use halloo_proto::frame::{MAX_HEADER, Opcode, Role};

use super::endpoint::{CLOSE_TIMEOUT, STALL_TIMEOUT, Seen};
use super::pair::{Pair, ROLES};

const KIB: usize = 1024;

fn is_over(pair: &Pair) -> bool {
    !pair.client.seen.is_empty() || !pair.server.seen.is_empty()
}

#[test]
fn large_message_arrives_over_a_slow_link_in_either_direction() {
    for role in ROLES {
        for (bytes, rate) in [(900 * KIB, 32 * KIB), (160 * KIB, 8 * KIB), (1024 * KIB, 8 * KIB), (40 * KIB, 2 * KIB)] {
            let mut pair = Pair::slow(rate);
            let message = vec![7; bytes];
            pair.ends(role).1.frame(Opcode::Binary, &message);
            let took = pair.run_until(is_over).expect("it arrives");
            assert!(took >= Duration::from_secs((bytes / rate) as u64));
            assert_eq!(pair.ends(role).0.seen.first(), Some(&Seen::Binary(message)), "{role:?}: {bytes} at {rate}");
            pair.run(Duration::from_secs(120));
            assert!(!pair.client.is_gone && !pair.server.is_gone, "{role:?}: {bytes} at {rate}");
        }
    }
}

#[test]
fn trickle_is_cut_although_it_never_stalls() {
    for role in ROLES {
        let mut pair = Pair::new(Duration::ZERO);
        let (_, sender) = pair.ends(role);
        let mut frame = vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        if sender.config.role == Role::Client {
            frame[1] |= 0x80;
            frame.extend([0; 4]);
        }
        sender.raw(frame);
        let mut elapsed = Duration::ZERO;
        while !is_over(&pair) {
            pair.run(Duration::from_secs(1));
            elapsed += Duration::from_secs(1);
            pair.ends(role).1.raw(vec![0; 100]);
        }
        assert_eq!(pair.ends(role).0.seen[0], Seen::Violation(CloseCode::TryAgainLater), "{role:?}");
        // After the first stall timeout, ten seconds of the trickle are enough for one.
        assert!((STALL_TIMEOUT..STALL_TIMEOUT + Duration::from_secs(4)).contains(&elapsed), "{elapsed:?}");
    }
}

#[test]
fn sender_that_stops_after_many_bytes_is_cut() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.delay = Duration::ZERO;
        pair.ends(role).1.fragment(Opcode::Binary, &vec![7; 900 * KIB]);
        assert_eq!(pair.run_until(is_over), Some(STALL_TIMEOUT), "{role:?}");
        assert_eq!(pair.ends(role).0.seen, [Seen::Violation(CloseCode::TryAgainLater)]);
    }
}

#[test]
fn partial_message_has_no_minimum_rate_if_it_is_zero() {
    let mut pair = Pair::new(Duration::ZERO);
    pair.server.config.messages.min_bytes_per_second = 0;
    pair.client.fragment(Opcode::Text, b"");
    for _ in 0..900 {
        pair.client.fragment(Opcode::Continuation, b"x");
        pair.run(STALL_TIMEOUT);
    }
    pair.client.frame(Opcode::Continuation, b"");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.server.seen, [Seen::Text("x".repeat(900))]);
}

#[test]
fn peer_that_stops_to_accept_bytes_is_cut() {
    for role in ROLES {
        let mut pair = Pair::slow(32 * KIB);
        pair.ends(role).0.frame(Opcode::Binary, &vec![7; 900 * KIB]);
        pair.run(Duration::from_secs(5));
        assert!(!is_over(&pair));
        // Nothing arrives there any more, so the sockets fill up.
        let (sender, receiver) = pair.ends(role);
        receiver.is_stopped = true;
        sender.has_slow_link = false;
        sender.blocked_since = Some(sender.pauses.now());
        let write_timeout = sender.config.write_timeout;
        pair.stop_carrying();
        assert_eq!(pair.run_until(is_over), Some(write_timeout), "{role:?}");
        assert_eq!(pair.ends(role).0.seen, [Seen::Dropped(DropReason::WriteTimeout)]);
    }
}

#[test]
fn close_frame_arrives_behind_a_message_that_takes_longer_than_the_close_timeout() {
    for role in ROLES {
        for rate in [200 * KIB, 32 * KIB] {
            let mut pair = Pair::slow(rate);
            let message = vec![7; 900 * KIB];
            let (closer, _) = pair.ends(role);
            closer.frame(Opcode::Binary, &message);
            assert!(closer.close(CloseCode::TryAgainLater, "too slow"));
            let took = pair.run_until(|pair| pair.client.is_gone && pair.server.is_gone).expect("it ends");
            assert!(took > CLOSE_TIMEOUT);
            let (closer, other) = pair.ends(role);
            let closed = Seen::ClosedByPeer(CloseCode::TryAgainLater, "too slow".into());
            assert_eq!(other.seen, [Seen::Binary(message), closed, Seen::Eof], "{role:?} at {rate}");
            assert_eq!(closer.seen, [Seen::Agreed, Seen::Eof]);
        }
    }
}

#[test]
fn time_for_the_frames_before_the_close_frame_is_limited() {
    for role in ROLES {
        let mut pair = Pair::slow(KIB);
        let (closer, _) = pair.ends(role);
        closer.frame(Opcode::Binary, &vec![7; 900 * KIB - MAX_HEADER]);
        assert!(closer.close(CloseCode::TryAgainLater, "too slow"));
        let took = pair.run_until(|pair| pair.client.is_gone || pair.server.is_gone).expect("it ends");
        assert_eq!(took, CLOSE_TIMEOUT + Duration::from_secs(60), "{role:?}");
        assert_eq!(pair.ends(role).0.seen, [Seen::Dropped(DropReason::CloseTimeout)]);
    }
}
