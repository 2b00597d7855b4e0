//! Two connections that exchange bytes in memory, on a virtual clock.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod closing;
mod deadlines;
mod endpoint;
mod pair;
mod pauses;
mod slicing;
mod slow_links;
