//! A zero-configuration WebSocket server for the local network.
//!
//! [`Server`] listens, announces itself by UDP broadcast until a client connects, and reports [`Event`]s. [`Browser`]
//! lists the servers on the network. [`Client`] connects to a server by its name or address, and reconnects when the
//! connection breaks. Each runs on one thread of its own; there is no async runtime.
//!
//! ```
//! use halloo::{Client, Config, Event, Server};
//!
//! // On this machine only; with `Config::default()`, it is announced on the network.
//! let server = Server::start(Config::local())?;
//! let client = Client::connect(server.url())?;
//! client.send("hello")?;
//! let joined = server.events().next();
//! assert!(matches!(joined, Some(Event::ClientJoined { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! All are off by default.
//!
//! | feature | what it adds | what it costs |
//! |---|---|---|
//! | `tls` | `wss://` on either side, by rustls: `Config::tls`, `Identity`, pinned fingerprints | dependencies with C and assembly code (`ring`), which take a C compiler to build; about 0.7 MiB of memory and 7.6 KB per idle client, where it is used |
//! | `cluster` | `Server::link`, with which the crate `halloo-cluster` connects servers on several machines | a check per message, and nothing else until it is called |
//! | `mdns` | the server as `_halloo._tcp` and `NAME.local`, and the search for both: `Config::mdns`, `BrowserConfig::mdns` | sockets for every network, on the thread that the server or the search has anyway |
//!
//! # Defaults
//!
//! Every setting has a default, which its documentation states: [`Config`] for a server, [`ClientConfig`] for a client,
//! [`BrowserConfig`] and [`Search`] for a search. [`settings`] has them as a table. The most important ones:
//!
//! | setting | default |
//! |---|---|
//! | [`Config::port`] | 8765, then the nine ports after it |
//! | [`Config::bind`] | all addresses |
//! | [`Config::discovery`] | on, UDP port 8766 |
//! | [`Config::access`] | programs and the server's own page on private networks, without a token |
//! | [`MessageLimits::max_message_bytes`] | 1 MiB |
//! | [`OutboxLimits::when_full`] | a client that is too slow is closed with 1013 |
//! | [`Config::heartbeat`] | a ping after 5 s of silence, dropped after 15 s |
//! | [`ClientConfig::reconnect`] | for ever, after up to 5 s |
//!
//! # Where to go next
//!
//! - [`Server`]: events as a queue, or by a handler on the server's thread ([`Server::start_with`]).
//! - [`Client`]: connects, reconnects, and follows a server that moves.
//! - [`discover`], [`find`] and [`Browser`]: which servers there are.
//! - [`AccessRules`] and [`random_token`]: who may connect.
//! - [`diagnose`]: why a server is not found.
//! - The directory `examples` has complete programs, such as a chat room.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod cluster_status;
mod config;
mod event;
mod files;
mod security;
mod server;
mod server_addresses;
pub mod settings;
mod status;

mod client;
mod error;

mod cancellable_thread;
mod event_queue;
mod event_receiver;
#[cfg(feature = "cluster")]
mod link;
mod node_ids;
mod shared;
mod stream;
mod sync;
mod tls;
mod writing;

mod assets;
mod browse;
mod discovery;
mod doctor;
mod host_name;
mod mdns;
mod pad;
mod page;
mod port_owners;
mod reactor;

pub use browse::{
    Browser, BrowserConfig, BrowserEvent, DiscoveryMethod, FoundServers, Search, ServerInfo, discover, find,
};
pub use client::{Client, ClientConfig, ClientEvent, Target, status_of};
pub use cluster_status::{ClusterState, ClusterStatus};
pub use config::Config;
pub use discovery::{has_network, local_ip};
pub use doctor::{Diagnosis, Finding, Severity, diagnose};
pub use error::{ConnectError, RoomError, StartError, StatusError, Stopped};
pub use event::{ClientId, Delivery, Event, LeaveReason, Message};
pub use files::{Files, FilesError};
pub use halloo_proto::access::AccessRules;
pub use halloo_proto::advertised_address::{AdvertisedAddress, AdvertisedAddressError};
pub use halloo_proto::client_request::ClientRequest;
pub use halloo_proto::close::CloseCode;
pub use halloo_proto::files::HeaderError;
pub use halloo_proto::fingerprint::{Fingerprint, FingerprintError};
pub use halloo_proto::limits::SlowClient;
pub use halloo_proto::limits::{EventQueueLimits, HandshakeLimits, MessageLimits, OutboxLimits};
pub use halloo_proto::meta::{Meta, MetaError};
pub use halloo_proto::pad_layout::{PadLayout, PadLayoutError};
pub use halloo_proto::reconnect::RetryLimit;
pub use halloo_proto::room::RoomNameError;
pub use halloo_proto::setting_names::SettingNames;
pub use halloo_proto::token::{Token, TokenError};
#[cfg(feature = "cluster")]
pub use link::{FrameError, Link, LinkTarget, Outgoing, ServerFrames};
pub use port_owners::PortOwner;
pub use reactor::Hub;
pub use security::random_token;
pub use server::Server;
pub use status::{ClientStatus, Extras, RoomStatus, Status};
#[cfg(feature = "tls")]
pub use tls::{Identity, IdentityError};

/// The Rust examples of the documents compile.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../README.md")]
    struct Readme;

    #[doc = include_str!("../../../docs/rust.md")]
    struct Rust;

    #[doc = include_str!("../../../docs/own-pages.md")]
    struct OwnPages;
}
