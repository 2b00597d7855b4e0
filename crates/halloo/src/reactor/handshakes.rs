//! What a request head leads to: a client, an HTTP response, TLS, or a refusal.

use std::io;
use std::net::SocketAddr;

use halloo_proto::Time;
use halloo_proto::access::{AccessRules, Denied, is_host_setting, is_origin_setting};
use halloo_proto::authenticator::{Authenticator, Challenger};
use halloo_proto::client_request::ClientRequest;
use halloo_proto::connection_key::ConnectionKey;
use halloo_proto::extensions::DeflateOffer;
use halloo_proto::http::respond;
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::text::escape;
use halloo_proto::upgrade::{Decision, Refusal, RequestContext, read_head};

use super::connection::Connection;
use super::http_request::HttpRequest;
use super::local_names::LocalNames;
use super::unmet_subprotocols::UnmetSubprotocols;
use crate::tls::Acceptor;
use crate::{Config, Fingerprint};

/// The first byte of TLS: a handshake record (RFC 8446 section 5.1).
const TLS: u8 = 0x16;
/// The content type of responses that are sentences.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// Maximum length of a logged refusal in bytes: room for two names of maximum length, so that advice is not cut.
const MAX_LOGGED_BYTES: usize = 1200;

/// Decides about request heads.
pub(super) struct Handshakes {
    pub(super) access: AccessRules,
    limits: HandshakeLimits,
    compression: bool,
    /// Whether the application publishes files.
    pub(super) has_files: bool,
    /// Present when TLS is possible.
    tls: Option<Acceptor>,
    requires_tls: bool,
    authenticator: Authenticator,
    pub(super) local_names: LocalNames,
    subprotocols: Vec<String>,
    unmet_subprotocols: UnmetSubprotocols,
}

/// What a request head leads to.
pub(super) enum HeadOutcome {
    /// The head is not complete, and was kept.
    Incomplete,
    /// The connection uses TLS from now on.
    Tls(io::Result<()>),
    /// A WebSocket: send `response`; frames follow `head` bytes into the input.
    Accept {
        head: usize,
        response: Vec<u8>,
        deflate: Option<DeflateOffer>,
        key: Option<ConnectionKey>,
        request: Box<ClientRequest>,
    },
    /// An HTTP request that passed the access rules, and takes `head` bytes of the input.
    Http { head: usize, request: HttpRequest },
    /// Send this response and close.
    Reply(Vec<u8>),
}

impl Handshakes {
    pub(super) fn new(config: &Config, challenger: Challenger) -> Handshakes {
        warn_about_entries(&config.access);
        let (mut access, local_names) = (config.access.clone(), LocalNames::new(config));
        access.local_names = local_names.list();
        let tls = Acceptor::from_config(config);
        if let Some(tls) = &tls {
            tls.set_local_names(&access.local_names);
        }
        Handshakes {
            access,
            local_names,
            limits: config.handshakes,
            compression: config.compression,
            has_files: config.www.is_some(),
            requires_tls: config.requires_tls(),
            tls,
            authenticator: Authenticator::new(challenger),
            subprotocols: config.subprotocols.clone(),
            unmet_subprotocols: UnmetSubprotocols::new(config.access.setting_names),
        }
    }

    /// Returns whether the pending `connection` may use TLS, but its handshake is not complete.
    pub(super) fn awaits_tls(&self, connection: &Connection) -> bool {
        if self.tls.is_none() || connection.has_partial_head() {
            return false;
        }
        match connection.stream.is_secure() {
            true => connection.stream.is_handshaking(),
            // A flood of TLS handshakes does not delay those who use no TLS.
            false => connection.stream.peek_byte().is_none_or(|first| first == TLS),
        }
    }

    pub(super) fn offers_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(super) fn requires_tls(&self) -> bool {
        self.requires_tls
    }

    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        self.tls.as_ref().and_then(Acceptor::fingerprint)
    }

    /// Decides about the head of the pending `connection`, of which `bytes` arrived.
    pub(super) fn handle_head(&mut self, connection: &mut Connection, bytes: &[u8], now: Time) -> HeadOutcome {
        if let Some(names) = self.local_names.poll_change() {
            if let Some(tls) = &self.tls {
                tls.set_local_names(&names);
            }
            self.access.local_names = names;
        }
        let peer = connection.peer;
        let is_plain = !connection.stream.is_secure();
        if let Some(tls) = self.tls.as_ref().filter(|_| is_plain && bytes.first() == Some(&TLS)) {
            return HeadOutcome::Tls(begin_tls(tls, connection, bytes));
        }
        let lacks_tls = self.requires_tls && is_plain;
        let context =
            RequestContext { ip: peer.ip(), now, has_files: self.has_files, subprotocols: &self.subprotocols };
        // Where TLS is missing, a right token is not let in, so that a wrong one does not count either.
        let without_token = lacks_tls.then(|| {
            let mut access = self.access.clone();
            access.token = None;
            access
        });
        let access = without_token.as_ref().unwrap_or(&self.access);
        match read_head(bytes, context, access, &self.limits, &mut self.authenticator) {
            decision if lacks_tls && needs_tls(&decision) => {
                tracing::warn!("{peer} was refused: {}", Refusal::TlsRequired);
                HeadOutcome::Reply(respond(400, TEXT, &[], format!("{}\n", Refusal::TlsRequired).as_bytes(), false))
            }
            Decision::Incomplete => {
                if let Some(pending) = connection.pending() {
                    pending.head = bytes.to_vec();
                }
                HeadOutcome::Incomplete
            }
            Decision::Refuse { reason, response } => {
                self.log_refusal(peer, &reason);
                HeadOutcome::Reply(response)
            }
            Decision::Options { response, .. } => HeadOutcome::Reply(response),
            Decision::Respond { head, route, head_only, origin, proof, query, file, after } => {
                let request = HttpRequest { route, head_only, origin, proof, query, waits: None, file, after };
                HeadOutcome::Http { head, request }
            }
            Decision::Accept { head, response, deflate, key, request } => {
                self.unmet_subprotocols.handle_request(&request, peer);
                HeadOutcome::Accept { head, response, deflate: deflate.filter(|_| self.compression), key, request }
            }
        }
    }

    fn log_refusal(&self, peer: SocketAddr, reason: &Refusal) {
        let text = escape(&reason.describe(self.access.setting_names), MAX_LOGGED_BYTES);
        match reason {
            // The guesses before it were logged as warnings, and a client with a stale proof tries again at once.
            Refusal::Denied(Denied::TooManyWrongTokens | Denied::StaleProof) => {
                tracing::debug!("{peer} was refused: {text}")
            }
            _ => tracing::warn!("{peer} was refused: {text}"),
        }
    }
}

/// Warns about settings that a program filled with values that match nothing.
fn warn_about_entries(access: &AccessRules) {
    let names = access.setting_names;
    for entry in access.allowed_origins.iter().filter(|entry| !is_origin_setting(entry)) {
        let (entry, setting) = (escape(entry, 100), names.name("allowed_origins"));
        tracing::warn!("{entry:?} in {setting} matches no origin; write it like https://example.org or http://*:5173");
    }
    for entry in access.allowed_hosts.iter().filter(|entry| !is_host_setting(entry)) {
        let (entry, setting) = (escape(entry, 100), names.name("allowed_hosts"));
        tracing::warn!("{entry:?} in {setting} matches no host; write a name without a scheme and a port");
    }
}

/// Returns whether a server with TLS refuses a request without TLS: all except those to routes that allow it.
fn needs_tls(decision: &Decision) -> bool {
    match decision {
        Decision::Incomplete => false,
        Decision::Respond { route, .. } | Decision::Options { route, .. } => !route.allowed_without_tls,
        Decision::Accept { .. } | Decision::Refuse { .. } => true,
    }
}

/// Starts TLS on a connection. `bytes` are the first ones that were read.
fn begin_tls(tls: &Acceptor, connection: &mut Connection, bytes: &[u8]) -> io::Result<()> {
    connection.stream.secure(tls.accept(bytes)?);
    connection.stream.handle_writable()
}
