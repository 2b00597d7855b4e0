//! Announces the server: sends beacons and goodbyes, and replies to probes.

mod failures;
pub(crate) mod interfaces;
mod ipv6_receiver;
mod networks;
mod route_table;
mod shortage;
mod watcher;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use halloo_proto::Time;
use halloo_proto::announcement::{Announcement, Beacon, MAX_NAME_CHARS, Reply, clean, goodbye};
use halloo_proto::announcer::Announcer;
use halloo_proto::interfaces::{self as ranking, Interface};
use halloo_proto::responder::Responder;

use failures::Failures;
pub(crate) use ipv6_receiver::Ipv6Receiver;

use crate::Config;
use crate::mdns::Publication;
use crate::shared::Shared;
use networks::Networks;
pub(crate) use shortage::is_shortage;

/// Maximum number of datagrams that are read per turn, so that a flood of them does not delay the clients.
const MAX_DATAGRAMS_PER_TURN: usize = 64;

/// Returns the address at which other devices most likely reach this machine, or 127.0.0.1 if there is no network, or if
/// this process has no file descriptor left to ask the system. It is an IPv6 address only where that is the better one, and
/// never one that needs a zone. No server needs to run; a running one keeps the address that it knows.
///
/// ```
/// println!("this machine is {}", halloo::local_ip());
/// ```
pub fn local_ip() -> IpAddr {
    ranking::local_ip(&ranking::announced(interfaces::list().unwrap_or_default()))
}

/// Returns whether this machine has a network. Without one, only its own servers can be found. Returns `true` if this
/// process has no file descriptor left to ask the system.
///
/// ```
/// if !halloo::has_network() {
///     println!("connect to a network first");
/// }
/// ```
pub fn has_network() -> bool {
    interfaces::list().map_or(true, |found| ranking::reach(&ranking::announced(found)) != ranking::Reach::ThisMachine)
}

/// The server's side of discovery, driven by the reactor.
pub(crate) struct Discovery {
    announcer: Announcer,
    networks: Networks,
    /// The addresses have changed since [`Discovery::poll_addresses`] returned them.
    changed: bool,
    shared: Arc<Shared>,
    id: String,
    port: u16,
    strict: bool,
    loopback_only: bool,
    /// Whether clients can connect over IPv6.
    ipv6: bool,
    responder: Responder,
    publication: Publication,
    failures: Failures,
    /// Where the socket for probes is registered, and its token.
    registry: mio::Registry,
    token: mio::Token,
    receiver: Option<mio::net::UdpSocket>,
    ipv6_receiver: Option<Ipv6Receiver>,
    /// Whether one of the two could not be opened for lack of file descriptors.
    is_reopening: bool,
}

impl Discovery {
    pub(crate) fn new(
        config: &Config,
        shared: &Arc<Shared>,
        [registry, mdns_registry]: [mio::Registry; 2],
        [token, network, mdns]: [mio::Token; 3],
    ) -> Discovery {
        let id = shared.challenger.id().to_owned();
        let seed = u64::from_str_radix(&id, 16).unwrap_or_default();
        let mut discovery = Discovery {
            announcer: Announcer::new(config.discovery, config.discovery_interval, seed),
            networks: Networks::new(config, &registry, network),
            changed: false,
            shared: Arc::clone(shared),
            publication: Publication::new(config, shared, &id, mdns_registry, mdns),
            id,
            port: config.discovery_port,
            strict: config.strict_beacon,
            loopback_only: config.bind.is_some_and(|ip| ip.is_loopback()),
            ipv6: config.bind.is_none_or(|ip| ip.is_ipv6() && !ip.is_loopback()),
            responder: Responder::default(),
            failures: Failures::default(),
            registry,
            token,
            receiver: None,
            ipv6_receiver: None,
            is_reopening: false,
        };
        if config.discovery {
            discovery.listen(Time::ZERO);
            discovery.start_publication(Time::ZERO);
        }
        discovery.publish();
        discovery
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.announcer.is_enabled()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.announcer.is_active()
    }

    pub(crate) fn next_timeout(&self) -> Option<Time> {
        let timers = [self.announcer.poll_timeout(), self.networks.poll_timeout(), self.publication.poll_timeout()];
        timers.into_iter().flatten().min()
    }

    /// Handles a notification of the system that the network has changed.
    pub(crate) fn handle_network(&mut self, now: Time) {
        self.networks.handle_readable(now);
    }

    /// Returns the addresses, best first, if they have changed since the last call.
    pub(crate) fn poll_addresses(&mut self) -> Option<Vec<IpAddr>> {
        std::mem::take(&mut self.changed).then(|| self.addresses())
    }

    pub(crate) fn handle_clients(&mut self, clients: usize, now: Time) {
        self.announcer.handle_clients(clients, now);
    }

    pub(crate) fn start(&mut self, now: Time) {
        if self.receiver.is_none() {
            self.listen(now);
        }
        self.start_publication(now);
        self.announcer.start(now);
    }

    pub(crate) fn stop(&mut self) {
        self.publication.stop();
        self.announcer.stop();
    }

    /// Publishes the properties again, which have changed. Replies contain them anyway.
    pub(crate) fn handle_meta_change(&mut self, now: Time) {
        self.publication.update(now);
    }

    pub(crate) fn broadcast_now(&mut self, now: Time) {
        self.announcer.broadcast_now(now);
    }

    /// Lists the interfaces when that is due, and sends a beacon when one is due.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        let mut due = self.announcer.poll_beacon(now);
        // Also before each beacon, because a system may not report its changes, or not all of them.
        if self.networks.poll_rescan(now) || due {
            let changed = self.networks.rescan(now);
            // Also if the addresses are the same, because an interface may be another of the same name.
            if self.publication.handle_interfaces(self.networks.known(), now).is_err() {
                self.networks.retry(now);
            }
            self.reopen(now);
            if changed {
                self.publish();
                self.join_groups(now);
                self.changed = true;
                self.announcer.handle_network_change(now);
                due |= self.announcer.poll_beacon(now);
            }
        }
        self.publication.handle_timeout(now);
        if due {
            self.failures.retain(self.networks.known());
            self.announce();
        }
    }

    fn announce(&mut self) {
        for interface in self.networks.known() {
            let addr = self.shared.advertised().unwrap_or(SocketAddr::new(interface.addr, self.shared.port));
            let beacon = Beacon {
                ip: addr.ip(),
                port: addr.port(),
                timestamp: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
                id: &self.id,
                name: &self.shared.name,
                app: self.shared.app.as_deref(),
                listen_port: self.listen_port(addr.port()),
            };
            let outcome = self.send(interface, &beacon.encode(self.strict));
            self.failures.record(interface, &outcome);
        }
    }

    /// Sends a goodbye, three times because datagrams can get lost.
    pub(crate) fn goodbye(&mut self) {
        self.publication.stop();
        if self.is_enabled() && !self.strict {
            for _ in 0..3 {
                for interface in self.networks.known() {
                    // A browser that does not receive it notices by probing.
                    let _ = self.send(interface, &goodbye(&self.id));
                }
            }
        }
    }

    fn start_publication(&mut self, now: Time) {
        if self.publication.start(self.networks.known(), now).is_err() {
            self.networks.retry(now);
        }
    }

    fn listen(&mut self, now: Time) {
        if let Err(error) = self.try_to_listen(now) {
            // Beacons need no listener, so the server is still found, only later.
            tracing::warn!("cannot listen for probes on UDP port {}: {error}", self.port);
            self.reopen_later(&error, now);
        }
    }

    /// Opens the sockets that could not be opened for lack of file descriptors.
    fn reopen(&mut self, now: Time) {
        if !std::mem::take(&mut self.is_reopening) {
            return;
        }
        if self.receiver.is_none() {
            self.listen(now);
        } else if self.ipv6 && self.ipv6_receiver.is_none() {
            self.listen_on_ipv6(now);
        }
    }

    fn reopen_later(&mut self, error: &std::io::Error, now: Time) {
        if is_shortage(error) {
            self.is_reopening = true;
            self.networks.retry(now);
        }
    }

    fn try_to_listen(&mut self, now: Time) -> std::io::Result<()> {
        let listen = if self.loopback_only { interfaces::local_receiver } else { interfaces::receiver };
        let mut receiver = listen(self.port)?;
        self.registry.register(&mut receiver, self.token, mio::Interest::READABLE)?;
        let port = receiver.local_addr()?.port();
        self.shared.discovery_port.store(port, std::sync::atomic::Ordering::Relaxed);
        if port == self.port {
            tracing::debug!("listening for probes on UDP port {port}");
        } else {
            tracing::info!("UDP port {} is in use, listening for probes on {port}", self.port);
        }
        self.receiver = Some(receiver);
        if self.ipv6 {
            self.listen_on_ipv6(now);
        }
        Ok(())
    }

    /// Most networks have IPv4 as well, so an error is only logged.
    fn listen_on_ipv6(&mut self, now: Time) {
        let port = self.shared.discovery_port.load(std::sync::atomic::Ordering::Relaxed);
        match Ipv6Receiver::open(port, &self.registry, self.token) {
            Ok(receiver) => {
                self.ipv6_receiver = Some(receiver);
                self.join_groups(now);
            }
            Err(error) => {
                tracing::debug!("no discovery over IPv6 on UDP port {port}: {error}");
                self.reopen_later(&error, now);
            }
        }
    }

    /// Receives probes over IPv6 on every interface.
    fn join_groups(&mut self, now: Time) {
        let Some(receiver) = &mut self.ipv6_receiver else { return };
        match interfaces::list() {
            Ok(found) => receiver.join(&found),
            Err(_) => self.networks.retry(now),
        }
    }

    /// Handles packets of multicast DNS that were received. Returns whether more may wait, for which the poll does not wake
    /// again.
    pub(crate) fn handle_mdns(&mut self, now: Time) -> bool {
        self.publication.handle_readable(now)
    }

    /// Reads the datagrams that wait, at most [`MAX_DATAGRAMS_PER_TURN`] from each socket, and replies to the probes among
    /// them. Returns whether more may wait, for which the poll does not wake again.
    pub(crate) fn handle_readable(&mut self, now: Time) -> bool {
        let mut more = false;
        if let Some(receiver) = self.receiver.take() {
            more |= self.reply_to_all(&receiver, now);
            self.receiver = Some(receiver);
        }
        if let Some(receiver) = self.ipv6_receiver.take() {
            more |= self.reply_to_all(receiver.socket(), now);
            self.ipv6_receiver = Some(receiver);
        }
        more
    }

    fn reply_to_all(&mut self, receiver: &mio::net::UdpSocket, now: Time) -> bool {
        let mut buffer = [0; 2048];
        for _ in 0..MAX_DATAGRAMS_PER_TURN {
            match receiver.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    if let Some(reply) = self.reply_to(&buffer[..length], from, now) {
                        // If the reply is lost, the client sends another probe.
                        let _ = receiver.send_to(&reply, from);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                // Usually the notification that the receiver of an earlier reply is gone, which Windows reports as a
                // reset. The loop continues, because the poll wakes again only after a read has found nothing.
                Err(error) => tracing::debug!("cannot read a datagram: {error}"),
            }
        }
        true
    }

    fn reply_to(&mut self, probe: &[u8], from: SocketAddr, now: Time) -> Option<Vec<u8>> {
        let request = Announcement::parse(probe).filter(|request| request.service == "websocket_server_probe")?;
        let is_near = from.ip().is_loopback() || !self.loopback_only;
        if !self.is_enabled() || !is_near || !self.responder.allows(from.ip(), now) {
            return None;
        }
        let networks = self.networks.list(now);
        let besides = request.ip.filter(|_| from.is_ipv6());
        if besides.is_some_and(|ip| ranking::towards(networks, SocketAddr::new(ip, 0)).is_some()) {
            // The reply to the same probe over IPv4 is enough.
            return None;
        }
        let towards = ranking::towards(networks, from)?.addr;
        let mut reply = self.reply(self.shared.clients(), now);
        reply.ip = self.shared.advertised().map_or(towards, |addr| addr.ip());
        reply.nonce = request.nonce.as_deref();
        let reply = reply.encode(probe.len())?;
        self.responder.handle_reply(from.ip(), now);
        Some(reply)
    }

    /// Returns the description of this server; it is the object of `/discovery.json`.
    pub(crate) fn reply(&self, clients: usize, now: Time) -> Reply<'_> {
        let auth = self.shared.security.token.is_some();
        let advertised = self.shared.advertised();
        let addr = advertised.unwrap_or(SocketAddr::new(self.shared.local_ip(), self.shared.port));
        Reply {
            id: &self.id,
            name: clean(&self.shared.name, MAX_NAME_CHARS),
            ip: addr.ip(),
            port: addr.port(),
            addresses: advertised.map_or_else(|| self.addresses(), |addr| vec![addr.ip()]),
            advertised: advertised.is_some(),
            listen_port: self.listen_port(addr.port()),
            clients,
            auth,
            challenge: auth.then(|| self.shared.challenger.issue(now).text),
            tls: self.shared.security.requires_tls,
            secure: self.shared.security.offers_tls && !self.shared.security.requires_tls,
            app: self.shared.app.as_deref().map(|app| clean(app, MAX_NAME_CHARS)),
            cluster: self.shared.cluster_name.as_deref().map(|name| clean(name, MAX_NAME_CHARS)),
            meta: self.shared.meta().clone(),
            ..Reply::default()
        }
    }

    /// Returns the port on which the server listens, if it announces another.
    fn listen_port(&self, announced: u16) -> Option<u16> {
        Some(self.shared.port).filter(|&port| port != announced)
    }

    fn addresses(&self) -> Vec<IpAddr> {
        ranking::addresses(self.networks.known())
    }

    /// Makes the best address visible to the application.
    fn publish(&self) {
        *self.shared.local_ip.lock().unwrap_or_else(PoisonError::into_inner) = ranking::local_ip(self.networks.known());
    }

    /// Sends through one interface, to the discovery port and, if this server uses another port, to that one too. The
    /// contract can be read either way, and listeners for both exist.
    fn send(&self, interface: &Interface, datagram: &[u8]) -> std::io::Result<()> {
        let socket = interfaces::sender(interface)?;
        let own = self.shared.discovery_port.load(std::sync::atomic::Ordering::Relaxed);
        for port in [Some(self.port), Some(own).filter(|&own| own != self.port && own != 0)].into_iter().flatten() {
            let to = interface.destination(port);
            socket.send_to(datagram, to)?;
            tracing::debug!("beacon from {} ({}) to {to}", interface.addr, interface.name);
        }
        Ok(())
    }
}
