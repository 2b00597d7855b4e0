//! The locks of the queues between threads. The programs in `loom/` put those of loom in their place, which tries every
//! order of the threads.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
