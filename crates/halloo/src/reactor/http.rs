//! HTTP responses: a few in each turn, in the order of their requests, so that a flood of requests does not delay the
//! clients.

use std::collections::VecDeque;

use halloo_proto::defaults::TURN_RESPONSES;
use halloo_proto::http::respond;
use halloo_proto::proof::PROOF_HEADER;
use halloo_proto::routes::Resource;
use halloo_proto::upgrade::cross_origin;

use super::connections::Connections;
use super::http_request::HttpRequest;
use crate::Status;
use crate::assets;
use crate::discovery::Discovery;
use crate::page::PAGE;

/// The connections that wait for an HTTP response.
#[derive(Debug, Default)]
pub(super) struct Http {
    waiting: VecDeque<usize>,
}

impl Http {
    /// Queues the request of the pending connection in `slot`.
    pub(super) fn push(&mut self, slot: usize, request: HttpRequest, connections: &mut Connections) {
        if let Some(pending) = connections.table.get_mut(slot).and_then(|connection| connection.pending()) {
            pending.request = Some(request);
            self.waiting.push_back(slot);
        }
    }

    /// Returns whether requests wait for their response.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Sends the responses whose turn it is, and returns the slots that got one.
    pub(super) fn respond_to_some(&mut self, connections: &mut Connections, discovery: &Discovery) -> Vec<usize> {
        let mut responded = Vec::new();
        while responded.len() < TURN_RESPONSES
            && let Some(slot) = self.waiting.pop_front()
        {
            // The peer may be gone and its slot in use again, which costs nothing.
            let pending = connections.table.get_mut(slot).and_then(|connection| connection.pending());
            let Some(request) = pending.and_then(|pending| pending.request.take()) else { continue };
            let response = render(&request, connections, discovery);
            connections.with(slot, |egress, connection| egress.respond_and_close(connection, &response));
            responded.push(slot);
        }
        responded
    }
}

/// Returns the status of the server with each of its clients.
pub(super) fn status(connections: &mut Connections) -> Status {
    connections.publish_counts();
    let mut status = connections.shared().status();
    status.extras.clients = connections.statuses();
    status
}

fn render(request: &HttpRequest, connections: &mut Connections, discovery: &Discovery) -> Vec<u8> {
    let HttpRequest { route, head_only, origin, proof } = request;
    let (status, body) = match route.resource {
        Resource::Page => (200, PAGE.into()),
        Resource::Asset => (200, assets::find(route.path).into()),
        Resource::Status => (200, serde_json::to_vec_pretty(&status(connections)).unwrap_or_default()),
        Resource::Discovery => {
            let reply = discovery.reply(connections.shared().clients(), connections.now());
            (200, serde_json::to_vec(&reply).unwrap_or_default())
        }
        Resource::NotFound => (404, b"not found; try /, /status or /discovery.json, or connect with ws://\n".to_vec()),
    };
    let mut headers = route.headers.to_vec();
    if let Some(origin) = origin.as_deref().filter(|_| route.is_readable_across_origins()) {
        // Only an origin that passed the access rules may read the response.
        headers.extend(cross_origin(origin));
        headers.push(("Access-Control-Expose-Headers", PROOF_HEADER));
    }
    headers.extend(proof.as_deref().map(|proof| (PROOF_HEADER, proof)));
    headers.push(("Cache-Control", route.cache_control));
    respond(status, route.content_type, &headers, &body, *head_only)
}
