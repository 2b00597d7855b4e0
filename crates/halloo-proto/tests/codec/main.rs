//! The codec against random traffic: however the bytes are cut, and in the eyes of another implementation.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod traffic;

mod opinion;
mod reading;

mod second_opinion;
mod slicing;
