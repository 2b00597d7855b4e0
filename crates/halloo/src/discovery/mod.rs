//! Calling out: when to announce, and through which interface.

mod interfaces;

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use halloo_proto::Time;
use halloo_proto::announcement::{Beacon, goodbye};
use halloo_proto::announcer::Announcer;
use halloo_proto::interfaces::{Interface, announced, local_ip};

use crate::Config;
use crate::shared::Shared;

/// The announcing half of discovery, driven by the reactor.
pub(crate) struct Announcing {
    announcer: Announcer,
    shared: Arc<Shared>,
    id: String,
    port: u16,
    strict: bool,
    loopback_only: bool,
}

impl Announcing {
    pub(crate) fn new(config: &Config, shared: &Arc<Shared>) -> Announcing {
        let mut seed = [0; 8];
        // Without entropy the id is the same at each start, which only makes a restart harder to notice.
        let _ = getrandom::fill(&mut seed);
        let mut announcing = Announcing {
            announcer: Announcer::new(config.discovery, config.discovery_interval, u64::from_ne_bytes(seed)),
            shared: Arc::clone(shared),
            id: seed.iter().map(|byte| format!("{byte:02x}")).collect(),
            port: config.discovery_port,
            strict: config.strict_beacon,
            loopback_only: config.bind.is_some_and(|ip| ip.is_loopback()),
        };
        announcing.interfaces();
        announcing
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.announcer.is_enabled()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.announcer.is_active()
    }

    pub(crate) fn next_timeout(&self) -> Option<Time> {
        self.announcer.poll_timeout()
    }

    pub(crate) fn handle_clients(&mut self, clients: usize, now: Time) {
        self.announcer.handle_clients(clients, now);
    }

    pub(crate) fn start(&mut self, now: Time) {
        self.announcer.start(now);
    }

    pub(crate) fn stop(&mut self) {
        self.announcer.stop();
    }

    pub(crate) fn broadcast_now(&mut self, now: Time) {
        self.announcer.broadcast_now(now);
    }

    /// Sends a beacon when one is due.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        if !self.announcer.poll_beacon(now) {
            return;
        }
        for interface in self.interfaces() {
            let beacon = Beacon {
                ip: interface.addr,
                port: self.shared.port,
                timestamp: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
                id: &self.id,
                name: &self.shared.name,
            };
            self.send(&interface, &beacon.encode(self.strict));
        }
    }

    /// Says that the server stops, three times, for datagrams get lost.
    pub(crate) fn goodbye(&mut self) {
        if self.is_enabled() && !self.strict {
            let interfaces = self.interfaces();
            for _ in 0..3 {
                interfaces.iter().for_each(|interface| self.send(interface, &goodbye(&self.id)));
            }
        }
    }

    /// The object of `/discovery.json`.
    pub(crate) fn reply(&self, clients: usize) -> serde_json::Value {
        let addresses: Vec<Ipv4Addr> = self.listed().iter().map(|interface| interface.addr).collect();
        serde_json::json!({
            "service": "websocket_server_reply", "v": 2, "id": self.id, "name": self.shared.name,
            "ip": self.shared.local_ip(), "port": self.shared.port, "addresses": addresses, "clients": clients,
            "auth": false, "tls": false,
        })
    }

    fn listed(&self) -> Vec<Interface> {
        let interfaces = if self.loopback_only { Vec::new() } else { interfaces::list() };
        announced(interfaces)
    }

    /// The interfaces to announce on, read anew each time, since networks come and go.
    fn interfaces(&mut self) -> Vec<Interface> {
        let interfaces = self.listed();
        *self.shared.local_ip.lock().unwrap_or_else(PoisonError::into_inner) = local_ip(&interfaces);
        interfaces
    }

    fn send(&self, interface: &Interface, datagram: &[u8]) {
        match interfaces::sender(interface) {
            Ok(socket) => {
                let to = SocketAddrV4::new(interface.broadcast_to(), self.port);
                match socket.send_to(datagram, to) {
                    Ok(_) => tracing::debug!(interface = interface.name, %to, ip = %interface.addr, "beacon sent"),
                    Err(error) => tracing::debug!(interface = interface.name, %error, "cannot send a beacon"),
                }
            }
            Err(error) => tracing::debug!(interface = interface.name, %error, "cannot announce on this interface"),
        }
    }
}

/// The address of the default route, found without sending anything: connecting a UDP socket only asks the table.
fn default_route() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(1, 1, 1, 1), 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}
