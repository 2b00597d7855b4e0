//! Two connections that talk to each other in memory, on a virtual clock.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod closing;
mod deadlines;
mod endpoint;
mod pair;
mod pauses;
mod slicing;
