//! A thread that ends when its handle is dropped.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A thread of a task that can be cancelled. Dropping the handle cancels the task and waits for its end.
#[derive(Debug)]
pub(crate) struct CancellableThread {
    cancel: Arc<Cancel>,
    thread: Option<JoinHandle<()>>,
}

impl CancellableThread {
    /// Starts `task`, which must return soon after it was cancelled.
    pub(crate) fn spawn(name: &str, task: impl FnOnce(&Cancel) + Send + 'static) -> io::Result<CancellableThread> {
        let cancel = Arc::new(Cancel::default());
        let of_thread = Arc::clone(&cancel);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || task(&of_thread))?;
        Ok(CancellableThread { cancel, thread: Some(thread) })
    }
}

impl Drop for CancellableThread {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// Whether a task is cancelled, and what wakes it then.
#[derive(Default)]
pub(crate) struct Cancel {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_cancelled: bool,
    wakers: Vec<Box<dyn FnOnce() + Send>>,
}

impl Cancel {
    /// Calls `wake` when the task is cancelled; at once if it already is.
    pub(crate) fn on_cancel(&self, wake: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if state.is_cancelled {
            drop(state);
            wake();
        } else {
            state.wakers.push(Box::new(wake));
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.lock().is_cancelled
    }

    fn cancel(&self) {
        let wakers = {
            let mut state = self.lock();
            state.is_cancelled = true;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(|wake| wake());
    }

    /// The state is consistent wherever a statement could panic, so that a poisoned lock is still usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn dropping_the_handle_wakes_the_task_and_waits_for_it() {
        let (ended, has_ended) = channel();
        let thread = CancellableThread::spawn("test", move |cancel| {
            let (wake, woken) = channel();
            cancel.on_cancel(move || wake.send(()).unwrap());
            woken.recv().unwrap();
            assert!(cancel.is_cancelled());
            ended.send(()).unwrap();
        });
        drop(thread.unwrap());
        assert_eq!(has_ended.try_recv(), Ok(()));
    }

    #[test]
    fn task_that_starts_to_wait_after_it_was_cancelled_is_woken_at_once() {
        let (cancel, (wake, woken)) = (Cancel::default(), channel());
        cancel.cancel();
        cancel.on_cancel(move || wake.send(()).unwrap());
        assert_eq!(woken.try_recv(), Ok(()));
    }
}
