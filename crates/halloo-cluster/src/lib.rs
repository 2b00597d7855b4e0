//! Connects [halloo](https://docs.rs/halloo) servers on several machines over a NATS broker, so that they act as one.
//!
//! Each server stays complete: its clients connect to it, and are served whether or not a broker is there. What the
//! application sends to all clients, to a room or to one client also reaches the clients of the other servers.
//!
//! ```no_run
//! use halloo::{Config, Server};
//! use halloo_cluster::{Cluster, ClusterConfig};
//!
//! let server = Server::start(Config::default())?;
//! let cluster = Cluster::start(&server, ClusterConfig::new("show", ["nats://10.0.0.1:4222"]))?;
//! server.send_to_all("to the clients of every node")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The state is in [`Status::extras`](halloo::Status::extras) and in the events
//! [`ClusterChanged`](halloo::Event::ClusterChanged), [`NodeJoined`](halloo::Event::NodeJoined),
//! [`NodeLeft`](halloo::Event::NodeLeft) and [`ClusterDropped`](halloo::Event::ClusterDropped).
//!
//! The async runtime that the client of NATS needs runs on one thread of its own, and is in no signature.

mod cluster;
mod config;
mod fault;
mod probe;

mod driver;
mod first_attempt;
mod node;
mod session;

mod broker;
mod greeting;
mod requirements;
mod subscriptions;

mod beat;
mod header;
mod members;
mod payload;
mod random;
mod sequences;
mod subjects;

pub use cluster::{Cluster, ClusterError};
pub use config::{ClusterConfig, Credentials};
pub use fault::Fault;
pub use probe::{BrokerReport, probe};
