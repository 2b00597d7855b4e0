//! The discovering side: ask who is there, and listen to who calls.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use halloo_proto::announcement::{Announcement, probe};
use halloo_proto::defaults::DISCOVERY_PORT;
use halloo_proto::interfaces::{Interface, announced};
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;

use crate::discovery::interfaces;

/// When to ask: a lost datagram costs a hundred milliseconds, then three hundred, and so on.
const PROBES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1000)];
/// Servers remembered; more than any local network has, fewer than a flood of forged replies.
const MOST: usize = 256;
/// Addresses remembered of one server: as many networks as a machine reasonably has.
const ADDRESSES: usize = 8;

/// A server that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Random for each start of a server; for one that tells none, its address.
    pub id: String,
    /// What people call it; empty when it does not tell.
    pub name: String,
    /// Where to connect.
    pub url: String,
    /// Every address that it was heard from.
    pub addresses: Vec<SocketAddr>,
    /// How many clients it has, when it told.
    pub clients: Option<u32>,
}

/// Finds the servers that are called `name`, letter case aside, or that have this id.
///
/// Waits at most `timeout` for the first, and then a little for namesakes; an id belongs to one server, so that one is
/// answered at once. An empty list says that nobody of that name was heard.
///
/// ```no_run
/// match halloo::find("living-room", std::time::Duration::from_secs(3))?.as_slice() {
///     [] => println!("not there"),
///     [server] => println!("{}", server.url),
///     several => println!("{} servers have this name", several.len()),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As [`discover`].
pub fn find(name: &str, timeout: Duration) -> io::Result<Vec<ServerInfo>> {
    Ok(discover(timeout)?.into_iter().filter(|server| server.is_called(name)).collect())
}

impl ServerInfo {
    /// Whether `name` is its name, letter case aside, or its id.
    pub fn is_called(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name) || self.name.to_lowercase() == name.to_lowercase()
    }
}

/// A search for servers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Search {
    /// The discovery port of the servers.
    pub discovery_port: u16,
    /// How long to search.
    pub timeout: Duration,
    /// Ends with the first server.
    pub first: bool,
    /// Sends nothing beyond this machine.
    pub local: bool,
}

impl Default for Search {
    fn default() -> Search {
        Search { discovery_port: DISCOVERY_PORT, timeout: Duration::from_secs(3), first: false, local: false }
    }
}

/// Finds the servers on the local network that are heard within `timeout`.
///
/// ```no_run
/// for server in halloo::discover(std::time::Duration::from_secs(3))? {
///     println!("{} at {}", server.name, server.url);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When the system gives no socket; that nobody is found is an empty list.
pub fn discover(timeout: Duration) -> io::Result<Vec<ServerInfo>> {
    Search { timeout, ..Search::default() }.run()
}

impl Search {
    /// Searches until the time is over, or somebody is found if that is enough.
    ///
    /// # Errors
    /// As [`discover`].
    pub fn run(&self) -> io::Result<Vec<ServerInfo>> {
        let mut poll = Poll::new()?;
        let mut sockets = self.senders();
        // Without it only replies are heard, which every server of this version gives.
        sockets.extend(interfaces::receiver(self.discovery_port).inspect_err(|error| {
            tracing::warn!(%error, "cannot listen for beacons");
        }));
        for (index, socket) in sockets.iter_mut().enumerate() {
            poll.registry().register(socket, Token(index), Interest::READABLE)?;
        }
        let nonce = nonce();
        let mut found = Vec::new();
        let (start, mut probes) = (Instant::now(), PROBES.into_iter().peekable());
        let mut events = Events::with_capacity(16);
        loop {
            while probes.next_if(|&at| start.elapsed() >= at).is_some() {
                self.ask(&sockets, &probe(&nonce));
            }
            let elapsed = start.elapsed();
            if elapsed >= self.timeout || (self.first && !found.is_empty()) {
                return Ok(found);
            }
            let next = probes.peek().copied().unwrap_or(self.timeout).min(self.timeout);
            match poll.poll(&mut events, Some(next.saturating_sub(elapsed))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for socket in &sockets {
                let mut buffer = [0; 2048];
                while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    if let Some(announcement) = Announcement::parse(&buffer[..length]) {
                        handle(&mut found, &announcement, from, &nonce);
                    }
                }
            }
        }
    }

    fn senders(&self) -> Vec<mio::net::UdpSocket> {
        let loopback = Interface { name: "loopback".into(), addr: Ipv4Addr::LOCALHOST, default_route: false };
        let mut through = vec![loopback];
        if !self.local {
            through.extend(announced(interfaces::list()).into_iter().filter(|found| !found.addr.is_loopback()));
        }
        let open = |interface: &Interface| -> Option<UdpSocket> { interfaces::sender(interface).ok() };
        through.iter().filter_map(open).map(mio::net::UdpSocket::from_std).collect()
    }

    fn ask(&self, sockets: &[mio::net::UdpSocket], probe: &[u8]) {
        for socket in sockets {
            let Ok(SocketAddr::V4(own)) = socket.local_addr() else { continue };
            let to = if own.ip().is_loopback() { Ipv4Addr::new(127, 255, 255, 255) } else { Ipv4Addr::BROADCAST };
            if !own.ip().is_unspecified() {
                // An interface that does not take it now is asked again with the next probe.
                let _ = socket.send_to(probe, SocketAddrV4::new(to, self.discovery_port).into());
            }
        }
    }
}

/// Adds what a datagram tells. The address it came from counts, for the one inside can be wrong or forged.
fn handle(found: &mut Vec<ServerInfo>, announcement: &Announcement, from: SocketAddr, nonce: &str) {
    if announcement.service == "websocket_server_bye" {
        // From anywhere else it is a neighbour's claim, which would make a running server invisible.
        let own = |server: &ServerInfo| server.addresses.iter().any(|addr| addr.ip() == from.ip());
        found.retain(|server| Some(&server.id) != announcement.clean_id().as_ref() || !own(server));
        return;
    }
    let answers = announcement.service == "websocket_server_reply" && announcement.nonce.as_deref() == Some(nonce);
    let Some(port) = announcement.port().filter(|_| answers || announcement.service == "websocket_server") else {
        return;
    };
    let addr = SocketAddr::new(from.ip(), port);
    let id = announcement.clean_id().unwrap_or_else(|| addr.to_string());
    let clients = announcement.clients.map(|clients| clients as u32);
    let room = found.len() < MOST;
    match found.iter_mut().find(|server| server.id == id) {
        Some(server) => {
            if !server.addresses.contains(&addr) && server.addresses.len() < ADDRESSES {
                server.addresses.push(addr);
            }
            // Loopback is answered first, but an address of the network is of use to others, too.
            if server.url.starts_with("ws://127.") && !addr.ip().is_loopback() {
                server.url = format!("ws://{addr}");
            }
            server.clients = clients.or(server.clients);
        }
        None if room => {
            let (name, url) = (announcement.display_name(), format!("ws://{addr}"));
            found.push(ServerInfo { id, name, url, addresses: vec![addr], clients });
        }
        None => {}
    }
}

fn nonce() -> String {
    let mut bytes = [0; 8];
    // Without entropy the nonce is constant: replies are still told from those of older searches by their socket.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(found: &mut Vec<ServerInfo>, text: &str, from: [u8; 4]) {
        let announcement = Announcement::parse(text.as_bytes()).expect("one of ours");
        handle(found, &announcement, (from, 8766).into(), "n");
    }

    #[test]
    fn only_the_server_itself_says_goodbye() {
        let mut found = Vec::new();
        tell(&mut found, r#"{"service":"websocket_server","port":8765,"id":"a"}"#, [10, 0, 0, 1]);
        tell(&mut found, r#"{"service":"websocket_server_bye","id":"a"}"#, [10, 0, 0, 66]);
        assert_eq!(found.len(), 1, "a neighbour removed it");
        tell(&mut found, r#"{"service":"websocket_server_bye","id":"a"}"#, [10, 0, 0, 1]);
        assert!(found.is_empty());
    }

    #[test]
    fn what_a_server_tells_is_bounded_and_clean() {
        let mut found = Vec::new();
        let id = format!("\\u001b\\u202e{}", "x".repeat(1000));
        for last in 1..=200 {
            let text = format!(r#"{{"service":"websocket_server","port":8765,"id":"{id}"}}"#);
            tell(&mut found, &text, [10, 0, 0, last]);
        }
        assert_eq!(found.len(), 1);
        assert!(found[0].id.len() <= 32 && !found[0].id.contains(halloo_proto::text::is_harmful));
        assert_eq!(found[0].addresses.len(), ADDRESSES);
    }
}
