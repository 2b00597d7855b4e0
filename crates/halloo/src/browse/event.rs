//! The events of a browser.

use super::server_info::ServerInfo;
use crate::event_queue::PayloadSize;

/// An event of a [`Browser`](crate::Browser).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrowserEvent {
    /// A server was found.
    Found(ServerInfo),
    /// A known server changed: its name, its number of clients, or an address.
    Updated(ServerInfo),
    /// A server stopped, restarted, or no longer responds.
    Lost(ServerInfo),
}

impl PayloadSize for BrowserEvent {}

impl BrowserEvent {
    /// Returns the server that was found, updated or lost.
    pub fn server(&self) -> &ServerInfo {
        match self {
            BrowserEvent::Found(server) | BrowserEvent::Updated(server) | BrowserEvent::Lost(server) => server,
        }
    }
}
