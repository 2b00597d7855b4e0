//! Which server is at the address that a client dials.

use std::net::SocketAddr;

use halloo_proto::handshake::ExpectedServer;
use halloo_proto::proof::Challenge;

use crate::ServerInfo;

/// What is known about a server that was discovered, besides its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    id: String,
    /// The addresses that it sent from. Others are claims, also of the server itself: in another network, or on this
    /// machine, the same address can belong to another server.
    sources: Vec<SocketAddr>,
    challenge: Option<Challenge>,
    /// Whether the server confirmed its id in a handshake, as servers of other programs and older ones do not.
    confirms: bool,
}

impl Identity {
    /// Returns the identity of a server; `None` if it sends no id.
    pub(super) fn of(server: &ServerInfo) -> Option<Identity> {
        let sources = sources(server).collect();
        let has_id = !server.addresses.iter().any(|addr| server.has_id(&addr.to_string()));
        let (id, challenge) = (server.id.clone(), server.challenge.clone());
        has_id.then_some(Identity { id, sources, challenge, confirms: false })
    }

    /// Returns the addresses of `server` that are only claims.
    pub(super) fn claimed(server: &ServerInfo) -> Vec<SocketAddr> {
        let sources: Vec<SocketAddr> = sources(server).collect();
        server.addresses.iter().copied().filter(|addr| !sources.contains(addr)).collect()
    }

    /// Returns the challenge of its last reply.
    pub(super) fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    /// Returns whether `id` is that of the server.
    pub(super) fn has_id(&self, id: &str) -> bool {
        self.id == id
    }

    /// Keeps what is known of the same server from before.
    pub(super) fn resume(&mut self, earlier: &Identity) {
        self.confirms = earlier.confirms && earlier.id == self.id;
    }

    /// Handles that the server confirmed its id.
    pub(super) fn handle_confirmed(&mut self) {
        self.confirms = true;
    }

    /// Returns what a server at `addr` must confirm in the handshake. An address that the server sent from may belong to
    /// another server now, or to this one after a restart. If the server can be looked up again (`can_look_up`), one with
    /// another id is refused, and so is one that does not confirm the id although it did before. Otherwise any is accepted.
    pub(super) fn expected_at(&self, addr: SocketAddr, can_look_up: bool) -> Option<ExpectedServer> {
        let is_claimed = !self.sources.contains(&addr);
        let must_confirm = is_claimed || self.confirms;
        (is_claimed || can_look_up).then(|| ExpectedServer { id: self.id.clone(), must_confirm })
    }
}

/// Returns the addresses that a server sent from, and that of its URL if an application has changed it.
pub(super) fn sources(server: &ServerInfo) -> impl Iterator<Item = SocketAddr> {
    let in_url = server.url.split_once("://").and_then(|(_, addr)| addr.parse().ok());
    let changed = in_url.filter(|addr| !server.addresses.contains(addr));
    server.sources.iter().copied().chain(changed)
}
