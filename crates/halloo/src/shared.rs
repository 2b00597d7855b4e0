//! State that the reactor thread shares with the threads of the application.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use halloo_proto::advertised_address::AdvertisedAddress;
use halloo_proto::authenticator::Challenger;
use halloo_proto::meta::Meta;

use crate::node_ids::NodeIds;
use crate::security::Security;
use crate::{ClientId, ClusterStatus, Config, Extras, Status};

/// The state of a server that can be read without a command to the reactor.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) app: Option<String>,
    pub(crate) cluster_name: Option<String>,
    pub(crate) meta: Mutex<Meta>,
    advertise: Option<AdvertisedAddress>,
    pub(crate) port: u16,
    pub(crate) security: Security,
    /// The id of the server, sent in every beacon and reply, and what issues its challenges.
    pub(crate) challenger: Challenger,
    /// The UDP port that probes are received on; 0 if there is none.
    pub(crate) discovery_port: AtomicU16,
    pub(crate) running: AtomicBool,
    pub(crate) discovery_enabled: AtomicBool,
    pub(crate) discovery_active: AtomicBool,
    pub(crate) local_ip: Mutex<IpAddr>,
    /// The host name of the server in multicast DNS, once it is known to be unique on the network. Shared with the check of
    /// `Host`.
    #[cfg_attr(not(feature = "mdns"), expect(dead_code, reason = "only multicast DNS publishes a name"))]
    pub(crate) local_name: Arc<Mutex<Option<String>>>,
    /// The total number of clients that have joined.
    pub(crate) joined: AtomicU64,
    /// The total number of messages received.
    pub(crate) received: AtomicU64,
    /// The total number of messages sent.
    pub(crate) sent: AtomicU64,
    /// The total number of messages dropped for slow clients.
    pub(crate) dropped: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// Bytes of memory that the messages in all outboxes use.
    pub(crate) outbox_bytes: Arc<AtomicUsize>,
    started: Instant,
    /// The number of entries in `clients`, which can be read without the lock.
    count: AtomicUsize,
    /// The slot of each connected client. Only the reactor modifies it.
    clients: RwLock<HashMap<ClientId, u32>>,
    /// The id of the first client. After a restart, ids continue from the previous server.
    pub(crate) first_client: u64,
    /// Which ids belong to which node of a cluster.
    pub(crate) node_ids: NodeIds,
    cluster: Mutex<Option<ClusterStatus>>,
}

impl Shared {
    pub(crate) fn new(
        config: &Config,
        port: u16,
        security: Security,
        challenger: Challenger,
        local_name: Arc<Mutex<Option<String>>>,
        first_client: u64,
    ) -> Shared {
        Shared {
            name: config.name.clone(),
            app: config.app.clone(),
            cluster_name: config.cluster_name.clone(),
            meta: Mutex::new(config.meta.clone()),
            advertise: config.advertise,
            port,
            security,
            challenger,
            discovery_port: AtomicU16::new(0),
            running: AtomicBool::new(true),
            discovery_enabled: AtomicBool::new(false),
            discovery_active: AtomicBool::new(false),
            local_ip: Mutex::new(Ipv4Addr::LOCALHOST.into()),
            local_name,
            joined: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            outbox_bytes: Arc::default(),
            started: Instant::now(),
            count: AtomicUsize::new(0),
            clients: RwLock::default(),
            first_client,
            node_ids: NodeIds::default(),
            cluster: Mutex::default(),
        }
    }

    /// Returns the number of connected clients.
    pub(crate) fn clients(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Returns the slot of a connected client.
    pub(crate) fn slot(&self, client: ClientId) -> Option<usize> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        clients.get(&client).map(|&slot| slot as usize)
    }

    /// Returns whether a message to `client` can be delivered by this node or another.
    pub(crate) fn is_reachable(&self, client: ClientId) -> bool {
        self.slot(client).is_some() || self.node_ids.is_remote(client)
    }

    /// Sets the state of the cluster.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_cluster(&self, status: Option<ClusterStatus>) {
        *self.cluster.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Adds the client in `slot` and returns its new id.
    pub(crate) fn register(&self, slot: usize) -> ClientId {
        let client = self.node_ids.client_id(self.first_client + self.joined.fetch_add(1, Ordering::Relaxed));
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        // A slot is an index into the table of connections, far below 2^32.
        clients.insert(client, slot as u32);
        self.count.store(clients.len(), Ordering::Relaxed);
        client
    }

    /// Removes a client. Returns the number of clients that remain.
    pub(crate) fn unregister(&self, client: ClientId) -> usize {
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        clients.remove(&client);
        self.count.store(clients.len(), Ordering::Relaxed);
        clients.len()
    }

    /// Adds to the number of messages dropped for slow clients.
    pub(crate) fn count_dropped(&self, messages: u64) {
        self.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// Removes all clients, because the reactor has ended.
    pub(crate) fn forget_clients(&self) {
        self.clients.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.count.store(0, Ordering::Relaxed);
    }

    /// Returns the status without the list of clients.
    pub(crate) fn status(&self) -> Status {
        let running = self.running.load(Ordering::Relaxed);
        Status {
            server_running: running,
            server_port: self.port,
            connected_clients: self.clients(),
            discovery_enabled: self.discovery_enabled.load(Ordering::Relaxed),
            discovery_active: self.discovery_active.load(Ordering::Relaxed),
            local_ip: self.local_ip().to_string(),
            extras: Extras {
                version: env!("CARGO_PKG_VERSION").into(),
                name: self.name.clone(),
                app: self.app.clone(),
                uptime_seconds: self.started.elapsed().as_secs(),
                clients_total: self.joined.load(Ordering::Relaxed),
                messages_received: self.received.load(Ordering::Relaxed),
                messages_sent: self.sent.load(Ordering::Relaxed),
                messages_dropped: self.dropped.load(Ordering::Relaxed),
                refused: self.refused.load(Ordering::Relaxed),
                outbox_bytes: self.outbox_bytes.load(Ordering::Relaxed),
                clients: Vec::new(),
                rooms: Vec::new(),
                cluster: self.cluster.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            },
        }
    }

    pub(crate) fn meta(&self) -> MutexGuard<'_, Meta> {
        self.meta.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the address to announce instead of those of this machine.
    pub(crate) fn advertised(&self) -> Option<SocketAddr> {
        self.advertise.map(|address| address.with_default_port(self.port).into())
    }

    pub(crate) fn local_ip(&self) -> IpAddr {
        *self.local_ip.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
