//! Every way in which a connection closes, from both sides.

use std::time::Duration;

use halloo_proto::close::CloseCode;
use halloo_proto::connection::DropReason;
use halloo_proto::frame::{Opcode, Role};

use super::endpoint::{CLOSE_TIMEOUT, Packet, Seen};
use super::pair::{Pair, ROLES};

const INVALID_FRAME: [u8; 2] = [0xff, 0xff];

fn are_gone(pair: &Pair) -> bool {
    pair.client.is_gone && pair.server.is_gone
}

#[test]
fn close_handshake_ends_both_sockets_without_a_timeout() {
    for role in ROLES {
        let mut pair = Pair::default();
        let (closer, _) = pair.ends(role);
        closer.text("last message");
        assert!(closer.close(CloseCode::Other(4000), "enough"));
        assert!(!closer.close(CloseCode::Normal, "again"), "a second close sends nothing");
        let ended = pair.run_until(are_gone).unwrap();
        assert!(ended < CLOSE_TIMEOUT, "{ended:?}");
        let (closer, other) = pair.ends(role);
        let closed = Seen::ClosedByPeer(CloseCode::Other(4000), "enough".into());
        assert_eq!(other.seen, [Seen::Text("last message".into()), closed, Seen::Eof]);
        assert_eq!(closer.seen, [Seen::Agreed, Seen::Eof]);
        assert_eq!((closer.close_frames, other.close_frames), (1, 1));
    }
}

#[test]
fn crossed_close_frames_complete_the_handshake_without_further_frames() {
    let mut pair = Pair::default();
    assert!(pair.client.close(CloseCode::Normal, "mine"));
    assert!(pair.server.close(CloseCode::GoingAway, "mine"));
    assert!(pair.run_until(are_gone).unwrap() < CLOSE_TIMEOUT);
    for endpoint in [&pair.client, &pair.server] {
        assert_eq!(endpoint.seen, [Seen::Agreed, Seen::Eof]);
        assert_eq!(endpoint.close_frames, 1);
    }
}

#[test]
fn late_close_frame_of_the_peer_is_not_awaited() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.delay = CLOSE_TIMEOUT;
        let (closer, _) = pair.ends(role);
        assert!(closer.close(CloseCode::Normal, ""));
        let dropped = Seen::Dropped(DropReason::CloseTimeout);
        let ended = pair.run_until(|pair| pair.client.has_seen(&dropped) || pair.server.has_seen(&dropped));
        assert_eq!(ended, Some(CLOSE_TIMEOUT), "{role:?}");
    }
}

#[test]
fn close_frame_of_the_peer_just_in_time_is_accepted() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.delay = CLOSE_TIMEOUT / 2 - Duration::from_millis(1);
        assert!(pair.ends(role).0.close(CloseCode::Normal, ""));
        pair.run_until(are_gone).unwrap();
        assert!(pair.ends(role).0.has_seen(&Seen::Agreed), "{role:?}");
    }
}

#[test]
fn cut_connection_ends_with_a_close_timeout() {
    for role in ROLES {
        let mut pair = Pair::default();
        pair.is_cut = true;
        assert!(pair.ends(role).0.close(CloseCode::Normal, ""));
        pair.run(2 * CLOSE_TIMEOUT);
        assert_eq!(pair.ends(role).0.seen, [Seen::Dropped(DropReason::CloseTimeout)]);
    }
}

#[test]
fn end_of_stream_while_closing_ends_the_connection() {
    for role in ROLES {
        let mut pair = Pair::default();
        assert!(pair.ends(role).0.close(CloseCode::Normal, ""));
        let (closer, _) = pair.ends(role);
        closer.receive(&Packet::Eof);
        assert_eq!(closer.seen, [Seen::Eof]);
    }
}

#[test]
fn violation_while_closing_causes_no_second_close_frame() {
    for role in ROLES {
        let mut pair = Pair::default();
        let (closer, other) = pair.ends(role);
        assert!(closer.close(CloseCode::Normal, ""));
        other.raw(INVALID_FRAME.to_vec());
        pair.run(CLOSE_TIMEOUT);
        let (closer, _) = pair.ends(role);
        assert_eq!(closer.seen[0], Seen::Agreed);
        assert_eq!(closer.close_frames, 1, "{role:?}");
    }
}

#[test]
fn violation_closes_with_its_code_and_nothing_after_it_is_read() {
    for role in ROLES {
        let mut pair = Pair::default();
        let (victim, other) = pair.ends(role);
        other.raw(INVALID_FRAME.to_vec());
        other.text("after it");
        assert_eq!(victim.seen, []);
        pair.run_until(are_gone).unwrap();
        let (victim, other) = pair.ends(role);
        assert_eq!(victim.seen, [Seen::Violation(CloseCode::ProtocolError), Seen::Eof]);
        assert!(matches!(&other.seen[0], Seen::ClosedByPeer(CloseCode::ProtocolError, reason) if !reason.is_empty()));
        assert_eq!((victim.close_frames, other.close_frames), (1, 1));
    }
}

#[test]
fn messages_after_our_close_frame_reach_a_client_but_not_a_server() {
    for (role, expected) in [(Role::Client, true), (Role::Server, false)] {
        let mut pair = Pair::default();
        let (closer, other) = pair.ends(role);
        assert!(closer.close(CloseCode::Normal, ""));
        other.text("in flight");
        other.frame(Opcode::Ping, b"");
        pair.run_until(are_gone).unwrap();
        let (closer, _) = pair.ends(role);
        assert_eq!(closer.has_seen(&Seen::Text("in flight".into())), expected);
        assert!(closer.pongs.is_empty(), "nothing follows a close frame");
    }
}

#[test]
fn peer_that_keeps_sending_after_the_last_frame_is_not_read_further() {
    for role in ROLES {
        let mut pair = Pair::default();
        let (victim, other) = pair.ends(role);
        victim.receive(&Packet::Bytes(INVALID_FRAME.to_vec()));
        other.is_stopped = true;
        for _ in 0..16 {
            assert!(victim.connection.wants_read());
            victim.receive(&Packet::Bytes(vec![0; 1 << 20]));
        }
        assert!(!victim.connection.wants_read());
        pair.run(2 * CLOSE_TIMEOUT);
        assert!(pair.ends(role).0.has_seen(&Seen::Dropped(DropReason::CloseTimeout)));
    }
}
