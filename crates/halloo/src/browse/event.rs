//! Events of a browser.

use super::server_info::ServerInfo;
use crate::event_queue::Weigh;

/// A change on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrowserEvent {
    /// A server was found.
    Found(ServerInfo),
    /// A known server changed: its name, its number of clients, or an address.
    Updated(ServerInfo),
    /// A server stopped, restarted, or no longer answers.
    Lost(ServerInfo),
}

impl Weigh for BrowserEvent {}

impl BrowserEvent {
    /// Returns the server that it is about.
    pub fn server(&self) -> &ServerInfo {
        match self {
            BrowserEvent::Found(server) | BrowserEvent::Updated(server) | BrowserEvent::Lost(server) => server,
        }
    }
}
