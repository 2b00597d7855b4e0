//! Reports subprotocols that clients offer and this server does not have.

use std::net::SocketAddr;

use halloo_proto::client_request::ClientRequest;
use halloo_proto::setting_names::SettingNames;
use halloo_proto::text::escape;

/// Maximum number of different offers that are reported, so that offers of random names do not fill the log.
const MAX_REPORTED: usize = 16;

/// Logs each kind of offer once.
pub(super) struct UnmetSubprotocols {
    names: SettingNames,
    reported: Vec<String>,
}

impl UnmetSubprotocols {
    pub(super) fn new(names: SettingNames) -> UnmetSubprotocols {
        UnmetSubprotocols { names, reported: Vec::new() }
    }

    /// Handles an accepted handshake. A browser closes a connection whose offer is not met (the `WebSocket` constructor of
    /// the WHATWG standard), and does not say why.
    pub(super) fn handle_request(&mut self, request: &ClientRequest, peer: SocketAddr) {
        let Some(offered) = request.subprotocols().next().filter(|_| request.subprotocol().is_none()) else { return };
        if self.reported.len() >= MAX_REPORTED || self.reported.iter().any(|reported| reported == offered) {
            return;
        }
        self.reported.push(offered.to_owned());
        let offered = escape(offered, 100);
        let advice = self.names.add("subprotocols", &offered);
        tracing::warn!(
            "{peer} offers the subprotocol `{offered}`, which this server does not have, so a browser closes the connection; \
             to accept it, {advice}"
        );
    }
}
