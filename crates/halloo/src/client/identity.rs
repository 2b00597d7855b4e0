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
}

impl Identity {
    /// Returns the identity of a server; `None` if it sends no id.
    pub(super) fn of(server: &ServerInfo) -> Option<Identity> {
        let sources = sources(server).collect();
        let has_id = !server.addresses.iter().any(|addr| server.has_id(&addr.to_string()));
        has_id.then(|| Identity { id: server.id.clone(), sources, challenge: server.challenge.clone() })
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

    /// Returns what a server at `addr` must confirm in the handshake. At an address that the server sent from, any server
    /// is accepted that has not another id: it may have restarted.
    pub(super) fn expected_at(&self, addr: SocketAddr, only_id: bool) -> Option<ExpectedServer> {
        let is_claimed = !self.sources.contains(&addr);
        (is_claimed || only_id).then(|| ExpectedServer { id: self.id.clone(), must_confirm: is_claimed })
    }
}

/// Returns the addresses that a server sent from, and that of its URL if an application has changed it.
fn sources(server: &ServerInfo) -> impl Iterator<Item = SocketAddr> {
    let in_url = server.url.split_once("://").and_then(|(_, addr)| addr.parse().ok());
    let changed = in_url.filter(|addr| !server.addresses.contains(addr));
    server.sources.iter().copied().chain(changed)
}
