//! Random operations on an outbox: every message is written or counted as dropped, and the order is kept.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use halloo_proto::frame::{Opcode, encode, encoded_length};
use halloo_proto::limits::OutboxLimits;
use halloo_proto::limits::SlowClient;
use halloo_proto::outbox::{Frames, Outbox, Pushed};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Pushes messages of these sizes, each after a ping if the flag is set.
    Push(Vec<(usize, bool)>),
    /// The socket accepts this many bytes.
    Take(usize),
    /// Drops everything that waits.
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec((prop_oneof![0usize..40, 120usize..200], any::<bool>()), 0..6).prop_map(Step::Push),
        6 => (0usize..300).prop_map(Step::Take),
        1 => Just(Step::Cut),
    ]
}

fn limits() -> impl Strategy<Value = OutboxLimits> {
    let policy = prop_oneof![Just(SlowClient::Disconnect), Just(SlowClient::DropOldest), Just(SlowClient::DropNewest)];
    (1usize..20, 50usize..1000, policy).prop_map(|(messages, bytes, policy)| OutboxLimits {
        max_messages: messages,
        max_bytes: bytes,
        when_full: policy,
    })
}

/// Takes at most `most` bytes, as a socket would, and returns them.
fn take(outbox: &mut Outbox, most: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    while taken.len() < most {
        let mut slices = [IoSlice::new(&[]); 3];
        let used = outbox.slices(&mut slices);
        let piece: Vec<u8> =
            slices[..used].iter().flat_map(|slice| slice.iter().copied()).take(most - taken.len()).collect();
        if piece.is_empty() {
            break;
        }
        outbox.advance(piece.len());
        taken.extend(piece);
    }
    taken
}

/// Returns the numbers that the messages in `written` contain. Panics unless all frames are whole.
fn numbers(mut written: &[u8]) -> Vec<u32> {
    let mut numbers = Vec::new();
    while !written.is_empty() {
        let length = encoded_length(written).expect("whole frames only");
        let header = match written[1] {
            126 => 4,
            _ => 2,
        };
        if written[0] == 0x82 {
            numbers.push(u32::from_be_bytes(*written[header..].first_chunk().unwrap()));
        }
        written = &written[length..];
    }
    numbers
}

proptest! {
    #[test]
    fn every_message_is_written_or_counted_as_dropped(limits in limits(), steps in prop::collection::vec(step(), 0..60)) {
        let memory = Arc::new(AtomicUsize::new(0));
        let (mut outbox, mut written) = (Outbox::default(), Vec::new());
        let (mut pushed, mut dropped) = (0u32, 0u64);
        for step in steps {
            match step {
                Step::Push(sizes) => {
                    let mut bytes = Vec::new();
                    for (size, ping) in sizes {
                        if ping {
                            encode(&mut bytes, Opcode::Ping, b"p", None);
                        }
                        let payload = [&pushed.to_be_bytes()[..], &vec![7; size]].concat();
                        encode(&mut bytes, Opcode::Binary, &payload, None);
                        pushed += 1;
                    }
                    match outbox.push(&Frames::new(&bytes, &memory), 0, &limits) {
                        Pushed::Queued => {}
                        Pushed::Dropped(count) => {
                            prop_assert_ne!(limits.when_full, SlowClient::Disconnect);
                            dropped += count;
                        }
                        Pushed::Overflow(count) => {
                            prop_assert_eq!(limits.when_full, SlowClient::Disconnect);
                            dropped += count;
                        }
                    }
                    prop_assert!(outbox.messages() <= limits.max_messages && outbox.bytes() <= limits.max_bytes);
                }
                Step::Take(most) => written.extend(take(&mut outbox, most)),
                Step::Cut => dropped += outbox.cut(),
            }
        }
        let waiting = outbox.unsent();
        written.extend(take(&mut outbox, usize::MAX));
        let written = numbers(&written);
        prop_assert!(written.is_sorted_by(|a, b| a < b), "not in order, or duplicates: {written:?}");
        prop_assert_eq!(written.len() as u64 + dropped, u64::from(pushed));
        prop_assert!(waiting <= written.len() as u64);
        prop_assert!(outbox.is_empty() && outbox.bytes() == 0);
        prop_assert_eq!(memory.load(Ordering::Relaxed), 0, "the memory of written and dropped messages is released");
    }
}
