//! A zero-configuration WebSocket server for the local network.
//!
//! [`Server`] listens, announces itself by UDP broadcast until a client connects, and reports [`Event`]s. [`Browser`]
//! lists the servers on the network. [`Client`] connects to a server by its name or address, and reconnects when the
//! connection breaks. Each runs on one thread of its own; there is no async runtime.
//!
//! ```
//! use halloo::{Client, Config, Event, Server};
//!
//! let server = Server::start(Config::local())?; // `Config::default()` announces it on the network
//! let client = Client::connect(server.url())?;
//! client.send("hello")?;
//! let joined = server.events().next();
//! assert!(matches!(joined, Some(Event::ClientJoined { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Features: `tls` (rustls) and `mdns` (multicast DNS), both off by default.

mod config;
mod event;
mod security;
mod server;
mod server_addresses;
pub mod settings;
mod status;

mod client;
mod error;

mod event_queue;
mod event_receiver;
mod shared;
mod stream;
mod tls;
mod writing;

mod browse;
mod discovery;
mod doctor;
mod mdns;
mod page;
mod port_owners;
mod reactor;

pub use browse::{
    Browser, BrowserConfig, BrowserEvent, DiscoveryMethod, FoundServers, Search, ServerInfo, discover, find,
};
pub use client::{Client, ClientConfig, ClientEvent, Target, status_of};
pub use config::Config;
pub use discovery::{has_network, local_ip};
pub use doctor::{Diagnosis, Finding, Severity, diagnose};
pub use error::{ConnectError, StartError, StatusError, Stopped};
pub use event::{ClientId, Delivery, Event, LeaveReason, Message};
pub use halloo_proto::access::AccessRules;
pub use halloo_proto::advertised_address::{AdvertisedAddress, AdvertisedAddressError};
pub use halloo_proto::close::CloseCode;
pub use halloo_proto::fingerprint::{Fingerprint, FingerprintError};
pub use halloo_proto::limits::SlowClient;
pub use halloo_proto::limits::{EventQueueLimits, HandshakeLimits, MessageLimits, OutboxLimits};
pub use halloo_proto::meta::{Meta, MetaError};
pub use halloo_proto::reconnect::RetryLimit;
pub use halloo_proto::setting_names::SettingNames;
pub use halloo_proto::token::{Token, TokenError};
pub use port_owners::PortOwner;
pub use reactor::Hub;
pub use security::random_token;
pub use server::Server;
pub use status::{ClientStatus, Extras, Status};
#[cfg(feature = "tls")]
pub use tls::{Identity, IdentityError};

/// The Rust examples of the documents compile.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../README.md")]
    struct Readme;

    #[doc = include_str!("../../../docs/rust.md")]
    struct Rust;
}
