//! Conformance to RFC 6455 over real sockets: the bytes that a client sends, and the bytes that it must receive.
//!
//! The groups have the numbers of the Autobahn suite, which `cargo xtask autobahn` runs. Every case runs twice, with its
//! input in one write and in many small ones, against a server that echoes; each must end in a clean close.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod case;

mod frame;
mod raw_client;

mod g10_misc;
mod g13_deflate;
mod g1_framing;
mod g2_pings;
mod g3_reserved_bits;
mod g4_opcodes;
mod g5_fragments;
mod g6_utf8;
mod g7_closing;
mod g9_limits;
