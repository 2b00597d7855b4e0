//! HTTP responses: a few in each turn, in the order of their requests, so that a flood of requests does not delay the
//! clients.

use std::collections::VecDeque;

use halloo_proto::connection_key::ConnectionQuery;
use halloo_proto::defaults::TURN_RESPONSES;
use halloo_proto::http::respond;
use halloo_proto::proof::PROOF_HEADER;
use halloo_proto::routes::Resource;
use halloo_proto::upgrade::cross_origin;

use super::connections::Connections;
use super::http_request::HttpRequest;
use crate::assets;
use crate::discovery::Discovery;
use crate::page::page;
use crate::{LeaveReason, Status};

/// The connections that wait for an HTTP response.
#[derive(Debug, Default)]
pub(super) struct Http {
    waiting: VecDeque<usize>,
    /// Those that wait for a sign of life of another connection.
    probing: Vec<usize>,
}

impl Http {
    /// Queues the request of the pending connection in `slot`.
    pub(super) fn push(&mut self, slot: usize, request: HttpRequest, connections: &mut Connections) {
        if let Some(pending) = connections.table.get_mut(slot).and_then(|connection| connection.pending()) {
            pending.request = Some(request);
            self.waiting.push_back(slot);
        }
    }

    /// Moves the requests on that have waited long enough.
    fn resume_probing(&mut self, connections: &mut Connections) {
        let (waiting, keyed) = (&mut self.waiting, &connections.egress.keyed);
        self.probing.retain(|&slot| {
            let pending = connections.table.get_mut(slot).and_then(|connection| connection.pending());
            // The peer may be gone and its slot in use again.
            let request = pending.and_then(|pending| pending.request.as_ref());
            let Some(waits) = request.and_then(|request| request.waits.as_ref()) else { return false };
            let waits = keyed.is_waiting(waits);
            if !waits {
                waiting.push_back(slot);
            }
            waits
        });
    }

    /// Returns whether requests wait for their response.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Sends the responses whose turn it is, and returns the slots that got one.
    pub(super) fn respond_to_some(&mut self, connections: &mut Connections, discovery: &Discovery) -> Vec<usize> {
        let mut responded = Vec::new();
        self.resume_probing(connections);
        while responded.len() < TURN_RESPONSES
            && let Some(slot) = self.waiting.pop_front()
        {
            // The peer may be gone and its slot in use again, which costs nothing.
            let pending = connections.table.get_mut(slot).and_then(|connection| connection.pending());
            let Some(mut request) = pending.and_then(|pending| pending.request.take()) else { continue };
            if must_wait(&mut request, connections) {
                self.probing.push(slot);
                connections.with(slot, |_, connection| {
                    connection.pending().map(|pending| pending.request.insert(request));
                });
                continue;
            }
            let response = render(&request, connections, discovery);
            connections.with(slot, |egress, connection| egress.respond_and_close(connection, &response));
            responded.push(slot);
        }
        responded
    }
}

/// Returns whether the response must wait for a sign of life of the connection it is about. Asks for one if it does.
fn must_wait(request: &mut HttpRequest, connections: &mut Connections) -> bool {
    let Some(ConnectionQuery { key: Some(key), ends }) = &request.query else { return false };
    if let Some(waits) = &request.waits {
        return connections.egress.keyed.is_waiting(waits);
    }
    let Some(slot) = connections.egress.keyed.slot_of(key) else { return false };
    if *ends {
        let reason = || LeaveReason::Lost("the page replaced the connection".into());
        connections.with(slot, |egress, connection| egress.drop(connection, reason()));
        return false;
    }
    request.waits = connections.probe(slot);
    request.waits.is_some()
}

/// Returns the status of the server with each of its clients.
pub(super) fn status(connections: &mut Connections) -> Status {
    connections.publish_counts();
    let mut status = connections.shared().status();
    status.extras.clients = connections.statuses();
    status
}

fn render(request: &HttpRequest, connections: &mut Connections, discovery: &Discovery) -> Vec<u8> {
    let HttpRequest { route, head_only, origin, proof, query, .. } = request;
    let (status, body) = match route.resource {
        Resource::Page => (200, page(route.path).into()),
        Resource::Asset => (200, assets::find(route.path).into()),
        Resource::Connection => {
            let key = query.as_ref().and_then(|query| query.key.as_ref());
            match key.and_then(|key| connections.egress.keyed.describe(key)) {
                Some(state) => (200, state.to_string().into_bytes()),
                None => (404, br#"{"error":"there is no connection with this key, or it ended long ago"}"#.to_vec()),
            }
        }
        Resource::Status => (200, serde_json::to_vec_pretty(&status(connections)).unwrap_or_default()),
        Resource::Discovery => {
            let reply = discovery.reply(connections.shared().clients(), connections.now());
            (200, serde_json::to_vec(&reply).unwrap_or_default())
        }
        Resource::File | Resource::NotFound => {
            (404, b"not found; try /, /status or /discovery.json, or connect with ws://\n".to_vec())
        }
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
