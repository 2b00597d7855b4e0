//! The registered clients, and the events about joining and leaving.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use halloo_proto::client_request::ClientRequest;
use halloo_proto::close::CloseCode;
use halloo_proto::text::escape;

use super::address_counts::AddressCounts;
use super::connection::Connection;
use crate::shared::Shared;
use crate::{ClientId, Event, LeaveReason};

/// Registers clients under their ids and counts sockets by address. Each client joins and leaves exactly once.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) shared: Arc<Shared>,
    addresses: AddressCounts,
    /// What the clients said that said anything, by their slots.
    requests: HashMap<u32, Arc<ClientRequest>>,
    /// What all others said.
    plain_request: Arc<ClientRequest>,
    /// Events that are not emitted yet.
    events: VecDeque<Event<'static>>,
}

impl Membership {
    pub(super) fn new(shared: Arc<Shared>) -> Membership {
        Membership {
            shared,
            addresses: AddressCounts::default(),
            requests: HashMap::new(),
            plain_request: Arc::default(),
            events: VecDeque::new(),
        }
    }

    /// Adds an accepted socket and returns how many sockets of its address are not clients.
    pub(super) fn add(&mut self, ip: IpAddr) -> usize {
        self.addresses.add(ip)
    }

    /// Returns the number of clients of this address.
    pub(super) fn clients_of(&self, ip: IpAddr) -> usize {
        self.addresses.clients(ip)
    }

    /// Makes `connection` a client, which said `request` and is in these rooms.
    pub(super) fn join(&mut self, connection: &mut Connection, request: ClientRequest, rooms: Vec<String>) {
        connection.client = self.shared.register(connection.slot as usize);
        self.addresses.join(connection.ip());
        let (client, addr, clients) = (connection.client, connection.peer, self.shared.clients());
        let request = match request.is_plain() {
            true => Arc::clone(&self.plain_request),
            false => {
                let request = Arc::new(request);
                self.requests.insert(connection.slot, Arc::clone(&request));
                request
            }
        };
        self.events.push_back(Event::ClientJoined { client, addr, request, rooms, clients });
    }

    /// Returns what the client in `slot` said.
    pub(super) fn request(&self, slot: u32) -> &Arc<ClientRequest> {
        self.requests.get(&slot).unwrap_or(&self.plain_request)
    }

    /// Unregisters the client that `connection` was, which was in these rooms, and reports its dropped messages first.
    pub(super) fn leave(
        &mut self,
        connection: &mut Connection,
        code: CloseCode,
        reason: LeaveReason,
        rooms: Vec<String>,
    ) {
        self.report_drops(connection);
        self.requests.remove(&connection.slot);
        let (client, peer) = (connection.client, connection.peer);
        let clients = self.shared.unregister(client);
        self.addresses.leave(peer.ip());
        let detail = Some(escape(&reason.to_string(), 200)).filter(|detail| !detail.is_empty());
        let detail = detail.map_or_else(String::new, |detail| format!(": {detail}"));
        tracing::info!("client {client} at {peer} left{detail} ({code}); {clients} connected");
        self.events.push_back(Event::ClientLeft { client, code, reason, rooms, clients });
    }

    /// Removes a socket that is not a client.
    pub(super) fn remove(&mut self, ip: IpAddr) {
        self.addresses.remove(ip);
    }

    /// Emits one event about all messages that were dropped for `connection` since the last one.
    pub(super) fn report_drops(&mut self, connection: &mut Connection) {
        let Some(drops) = &mut connection.drops else { return };
        let (client, messages) = (connection.client, std::mem::take(&mut drops.unreported));
        if messages > 0 {
            self.events.push_back(Event::MessagesDropped { client, messages });
        }
    }

    /// Queues an event that is not about a client.
    pub(super) fn push_event(&mut self, event: Event<'static>) {
        self.events.push_back(event);
    }

    /// Removes and returns the next event to emit.
    #[inline]
    pub(super) fn pop_event(&mut self) -> Option<Event<'static>> {
        self.events.pop_front()
    }

    /// Returns whether events wait to be emitted.
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn slot_of(&self, client: ClientId) -> Option<usize> {
        self.shared.slot(client)
    }
}
