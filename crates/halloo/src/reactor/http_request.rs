//! An HTTP request that is not a WebSocket handshake.

use halloo_proto::routes::Route;

/// An HTTP request that passed the access rules.
#[derive(Debug)]
pub(super) struct HttpRequest {
    pub(super) route: &'static Route,
    pub(super) head_only: bool,
    /// The origin whose pages may read the response.
    pub(super) origin: Option<String>,
    /// The proof that this server knows the token, if the client sent one.
    pub(super) proof: Option<String>,
}
