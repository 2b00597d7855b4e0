//! An HTTP response that is being sent.

use halloo_proto::Time;
use halloo_proto::defaults::FILE_TIMEOUT;
use halloo_proto::http::After;

use crate::files::Rest;

/// The state of a response. What was read of it is in the outbox, if the socket does not accept it.
#[derive(Debug)]
pub(super) struct Transfer {
    /// Distinguishes it from other responses in the same slot.
    pub(super) ticket: u64,
    pub(super) after: After,
    /// The number of the thread that reads the file; `None` if the response is in memory.
    pub(super) reader: Option<usize>,
    /// What is not read yet; `None` if everything is, or while the disk reads.
    pub(super) rest: Option<Rest>,
    /// Since when the disk reads.
    awaits_disk_since: Option<Time>,
}

impl Transfer {
    pub(super) fn new(ticket: u64, after: After, reader: Option<usize>) -> Transfer {
        Transfer { ticket, after, reader, rest: None, awaits_disk_since: None }
    }

    pub(super) fn await_disk(&mut self, now: Time) {
        self.awaits_disk_since = Some(now);
    }

    /// Handles what the disk has read; `rest` is what remains.
    pub(super) fn handle_read(&mut self, rest: Option<Rest>) {
        self.awaits_disk_since = None;
        self.rest = rest;
    }

    pub(super) fn awaits_disk(&self) -> bool {
        self.awaits_disk_since.is_some()
    }

    /// Returns when the disk must have read the next bytes.
    pub(super) fn deadline(&self) -> Time {
        self.awaits_disk_since.map_or(Time::NEVER, |since| since + FILE_TIMEOUT)
    }
}
