//! An HTTP request that is not a WebSocket handshake.

use std::io;

use halloo_proto::connection_key::ConnectionQuery;
use halloo_proto::files::FileRequest;
use halloo_proto::http::After;
use halloo_proto::routes::Route;

use super::keyed_connections::Waits;
use crate::files::{Answer, Files};

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
    /// What is requested of a file, if the route leads to one.
    pub(super) file: Option<Box<FileRequest>>,
    /// Whether the connection stays open.
    pub(super) after: After,
}

impl HttpRequest {
    /// Returns the beginning of the response with a file; it is empty if the route leads to none.
    pub(super) fn answer(&self, files: &Files) -> io::Result<Answer> {
        let Some(file) = &self.file else { return Ok(Answer { bytes: Vec::new(), rest: None }) };
        files.answer(file, self.origin.as_deref(), self.after)
    }
}
