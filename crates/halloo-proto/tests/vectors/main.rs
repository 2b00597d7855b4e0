//! The test vectors of clients, in `vectors/`. `cargo xtask vectors` writes what they expect.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod case_file;

mod addresses;
mod discovery;
mod handshakes;
mod liveness;
mod messages;
mod reconnecting;
mod scripts;

#[test]
fn files_fit_into_a_small_device() {
    case_file::check_sizes();
}
