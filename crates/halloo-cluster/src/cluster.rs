//! The handle of a node.

use std::sync::mpsc;
use std::thread::JoinHandle;

use halloo::{Server, Stopped};
use tokio::sync::watch;

use crate::ClusterConfig;
use crate::broker::Broker;
use crate::driver::Driver;
use crate::fault::Fault;
use crate::first_attempt::First;
use crate::node::{self, Node};
use crate::random::random;

/// Maximum bytes of the name of a cluster.
const MAX_NAME: usize = 64;

/// Why a server does not join a cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The name is empty or too long.
    #[error("the name of the cluster has {0} bytes; use 1 to 64")]
    Name(usize),
    /// No address of a broker is given.
    #[error("no address of a broker is given; give one like nats://10.0.0.1:4222")]
    NoBroker,
    /// An address is invalid.
    #[error("the address of the broker is invalid: {0}")]
    Address(String),
    /// No broker can be used, and one is required.
    #[error(transparent)]
    Broker(#[from] Fault),
    /// The server has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The system refused something.
    #[error("cannot {what}: {error}")]
    System {
        /// What failed, as the object of "cannot".
        what: &'static str,
        /// The system's error.
        error: std::io::Error,
    },
}

/// A server's membership of a cluster, on a thread of its own. Dropping it tells the other nodes, within 300 ms, and lets
/// the server go on alone.
#[derive(Debug)]
pub struct Cluster {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Cluster {
    /// Lets `server` join a cluster. Call it before clients connect: one that joined before has no id that other nodes can
    /// send to, although it receives what is sent to all and to its rooms.
    ///
    /// Returns at once, and connects meanwhile, unless [`ClusterConfig::required`] is set. Ends when the server stops or
    /// restarts.
    ///
    /// # Errors
    /// [`ClusterError`] if the name or an address is invalid, or if a broker is required and none can be used.
    pub fn start(server: &Server, config: ClusterConfig) -> Result<Cluster, ClusterError> {
        if config.name.is_empty() || config.name.len() > MAX_NAME {
            return Err(ClusterError::Name(config.name.len()));
        }
        let parsed: Result<Vec<Broker>, String> = config.brokers.iter().map(|text| Broker::parse(text)).collect();
        let brokers = parsed.map_err(ClusterError::Address)?;
        if brokers.is_empty() {
            return Err(ClusterError::NoBroker);
        }
        let random =
            |what| random().map_err(|error| ClusterError::System { what, error: std::io::Error::other(error) });
        let (instance, number) = (random("get random numbers")?, node::number(random("get random numbers")?));
        let required = config.required;
        let link = server.link()?;
        link.set_node(number);
        let node = Node::new(config, link, instance, number);
        node.publish_status();
        let (stop, stopped) = watch::channel(false);
        let (first, outcome) = mpsc::sync_channel(1);
        let driver = Driver::new(node, brokers, stopped, First::new(first));
        let thread = std::thread::Builder::new().name("halloo-cluster".into()).spawn(move || driver.run());
        let error = |error| ClusterError::System { what: "start the thread of the cluster", error };
        let cluster = Cluster { stop, thread: Some(thread.map_err(error)?) };
        if required && let Ok(Err(fault)) = outcome.recv() {
            return Err(fault.into());
        }
        Ok(cluster)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // The thread has logged its panic, if there was one.
            let _ = thread.join();
        }
    }
}
