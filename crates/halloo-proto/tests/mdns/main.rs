//! Multicast DNS in memory: machines on networks that lose and repeat packets, on a virtual clock.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod network;

mod conflicts;
mod packets;
mod publishing;
mod responding;
mod searching;
