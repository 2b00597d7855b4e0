//! The numbers that a node gives to what it sends, by which the others count what is lost.

use std::collections::HashMap;
use std::sync::Arc;

use crate::header::{Header, Kind};

/// Maximum number of subjects that are counted, besides that of messages to all. Beyond, all begin again, which the header
/// says.
const MAX_SUBJECTS: usize = 16_384;

/// What a node sends: on which subjects, and in which order.
#[derive(Debug)]
pub(crate) struct Sequences {
    order: u32,
    /// The number of frames on all subjects. A subject begins with it, so that one that begins again repeats no number.
    total: u32,
    /// The subject of messages to all, and the number of the next frame on it.
    all: (Arc<str>, u32),
    next: HashMap<Arc<str>, u32>,
}

impl Sequences {
    pub(crate) fn new(all: Arc<str>) -> Sequences {
        Sequences { order: 0, total: 0, all: (all, 0), next: HashMap::new() }
    }

    /// Returns the header of the next message on `subject`, with this many frames.
    pub(crate) fn next(&mut self, subject: &Arc<str>, kind: Kind, count: u16, node: u32, instance: u64) -> Header {
        self.order = self.order.wrapping_add(1);
        let frames = u32::from(count);
        let (sequence, first) = self.advance(subject, frames);
        self.total = self.total.wrapping_add(frames);
        Header { kind, first, count, node, instance, order: self.order, sequence }
    }

    /// Returns the number of the next frame on `subject`, and whether the subject begins.
    fn advance(&mut self, subject: &Arc<str>, frames: u32) -> (u32, bool) {
        let next = match *subject == self.all.0 {
            true => Some(&mut self.all.1),
            false => self.next.get_mut(&**subject),
        };
        if let Some(next) = next {
            let sequence = *next;
            *next = next.wrapping_add(frames);
            return (sequence, false);
        }
        if self.next.len() >= MAX_SUBJECTS {
            self.next.clear();
        }
        self.next.insert(Arc::clone(subject), self.total.wrapping_add(frames));
        (self.total, true)
    }

    /// Returns the number after the last frame to all.
    pub(crate) fn all_end(&self) -> u32 {
        self.all.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_by_subject_and_messages_in_all() {
        let (all, red) = (Arc::<str>::from("all"), Arc::<str>::from("red"));
        let mut sequences = Sequences::new(Arc::clone(&all));
        let mut next = |subject, count| {
            let header = sequences.next(subject, Kind::All, count, 1, 2);
            (header.first, header.order, header.sequence)
        };
        assert_eq!(next(&all, 3), (false, 1, 0));
        assert_eq!(next(&red, 1), (true, 2, 3), "above every number before");
        assert_eq!(next(&red, 1), (false, 3, 4));
        assert_eq!(next(&all, 2), (false, 4, 3));
        assert_eq!(sequences.all_end(), 5);
    }

    #[test]
    fn subjects_are_bounded_and_begin_again() {
        let mut sequences = Sequences::new("all".into());
        for number in 0..3 * MAX_SUBJECTS {
            sequences.next(&Arc::from(number.to_string()), Kind::Room, 1, 1, 2);
            assert!(sequences.next.len() <= MAX_SUBJECTS);
        }
        let again = sequences.next(&Arc::from("0"), Kind::Room, 1, 1, 2);
        assert!(again.first && again.sequence > 0, "{again:?}");
        assert!(!sequences.next(&Arc::from("all"), Kind::All, 1, 1, 2).first, "all messages to all are counted");
    }
}
