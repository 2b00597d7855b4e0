//! New sockets: who may come in, and what happens when there are too many.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::{Interest, Token};

use super::Reactor;
use super::connection::{Connection, Phase};
use super::reserve::Opened;
use crate::{Config, LeaveReason};

/// Descriptors left to the application and to discovery.
const SPARE_DESCRIPTORS: usize = 64;
/// Sockets accepted or refused in one turn before the clients are served: a flood of them must not hold everybody up.
const TURN: usize = 64;
/// How long to wait when the system has no descriptor left.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(200);
/// When there is none, whoever has been on the way in or out for so long gives his up.
const LINGERING: Duration = Duration::from_secs(1);

/// As many clients as the configuration and the descriptors allow.
pub(super) fn max_clients(config: &Config) -> usize {
    #[cfg(unix)]
    let descriptors = rlimit::Resource::NOFILE.get_soft().unwrap_or(1024);
    #[cfg(not(unix))]
    let descriptors = u64::MAX;
    let possible = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(SPARE_DESCRIPTORS).max(1);
    config.max_clients.unwrap_or(possible).min(possible)
}

/// What was found for somebody for whom there is no descriptor.
enum Room {
    Made,
    Refused,
    /// There will be some.
    Later,
}

impl Reactor {
    /// Accepts all that wait, once the listener said so.
    pub(super) fn accept(&mut self) {
        let now = self.connections.now;
        // Each that is gone leaves a descriptor: a queue of the dead would else last for ever.
        let freed = self.connections.table.len() < self.crowd;
        if self.accept_again.is_some_and(|again| freed || now >= again) {
            self.accept_again = None;
            self.accept_ready = true;
        }
        if self.paused || self.stopping.is_some() || self.accept_again.is_some() {
            return;
        }
        let mut refused = 0;
        for _ in 0..TURN {
            if self.reserve.is_taken() {
                match self.make_room() {
                    Room::Made => {}
                    Room::Refused => refused += 1,
                    Room::Later => return self.accept_later(),
                }
            }
            if !self.accept_ready {
                break;
            }
            match self.listener.accept() {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    (self.accept_ready, self.exhausted) = (false, false);
                }
                // The peer was gone before it was accepted: the next one waits behind it.
                Err(error) if is_about_the_peer(&error) => {}
                Err(error) => match self.reserve.open(&self.listener) {
                    Opened::Nobody => self.accept_ready = false,
                    Opened::Nothing => return self.accept_later(),
                    Opened::Somebody => {
                        if !std::mem::replace(&mut self.exhausted, true) {
                            tracing::warn!("cannot accept: {error}; close clients or raise the limit of open files");
                        }
                    }
                },
            }
        }
        if refused > 0 {
            self.accept_later();
        }
    }

    /// The system has no descriptor left, and who waits has to wait a little longer.
    fn accept_later(&mut self) {
        self.crowd = self.connections.table.len();
        self.accept_again = Some(self.connections.now + OUT_OF_DESCRIPTORS);
    }

    /// Whether sockets may wait to be accepted, of which no new edge will tell.
    pub(super) fn accepts_more(&self) -> bool {
        self.accept_ready && !self.paused && self.stopping.is_none() && self.accept_again.is_none()
    }

    /// Finds a descriptor for whoever waits in the reserve: one that was given back, or that of somebody who is no client
    /// and had his time. Where there is nobody like that, he is told.
    fn make_room(&mut self) -> Room {
        if let Some((stream, peer)) = self.reserve.take() {
            self.admit(stream, peer);
            return Room::Made;
        }
        let (now, to_enter, to_leave) =
            (self.connections.now, self.config.handshakes.timeout, self.config.close_timeout);
        let others = self.connections.table.iter().filter(|(_, connection)| !connection.is_open());
        let times = others.map(|(slot, connection)| {
            let whole = if matches!(connection.phase, Phase::Handshake(_)) { to_enter } else { to_leave };
            (slot, whole.saturating_sub(connection.phase.deadline() - now))
        });
        match times.max_by_key(|&(_, time)| time) {
            None => {
                self.connections.shared.refused.fetch_add(1, Ordering::Relaxed);
                self.reserve.refuse();
                Room::Refused
            }
            Some((_, time)) if time < LINGERING => Room::Later,
            Some((slot, _)) => {
                self.connections.shared.refused.fetch_add(1, Ordering::Relaxed);
                self.connections.remove(slot, LeaveReason::TimedOut);
                match self.reserve.take() {
                    Some((stream, peer)) => {
                        self.admit(stream, peer);
                        Room::Made
                    }
                    None => Room::Later,
                }
            }
        }
    }

    fn admit(&mut self, mut stream: mio::net::TcpStream, peer: SocketAddr) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let shared = Arc::clone(&self.connections.shared);
        let refuse = |why: &str| {
            tracing::info!("{peer} was refused: {why}");
            shared.refused.fetch_add(1, Ordering::Relaxed);
        };
        if !self.config.access.lets_peer_in(peer.ip(), &attached(peer.ip())) {
            return refuse("its address is public; `--allow-public` would allow it");
        }
        let limits = self.config.handshakes;
        if self.connections.table.len() >= self.max_clients.saturating_add(limits.max_pending) {
            return refuse("too many connections");
        }
        let entry = self.connections.table.vacant_entry();
        let slot = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut stream, Token(slot), interest) {
            return refuse(&error.to_string());
        }
        // Without it small messages wait up to 200 ms for the peer's acknowledgement. It fails on a dead socket only.
        let _ = stream.set_nodelay(true);
        let now = self.connections.now;
        self.arrivals += 1;
        entry.insert(Connection::new(stream, peer, self.arrivals, now, now + limits.timeout));
        self.connections.schedule(slot);
        // Whoever came first and is no client makes room: a phone that is really there speaks at once.
        if self.connections.addresses.arrive(peer.ip()) > limits.max_pending_per_address {
            self.drop_oldest_guest(|other| other == peer.ip());
        }
        if self.connections.table.len() - self.connections.shared.clients() > limits.max_pending {
            self.drop_oldest_guest(|_| true);
        }
    }

    /// Those who were refused and stay are among them, or they would keep out all others.
    fn drop_oldest_guest(&mut self, among: impl Fn(IpAddr) -> bool) {
        let table = self.connections.table.iter();
        let guests = table.filter(|(_, connection)| !connection.is_open() && among(connection.peer.ip()));
        // A client that is asked to go comes last, for it is owed an answer.
        let age = |phase: &Phase| match phase {
            // Several arrive within one moment.
            Phase::Handshake(handshake) => (false, phase.deadline(), handshake.arrival),
            phase => (matches!(phase, Phase::Closing(_)), phase.deadline(), 0),
        };
        let oldest = guests.min_by_key(|(_, guest)| age(&guest.phase));
        if let Some((slot, guest)) = oldest {
            let unheard = matches!(guest.phase, Phase::Handshake(_));
            self.connections.shared.refused.fetch_add(u64::from(unheard), Ordering::Relaxed);
            self.connections.remove(slot, LeaveReason::TimedOut);
        }
    }

    /// Why one more client from `ip` does not fit; `None` when it does.
    pub(super) fn no_room(&self, ip: IpAddr) -> Option<String> {
        let (most, per_address) = (self.max_clients, self.config.max_clients_per_address);
        if self.connections.shared.clients() >= most {
            return Some(format!("the server is full: {most} clients; `--max-clients` sets how many"));
        }
        let from_there = self.connections.addresses.clients(ip) >= per_address;
        from_there.then(|| format!("there are {per_address} clients from {ip} already; close one of them, or raise `--max-clients-per-address`"))
    }
}

fn is_about_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// The networks of this machine, asked for only when a peer is not on a private one anyway.
fn attached(peer: IpAddr) -> Vec<(IpAddr, u8)> {
    if halloo_proto::access::AccessRules::default().lets_peer_in(peer, &[]) {
        return Vec::new();
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let networks = interfaces.into_iter().map(|interface| match interface.addr {
        if_addrs::IfAddr::V4(v4) => (IpAddr::V4(v4.ip), v4.prefixlen),
        if_addrs::IfAddr::V6(v6) => (IpAddr::V6(v6.ip), v6.prefixlen),
    });
    networks.collect()
}
