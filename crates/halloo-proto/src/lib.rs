//! The core of halloo without I/O: it is given bytes and times, and returns bytes and decisions.
//!
//! Nothing here opens a socket, starts a thread or reads a clock, so every rule of the protocol can be tested on a
//! virtual clock and with the bytes split anywhere. The crate `halloo` drives it.
//!
//! - Settings: [`limits`], each with its default; [`defaults`] has the constants; [`setting_names`] spells settings in
//!   error messages.
//! - A WebSocket connection: [`connection`] is its state machine for both roles. It uses [`message`] and [`frame`] to
//!   read, [`keepalive`] and [`read_pauses`] to detect a dead peer, and [`close`] to close. [`outbox`] queues
//!   messages for a slow peer, [`deflate`] compresses them.
//! - The opening handshake: [`upgrade`] is the server's side, with the rules of [`access`] and [`token`], which
//!   [`authenticator`] checks, also by [`proof`], the offers of [`extensions`] and [`subprotocols`], and the HTTP [`routes`]
//!   of the same port. [`client_request`] is what a client says about itself, [`room`] the path that joins a room.
//!   [`pad_layout`] is what the pad for browsers shows, and [`files`] decides about requests for own files.
//!   [`handshake`] is the client's side, with [`credential`], [`url`] and [`fingerprint`]; [`reconnect`] decides when to connect again.
//! - Discovery: [`announcement`] has the datagrams. [`announcer`] schedules the beacons of a server, and [`responder`]
//!   limits its replies; [`browser`] finds servers. [`name`] and [`meta`] are what a server says about itself,
//!   [`advertised_address`] is where it says that it is. [`mdns`] is multicast DNS, for both. [`interfaces`] orders the
//!   addresses to announce, [`interface_filter`] selects them, [`ports`] the ports to try.
//!
//! ```
//! use halloo_proto::Time;
//! use halloo_proto::frame::{self, Opcode, Role};
//! use halloo_proto::limits::MessageLimits;
//! use halloo_proto::message::{Incoming, Receiver};
//!
//! let mut bytes = Vec::new();
//! frame::encode(&mut bytes, Opcode::Text, b"hello", None);
//! let (mut receiver, limits) = (Receiver::default(), MessageLimits::default());
//! let message = receiver.next(&mut &mut bytes[..], Role::Client, false, &limits, Time::ZERO).expect("no violation");
//! assert!(matches!(message, Some(Incoming::Text(text)) if text == "hello"));
//! ```
//!
//! There are no features. The interface follows the crate `halloo`, whose users do not need this one.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod defaults;
pub mod limits;
pub mod options;
pub mod setting_names;
pub mod time;

pub mod close;
pub mod frame;
pub mod keepalive;
pub mod message;
pub mod read_budget;
pub mod read_pauses;

pub mod connection;
pub mod outbox;

pub mod deflate;
pub mod extensions;
pub mod inflate_budget;

pub mod access;
pub mod authenticator;
pub mod fingerprint;
pub mod proof;
pub mod token;

pub mod connection_key;
pub mod files;
mod headers;
mod percent;

pub mod client_request;
pub mod room;
pub mod subprotocols;

pub mod http;
pub mod http_fault;
pub mod routes;
mod target;
pub mod text;
pub mod upgrade;

pub mod credential;
pub mod handshake;
pub mod reconnect;
pub mod url;

pub mod advertised_address;
pub mod announcement;
pub mod announcer;
pub mod browser;
pub mod cluster;
pub mod interface_filter;
pub mod interfaces;
pub mod mdns;
pub mod meta;
pub mod name;
pub mod pad_layout;
pub mod ports;
pub mod responder;

pub use time::Time;
