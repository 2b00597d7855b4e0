//! The numbers that a node gives to what it sends, by which the others count what is lost.

use std::collections::HashMap;
use std::sync::Arc;

use crate::header::{Header, Kind};

/// Maximum number of subjects that are counted. Beyond, all begin again, which the header says.
const MAX_SUBJECTS: usize = 16_384;

/// What a node sends: on which subjects, and in which order.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    order: u32,
    next: HashMap<Arc<str>, u32>,
}

impl Sequences {
    /// Returns the header of the next message on `subject`, with this many frames.
    pub(crate) fn next(&mut self, subject: &Arc<str>, kind: Kind, count: u16, node: u32, instance: u64) -> Header {
        self.order = self.order.wrapping_add(1);
        if self.next.len() >= MAX_SUBJECTS && !self.next.contains_key(subject) {
            self.next.clear();
        }
        let (sequence, first) = match self.next.get_mut(&**subject) {
            Some(next) => {
                let sequence = *next;
                *next = next.wrapping_add(u32::from(count));
                (sequence, false)
            }
            None => {
                self.next.insert(subject.clone(), u32::from(count));
                (0, true)
            }
        };
        Header { kind, first, count, node, instance, order: self.order, sequence }
    }

    /// Returns the number after the last frame on `subject`.
    pub(crate) fn end(&self, subject: &str) -> u32 {
        self.next.get(subject).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_by_subject_and_messages_in_all() {
        let (mut sequences, all, red) = (Sequences::default(), Arc::<str>::from("all"), Arc::<str>::from("red"));
        let mut next = |subject, count| {
            let header = sequences.next(subject, Kind::All, count, 1, 2);
            (header.first, header.order, header.sequence)
        };
        assert_eq!(next(&all, 3), (true, 1, 0));
        assert_eq!(next(&red, 1), (true, 2, 0));
        assert_eq!(next(&all, 2), (false, 3, 3));
        assert_eq!(sequences.end(&all), 5);
    }

    #[test]
    fn subjects_are_bounded_and_begin_again() {
        let mut sequences = Sequences::default();
        for number in 0..3 * MAX_SUBJECTS {
            sequences.next(&Arc::from(number.to_string()), Kind::Room, 1, 1, 2);
            assert!(sequences.next.len() <= MAX_SUBJECTS);
        }
        assert!(sequences.next(&Arc::from("0"), Kind::Room, 1, 1, 2).first);
    }
}
