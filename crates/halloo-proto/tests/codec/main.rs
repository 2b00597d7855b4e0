//! The codec on random traffic: in any pieces, and compared with another implementation.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod traffic;

mod reading;
mod reference;

mod comparison;
mod slicing;
