//! The pure core of halloo: bytes and times in, bytes and decisions out.
//!
//! Nothing here opens a socket, starts a thread or asks for the time, so every rule of the protocol can be
//! tested with a virtual clock and any slicing of the bytes. The crate `halloo` drives it.

pub mod defaults;
pub mod limits;
pub mod options;
pub mod time;

pub mod close;
pub mod connection;
pub mod frame;
pub mod keepalive;
pub mod message;
pub mod outbox;
pub mod read_pauses;

pub mod deflate;
pub mod extensions;

pub mod access;
pub mod fingerprint;
pub mod setting_names;
pub mod token;

mod headers;
pub mod http;
pub mod routes;
pub mod text;
pub mod upgrade;

pub mod handshake;
pub mod reconnect;
pub mod url;

pub mod announcement;
pub mod announcer;
pub mod browser;
pub mod interfaces;
pub mod ports;
pub mod responder;

pub use time::Time;
