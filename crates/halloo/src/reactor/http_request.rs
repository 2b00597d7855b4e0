//! An HTTP request that is not a WebSocket handshake.

use halloo_proto::connection_key::ConnectionQuery;
use halloo_proto::routes::Route;

use super::keyed_connections::Waits;

/// An HTTP request that passed the access rules.
#[derive(Debug)]
pub(super) struct HttpRequest {
    pub(super) route: &'static Route,
    pub(super) head_only: bool,
    /// The origin whose pages may read the response.
    pub(super) origin: Option<String>,
    /// The proof that this server knows the token, if the client sent one.
    pub(super) proof: Option<String>,
    /// What is asked about a connection, if the route is about one.
    pub(super) query: Option<ConnectionQuery>,
    /// What the response waits for.
    pub(super) waits: Option<Waits>,
}
