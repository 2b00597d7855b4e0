//! Limits on what a peer sends, on a virtual clock, and all close codes.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::close::{CloseCode, Violation};
use halloo_proto::frame::{Opcode, Role, encode};
use halloo_proto::limits::MessageLimits;
use halloo_proto::message::{Incoming, Receiver};
use halloo_proto::read_pauses::ReadPauses;
use proptest::prelude::*;

/// Reads one frame at `now`. Returns whether it was a whole message or control frame.
fn read(
    receiver: &mut Receiver,
    frame: &[u8],
    limits: &MessageLimits,
    now: impl Into<ReadPauses>,
) -> Result<bool, Violation> {
    let mut frame = frame.to_vec();
    receiver.next(&mut &mut frame[..], Role::Client, false, limits, now).map(|next| next.is_some())
}

fn ping() -> Vec<u8> {
    let mut frame = Vec::new();
    encode(&mut frame, Opcode::Ping, b"", None);
    frame
}

#[test]
fn rate_of_answered_pings_is_kept_in_the_long_run() {
    let limits = MessageLimits { max_control_frames_per_second: 700, ..MessageLimits::default() };
    let mut receiver = Receiver::default();
    // After the burst, slightly more often than 700 times a second.
    let times = std::iter::repeat_n(0, 1400).chain((0..100_000_000).step_by(1428)).map(Time::from_micros);
    let answered = times.filter(|now| read(&mut receiver, &ping(), &limits, *now).unwrap()).count();
    assert!(answered <= 1400 + 70_000, "{answered}");
}

proptest! {
    /// In any period, at most the burst and what was refilled since is answered; a peer that keeps to the rate is always
    /// answered, and is disconnected only for many times as many.
    #[test]
    fn answers_to_pings_are_limited_to_rate_and_burst(rate in 1u32..100, gaps in prop::collection::vec(0u64..20_000, 1..3000)) {
        let limits = MessageLimits { max_control_frames_per_second: rate, ..MessageLimits::default() };
        let (mut receiver, mut now, mut accepted) = (Receiver::default(), Time::ZERO, 0u64);
        for (received, gap) in (0u64..).zip(gaps) {
            now = now + Duration::from_micros(gap);
            let refilled = (now - Time::ZERO).as_micros() as u64 * u64::from(rate) / 1_000_000;
            match read(&mut receiver, &ping(), &limits, now) {
                Ok(is_answered) => accepted += u64::from(is_answered),
                Err(violation) => {
                    prop_assert_eq!(violation.code, CloseCode::PolicyViolation);
                    prop_assert!(received >= 20 * u64::from(rate), "{received} were received at {rate} per second");
                    break;
                }
            }
            prop_assert!(accepted <= 2 * u64::from(rate) + refilled, "{accepted} in {:?}", now - Time::ZERO);
        }
        let (mut steady, mut now) = (Receiver::default(), Time::ZERO);
        for _ in 0..1000 {
            now = now + Duration::from_secs(1).div_f64(f64::from(rate)) + Duration::from_micros(1);
            prop_assert_eq!(read(&mut steady, &ping(), &limits, now), Ok(true));
        }
    }

    #[test]
    fn fragments_are_limited_in_number_and_time(count in 1u32..50, max in 1u32..50, late in any::<bool>()) {
        let limits = MessageLimits { max_fragments: max, ..MessageLimits::default() };
        let (mut receiver, start) = (Receiver::default(), Time::ZERO);
        for index in 0..count {
            let last = index + 1 == count;
            let now = if last && late && index > 0 { start + limits.stall_timeout + Duration::from_micros(1) } else { start };
            let first = if index == 0 { 2 } else { 0 } | if last { 0x80 } else { 0 };
            match read(&mut receiver, &[first, 1, b'x'], &limits, now) {
                Ok(whole) => {
                    prop_assert!(index < max && whole == last && !(last && late && index > 0));
                    prop_assert_eq!(receiver.deadline(&limits, Time::ZERO), (!last).then_some(start + limits.stall_timeout));
                }
                Err(violation) => {
                    let is_late = index < max;
                    prop_assert!(!is_late || (last && late));
                    let code = if is_late { CloseCode::TryAgainLater } else { CloseCode::PolicyViolation };
                    prop_assert_eq!(violation.code, code);
                    break;
                }
            }
        }
    }
}

/// Returns the state just after a pause of a minute.
fn after_a_pause() -> ReadPauses {
    let mut pauses = ReadPauses::from(Time::ZERO + Duration::from_secs(100));
    pauses.pause();
    pauses.handle_turn(Time::ZERO + Duration::from_secs(160), None, Duration::ZERO);
    pauses.resume();
    pauses
}

#[test]
fn control_frames_received_during_a_pause_do_not_count_as_a_burst() {
    let limits = MessageLimits::default();
    let (pauses, each) = (after_a_pause(), u64::from(limits.max_control_frames_per_second));
    let mut receiver = Receiver::default();
    let accepted = (0..10_000).take_while(|_| read(&mut receiver, &ping(), &limits, pauses) == Ok(true)).count() as u64;
    assert_eq!(accepted, 60 * each + 2 * each, "those of a minute, and the burst");
}

#[test]
fn message_may_be_continued_after_a_pause() {
    let limits = MessageLimits::default();
    let (pauses, mut receiver) = (after_a_pause(), Receiver::default());
    assert_eq!(read(&mut receiver, &[2, 1, b'x'], &limits, Time::ZERO + Duration::from_secs(99)), Ok(false));
    assert_eq!(receiver.deadline(&limits, pauses.since()), Some(pauses.now() + limits.stall_timeout));
    assert_eq!(read(&mut receiver, &[0, 1, b'y'], &limits, pauses), Ok(false));
    let late = pauses.now() + limits.stall_timeout + Duration::from_secs(1);
    assert!(read(&mut receiver, &[0x80, 1, b'z'], &limits, late).is_err(), "the deadline begins anew after the pause");
}

#[test]
fn close_code_is_accepted_if_and_only_if_it_may_be_sent() {
    for number in 0..=u16::MAX {
        let code = CloseCode::from(number);
        assert_eq!(code.number(), number);
        let mut frame = vec![0x88, 2];
        frame.extend(number.to_be_bytes());
        // Registered with IANA, or free for libraries and applications (RFC 6455 section 7.4.2).
        let may_be_sent = (1000..=1014).contains(&number) && ![1004, 1005, 1006].contains(&number);
        let may_be_sent = may_be_sent || (3000..=4999).contains(&number);
        match Receiver::default().next(&mut &mut frame[..], Role::Client, false, &MessageLimits::default(), Time::ZERO)
        {
            Ok(Some(Incoming::Close(received, ""))) => assert!(may_be_sent && received == code, "{number}"),
            Err(violation) => assert!(!may_be_sent && violation.code == CloseCode::ProtocolError, "{number}"),
            other => panic!("{number}: {other:?}"),
        }
    }
}
