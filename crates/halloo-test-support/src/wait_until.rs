//! Waiting for a state that no event reports.

use std::time::Instant;

use crate::TEST_TIMEOUT;

/// Polls `condition` until it holds.
///
/// # Panics
/// If it does not hold within [`TEST_TIMEOUT`].
#[track_caller]
pub fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TEST_TIMEOUT, "the condition does not hold after {TEST_TIMEOUT:?}");
        std::thread::yield_now();
    }
}
