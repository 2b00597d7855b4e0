//! The outcome of the first attempt to connect, for a caller that waits for it.

use std::sync::mpsc::SyncSender;

use crate::fault::Fault;

/// Tells the outcome of the first attempt.
#[derive(Debug)]
pub(crate) struct First(Option<SyncSender<Result<(), Fault>>>);

impl First {
    pub(crate) fn new(sender: SyncSender<Result<(), Fault>>) -> First {
        First(Some(sender))
    }

    pub(crate) fn tell(&mut self, outcome: Result<(), Fault>) {
        if let Some(sender) = self.0.take() {
            // There is place for one, and the receiver may not care.
            let _ = sender.try_send(outcome);
        }
    }
}
