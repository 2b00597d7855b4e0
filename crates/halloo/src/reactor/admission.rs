//! Decides which peers are admitted, and which pending connections are evicted for others.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::access::AccessRules;
use halloo_proto::interface_filter::InterfaceFilter;
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::setting_names::SettingNames;

use super::connection::{Connection, State};
use super::connections::Connections;
use crate::Config;
use crate::discovery::interfaces::{self, is_allowed};

/// File descriptors left to the application and to discovery.
const SPARE_DESCRIPTORS: usize = 64;
/// Minimum age of a connection that is not a client before it is evicted because descriptors have run out.
const MIN_EVICTION_AGE: Duration = Duration::from_secs(1);

/// Limits on the number of connections.
#[derive(Debug)]
pub(super) struct Admission {
    names: SettingNames,
    handshakes: HandshakeLimits,
    close_timeout: Duration,
    max_clients: usize,
    max_clients_per_address: usize,
    interfaces: InterfaceFilter,
    /// The number of sockets accepted so far.
    arrivals: u64,
}

/// Which connection to evict when a peer needs its descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eviction {
    /// The connection in this slot.
    Slot(usize),
    /// None yet, but one will soon be old enough.
    Later,
    /// None, because every other connection is a client.
    Impossible,
}

impl Admission {
    pub(super) fn new(config: &Config) -> Admission {
        Admission {
            names: config.access.setting_names,
            handshakes: config.handshakes,
            close_timeout: config.close_timeout,
            max_clients: max_clients(config),
            max_clients_per_address: config.max_clients_per_address,
            interfaces: config.interface_filter(),
            arrivals: 0,
        }
    }

    /// Returns why a socket from `ip` is refused; `None` if it is admitted.
    pub(super) fn refuse_socket(&self, ip: IpAddr, access: &AccessRules, connections: &Connections) -> Option<String> {
        match attached_networks(ip) {
            Ok(networks) if access.allows_peer(ip, &networks) => {}
            Ok(_) => return Some(format!("its address is public; {} allows it", self.names.name("allow_public"))),
            Err(_) if access.allows_peer(ip, &[]) => {}
            Err(error) => return Some(format!("its address is public, and the networks cannot be listed: {error}")),
        }
        let most = self.max_clients.saturating_add(self.handshakes.max_pending);
        (connections.table.len() >= most).then(|| "too many connections".to_owned())
    }

    /// Returns why a socket that was accepted at the address `local` of this machine is refused; `None` if it is admitted.
    pub(super) fn refuse_interface(&self, local: io::Result<SocketAddr>) -> Option<String> {
        if self.interfaces.is_empty() {
            return None;
        }
        match local.map(|addr| addr.ip().to_canonical()) {
            Ok(ip) => {
                match is_allowed(ip, &self.interfaces) {
                    Ok(true) => return None,
                    Ok(false) => {}
                    Err(error) => return Some(format!("the interface of {ip} is unknown: {error}")),
                }
                let setting = self.names.name("interfaces");
                Some(format!(
                    "it connected to {ip}, an address of an interface that is not used; {setting} selects them"
                ))
            }
            Err(error) => Some(format!("the address that it connected to is unknown: {error}")),
        }
    }

    /// Returns the handshake deadline of a socket that is accepted now.
    pub(super) fn handshake_deadline(&self, now: Time) -> Time {
        now + self.handshakes.timeout
    }

    /// Returns the ordinal of an accepted socket.
    pub(super) fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// Returns the slots of pending connections to drop now that another socket of `ip` was accepted, which makes
    /// `others` of this address that are not clients. The oldest are closed: a live peer sends its request at once.
    pub(super) fn evict_for(&self, ip: IpAddr, others: usize, connections: &Connections) -> Vec<usize> {
        let mut slots = Vec::new();
        if others > self.handshakes.max_pending_per_address {
            slots.extend(oldest_pending(connections, |connection| connection.ip() == ip));
        }
        let pending = connections.table.len() - connections.shared().clients() - slots.len();
        if pending > self.handshakes.max_pending {
            slots.extend(oldest_pending(connections, |connection| !slots.contains(&(connection.slot as usize))));
        }
        slots
    }

    /// Returns the connection to evict for a peer that was accepted with the spare descriptor: the oldest one that is
    /// not a client.
    pub(super) fn evict_for_descriptor(&self, connections: &Connections) -> Eviction {
        let now = connections.now();
        let others = connections.table.iter().filter(|connection| !connection.is_open() && !connection.is_closed());
        let ages = others.map(|connection| {
            if connection.is_idle() {
                return (connection.slot as usize, Duration::MAX);
            }
            let timeout = match connection.state {
                State::Pending(_) => self.handshakes.timeout,
                _ => self.close_timeout,
            };
            (connection.slot as usize, timeout.saturating_sub(connection.deadline() - now))
        });
        match ages.max_by_key(|&(_, age)| age) {
            None => Eviction::Impossible,
            Some((_, age)) if age < MIN_EVICTION_AGE => Eviction::Later,
            Some((slot, _)) => Eviction::Slot(slot),
        }
    }

    /// Returns why one more client from `ip`, which joins this `room`, is refused; `None` if it is admitted.
    pub(super) fn refuse_client(&self, ip: IpAddr, room: Option<&str>, connections: &Connections) -> Option<String> {
        let (most, per_address) = (self.max_clients, self.max_clients_per_address);
        if connections.shared().clients() >= most {
            let setting = self.names.name("max_clients");
            return Some(format!("the server is full: {most} clients; increase {setting}, or disconnect one"));
        }
        if connections.egress.membership.clients_of(ip) >= per_address {
            let setting = self.names.name("max_clients_per_address");
            return Some(format!("{ip} has {per_address} clients already; close one of them, or increase {setting}"));
        }
        let rooms = &connections.egress.rooms;
        room.filter(|room| rooms.is_full() && rooms.find(room).is_none()).map(|_| {
            let (most, setting) = (rooms.len(), self.names.name("max_rooms"));
            format!("there are {most} rooms, which is the most; join one of them, or increase {setting}")
        })
    }
}

/// Returns the number of clients that the configuration and the file descriptor limit allow.
fn max_clients(config: &Config) -> usize {
    #[cfg(unix)]
    let descriptors = rlimit::Resource::NOFILE.get_soft().unwrap_or(1024);
    #[cfg(not(unix))]
    let descriptors = u64::MAX;
    let possible = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(SPARE_DESCRIPTORS).max(1);
    config.max_clients.unwrap_or(possible).min(possible)
}

/// Returns the slot of the oldest connection that is not a client. Refused connections that are still open count.
fn oldest_pending(connections: &Connections, among: impl Fn(&Connection) -> bool) -> Option<usize> {
    let others = connections.table.iter().filter(|connection| !connection.is_open() && !connection.is_closed());
    // A kept connection that waits for a request comes first, because its peer opens another one when it needs it. A client
    // whose close handshake is not complete comes last, because it still waits for our answer.
    let age = |connection: &Connection| match &connection.state {
        State::Pending(pending) => (if pending.is_idle { 0 } else { 1 }, pending.deadline, pending.arrival),
        State::WebSocket(websocket) => (if websocket.is_closing() { 2 } else { 1 }, websocket.close_deadline(), 0),
        State::Closed => (2, connection.deadline(), 0),
    };
    others.filter(|connection| among(connection)).min_by_key(|connection| age(connection)).map(|c| c.slot as usize)
}

/// Returns the networks of this machine. They are listed only if the rules do not allow `peer` without them.
fn attached_networks(peer: IpAddr) -> io::Result<Vec<(IpAddr, u8)>> {
    if AccessRules::default().allows_peer(peer, &[]) {
        return Ok(Vec::new());
    }
    interfaces::networks(&InterfaceFilter::default())
}
