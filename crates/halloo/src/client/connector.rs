//! Connecting to the server: lookup, dial and opening handshake, and the pauses between attempts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::close::CloseCode;
use halloo_proto::credential::Credential;
use halloo_proto::defaults::NEXT_ADDRESS_DELAY;
use halloo_proto::handshake::Handshake;
use halloo_proto::reconnect::{Backoff, Certainty, Ending, RetryLimit, is_final_code};
use halloo_proto::subprotocols::is_subprotocol;
use halloo_proto::text::escape;
use mio::Registry;

use super::authentication::Authentication;
use super::config::ClientConfig;
use super::connected_socket::ConnectedSocket;
use super::dial::Dial;
use super::failure::{Failure, Progress};
use super::lookup::{Lookup, LookupResult};
use super::mask_keys::MaskKeys;
use super::opening_handshake::{HandshakeResult, OpeningHandshake};
use super::route::Route;
use super::shared::Shared;
use crate::cancellable_thread::CancellableThread;
use crate::{ConnectError, Search, tls};

/// Connects to the server, again and again while there is no connection.
///
/// An attempt dials the known addresses and looks up others when those fail or are slow. It fails when there is no
/// address left to try; the next one follows after a pause.
pub(super) struct Connector {
    route: Route,
    tls: tls::Connector,
    authentication: Authentication,
    subprotocols: Vec<String>,
    search: Search,
    backoff: Backoff,
    phase: Phase,
    lookup: LookupState,
    /// When the lookup starts although known addresses are still being dialed.
    lookup_at: Time,
    last_token: usize,
    /// How certain it is that the server of the last connection is the target.
    certainty: Certainty,
}

#[derive(Debug)]
enum Phase {
    /// Between attempts, until the next one starts. [`Time::NEVER`] while there is a connection.
    Idle(Time),
    /// A lookup is running and there is no address left to dial. The known ones failed for this reason.
    LookingUp(Option<Failure>),
    Dialing(Dial),
    /// One address accepted. The others are kept in case it is not the server.
    Handshaking(Box<OpeningHandshake>, Dial),
}

/// Whether the current attempt looked the server up.
#[derive(Debug)]
enum LookupState {
    NotStarted,
    /// A lookup is running, and ends when this is dropped.
    Running {
        _thread: CancellableThread,
    },
    Done,
}

/// What a connector borrows from the client's thread for one step.
pub(super) struct ConnectTurn<'a> {
    pub(super) now: Time,
    pub(super) registry: &'a Registry,
    pub(super) mask_keys: &'a mut MaskKeys,
    /// A buffer for reading.
    pub(super) buffer: &'a mut [u8],
    /// Gets the result of a lookup.
    pub(super) shared: &'a Arc<Shared>,
}

/// The outcome of an attempt to connect.
#[derive(Debug)]
pub(super) enum ConnectOutcome {
    /// The opening handshake is complete. The server sent the bytes `early` right after it.
    Connected { socket: ConnectedSocket, early: Vec<u8>, url: String, subprotocol: Option<String> },
    /// The attempt failed and the next one follows.
    Failed { reason: String, retry_in: Duration },
    /// There will be no more attempts.
    GaveUp(Failure),
}

impl Connector {
    /// Returns a connector whose first attempt is due.
    pub(super) fn new(config: &ClientConfig) -> Result<Connector, ConnectError> {
        let route = Route::new(config)?;
        if let Some(name) = config.subprotocols.iter().find(|name| !is_subprotocol(name)) {
            return Err(ConnectError::Subprotocol { name: escape(name, 100) });
        }
        let token = config.token.as_ref().or(route.token());
        let single_attempt = RetryLimit { max_attempts: Some(1), max_elapsed: None };
        Ok(Connector {
            tls: tls::Connector::new(config.fingerprint.or(route.fingerprint()), config.setting_names),
            authentication: Authentication::new(token.cloned()),
            route,
            subprotocols: config.subprotocols.clone(),
            search: config.search.clone(),
            backoff: Backoff::new(if config.reconnect { config.retry_limit } else { single_attempt }, Time::ZERO),
            phase: Phase::Idle(Time::ZERO),
            lookup: LookupState::NotStarted,
            lookup_at: Time::ZERO,
            last_token: 0,
            certainty: Certainty::default(),
        })
    }

    /// Returns `true` if a handshake is in progress, so that the server may already count us as connected.
    pub(super) fn has_peer(&self) -> bool {
        matches!(self.phase, Phase::Handshaking(..))
    }

    /// Returns when [`Connector::handle_timeout`] is due. While the client is `paused`, no attempt starts.
    pub(super) fn poll_timeout(&self, paused: bool) -> Option<Time> {
        match &self.phase {
            Phase::Idle(until) => Some(*until).filter(|_| !paused),
            Phase::LookingUp(_) => None,
            Phase::Dialing(dial) => {
                let lookup_at = self.can_look_up().then_some(self.lookup_at);
                dial.poll_timeout().into_iter().chain(lookup_at).min()
            }
            Phase::Handshaking(handshake, _) if handshake.is_readable() => Some(Time::ZERO),
            Phase::Handshaking(handshake, _) => Some(handshake.deadline),
        }
    }

    /// Starts an attempt if it is due, and goes on with a dial or handshake.
    pub(super) fn handle_timeout(&mut self, paused: bool, turn: &mut ConnectTurn<'_>) -> Option<ConnectOutcome> {
        match &mut self.phase {
            Phase::Idle(until) if turn.now >= *until && !paused => self.start_attempt(turn),
            Phase::Idle(_) | Phase::LookingUp(_) => None,
            Phase::Dialing(_) => self.dial(turn),
            Phase::Handshaking(handshake, _) => {
                let result = match handshake.handle_timeout(turn.now) {
                    None if handshake.is_readable() => handshake.handle_ready(turn.buffer),
                    result => result,
                }?;
                self.handle_handshake(result, turn)
            }
        }
    }

    /// Handles readiness of the socket with this token.
    pub(super) fn handle_ready(&mut self, token: mio::Token, turn: &mut ConnectTurn<'_>) -> Option<ConnectOutcome> {
        match &mut self.phase {
            Phase::Dialing(dial) => {
                let socket = dial.handle_ready(token, turn.now)?;
                self.start_handshake(socket, turn)
            }
            Phase::Handshaking(handshake, _) if token == handshake.socket.token => {
                let result = handshake.handle_ready(turn.buffer)?;
                self.handle_handshake(result, turn)
            }
            Phase::Handshaking(..) | Phase::Idle(_) | Phase::LookingUp(_) => None,
        }
    }

    /// Uses the result of a lookup.
    pub(super) fn handle_lookup(&mut self, result: LookupResult, turn: &mut ConnectTurn<'_>) -> Option<ConnectOutcome> {
        self.lookup = LookupState::Done;
        match (result, &mut self.phase) {
            (Ok(location), Phase::LookingUp(_)) => {
                self.route.learn(&location);
                self.phase = Phase::Dialing(Dial::new(location.addresses, turn.now));
                None
            }
            (Ok(location), Phase::Dialing(dial) | Phase::Handshaking(_, dial)) => {
                self.route.learn(&location);
                dial.prefer(location.addresses, turn.now);
                None
            }
            (Err(reason), Phase::LookingUp(failure)) => {
                let failure = Failure::from(reason).or_further(failure.take());
                Some(self.fail(failure, turn))
            }
            // The known addresses may still respond, or one of them did.
            _ => None,
        }
    }

    /// Handles that a connection was closed with `code`. Returns whether that is final.
    pub(super) fn handle_closed(&mut self, code: CloseCode, now: Time) -> bool {
        let is_final =
            Certainty { is_stable: self.backoff.is_stable(now), ..self.certainty }.is_final(Ending::Closed(code));
        if is_final_code(code) && !is_final {
            self.route.forget_addresses();
        }
        is_final
    }

    /// Starts the pause after the end of a connection and returns its length, or `None` if there is no further attempt.
    pub(super) fn handle_disconnected(&mut self, retry: bool, now: Time, keys: &mut MaskKeys) -> Option<Duration> {
        let retry_in = if retry { self.backoff.handle_failure(now, keys.backoff_jitter()) } else { None };
        self.phase = Phase::Idle(retry_in.map_or(Time::NEVER, |pause| now + pause));
        retry_in
    }

    fn start_attempt(&mut self, turn: &mut ConnectTurn<'_>) -> Option<ConnectOutcome> {
        if matches!(self.lookup, LookupState::Done) {
            self.lookup = LookupState::NotStarted;
        }
        self.authentication.begin();
        self.route.begin();
        if self.route.known.is_empty() {
            return self.look_up(Failure::no_address(), turn);
        }
        self.lookup_at = turn.now + NEXT_ADDRESS_DELAY;
        self.phase = Phase::Dialing(Dial::new(self.route.known.iter().copied(), turn.now));
        self.dial(turn)
    }

    /// Waits for a lookup if it can lead to another address. Otherwise the attempt ends with `failure`.
    fn look_up(&mut self, failure: Failure, turn: &mut ConnectTurn<'_>) -> Option<ConnectOutcome> {
        if self.can_look_up()
            && let Err(error) = self.start_lookup(turn)
        {
            return Some(self.fail(error.into(), turn));
        }
        if !matches!(self.lookup, LookupState::Running { .. }) {
            return Some(self.fail(failure, turn));
        }
        self.phase = Phase::LookingUp(Some(failure));
        None
    }

    fn can_look_up(&self) -> bool {
        matches!(self.lookup, LookupState::NotStarted) && !matches!(self.route.lookup, Lookup::NotNeeded)
    }

    fn start_lookup(&mut self, turn: &ConnectTurn<'_>) -> Result<(), String> {
        let shared = Arc::clone(turn.shared);
        let _thread = self
            .route
            .lookup
            .spawn(&self.search, move |result| shared.deliver_lookup(result))
            .map_err(|error| format!("cannot start the lookup thread: {error}"))?;
        self.lookup = LookupState::Running { _thread };
        Ok(())
    }

    fn dial(&mut self, turn: &mut ConnectTurn<'_>) -> Option<ConnectOutcome> {
        let Phase::Dialing(dial) = &mut self.phase else { return None };
        let last_token = &mut self.last_token;
        dial.handle_timeout(turn.now, turn.registry, || {
            // Never reused, so that an event of a closed socket is not mistaken for one of the next.
            *last_token += 1;
            mio::Token(*last_token)
        });
        if !dial.is_exhausted() {
            // A server that moved may leave an address that neither accepts nor refuses connections.
            if turn.now >= self.lookup_at && self.can_look_up() {
                self.start_lookup(turn).unwrap_or_else(|error| tracing::debug!(error, "the lookup did not start"));
            }
            return None;
        }
        let dial = std::mem::replace(dial, Dial::new([], turn.now));
        self.look_up(dial.into_failure(), turn)
    }

    fn start_handshake(&mut self, mut socket: ConnectedSocket, turn: &mut ConnectTurn<'_>) -> Option<ConnectOutcome> {
        let nonces = turn.mask_keys.handshake_nonce().and_then(|key| Ok((key, turn.mask_keys.handshake_nonce()?)));
        let (key, nonce) = match nonces {
            Ok(nonces) => nonces,
            Err(error) => return Some(self.fail(format!("cannot get random numbers: {error}").into(), turn)),
        };
        let Phase::Dialing(dial) = self.leave_phase() else { return None };
        let url = self.route.url(socket.addr);
        if url.is_secure() {
            match self.tls.connect(url.host()) {
                Ok(session) => socket.stream.secure(session),
                Err(reason) => {
                    self.phase = Phase::Dialing(dial);
                    return self.reject(
                        format!("cannot connect to {url}: {reason}").into(),
                        self.route.is_fixed(),
                        turn,
                    );
                }
            }
        }
        let addr = socket.addr;
        let credential = self.authentication.credential(addr, url.is_secure(), self.route.challenge(), nonce);
        let handshake = Handshake::new(key).credential(credential).server(self.route.expected_at(addr));
        let handshake = handshake.subprotocols(self.subprotocols.clone());
        let mut handshake = Box::new(OpeningHandshake::new(socket, url, handshake, turn.now));
        let result = handshake.handle_ready(turn.buffer);
        self.phase = Phase::Handshaking(handshake, dial);
        self.handle_handshake(result?, turn)
    }

    fn handle_handshake(&mut self, result: HandshakeResult, turn: &mut ConnectTurn<'_>) -> Option<ConnectOutcome> {
        let Phase::Handshaking(handshake, mut dial) = self.leave_phase() else { return None };
        let (url, addr) = (handshake.url.to_string(), handshake.socket.addr);
        let connected = |reason| Failure::new(Progress::Connected, reason);
        let mut named_id = None;
        let (failure, ending) = match result {
            HandshakeResult::Accepted { early, has_named_id, subprotocol } => {
                tracing::debug!(url, has_named_id, "connected");
                if has_named_id {
                    self.route.handle_confirmed();
                }
                let is_proven = matches!(handshake.credential(), Some(Credential::Proof(..))) || self.tls.is_pinned();
                self.certainty = Certainty { is_proven: has_named_id || is_proven, ..self.certainty_at(addr, None) };
                self.backoff.handle_connected(turn.now);
                return Some(ConnectOutcome::Connected { socket: handshake.socket, early, url, subprotocol });
            }
            HandshakeResult::WrongServer(reason) => (
                Failure::new(Progress::Refused, format!("the server at {url} is not the right one: {reason}")),
                Ending::WrongServer,
            ),
            HandshakeResult::Refused(status, mut text, challenge) => {
                let credential = handshake.credential();
                named_id = challenge.as_ref().map(|(challenge, _)| challenge.id.clone());
                if status == 401 && challenge.is_none() && matches!(credential, Some(Credential::AwaitChallenge)) {
                    text.push_str("; it does not support proofs of the token, which is only sent by TLS (wss://)");
                }
                if status == 401 && self.authentication.handle_unauthorized(addr, credential, challenge) {
                    dial.prefer(vec![addr], turn.now);
                    self.phase = Phase::Dialing(dial);
                    return self.dial(turn);
                }
                let reason = format!("the server at {url} refused ({status}): {text}");
                (Failure::refused(status, reason), Ending::Refused(status))
            }
            HandshakeResult::NotWebSocket(reason) => {
                (connected(format!("no WebSocket server at {url}: {reason}")), Ending::NotWebSocket)
            }
            HandshakeResult::NotTrusted(reason) => (
                connected(format!("cannot connect to {url}: {reason}{}", self.route.tls_advice())),
                Ending::NotTrusted { is_pinned: self.tls.is_pinned() },
            ),
            HandshakeResult::NoTls(reason) => (
                connected(format!("cannot connect to {url}: {reason}{}", self.route.tls_advice())),
                Ending::NotWebSocket,
            ),
            HandshakeResult::Lost(reason) => {
                (connected(format!("cannot connect to {url}: {reason}{}", self.route.tls_advice())), Ending::Lost)
            }
        };
        let certainty = self.certainty_at(addr, named_id.as_deref());
        let is_final = Certainty { has_others: !dial.is_exhausted(), ..certainty }.is_final(ending);
        self.phase = Phase::Dialing(dial);
        self.reject(failure, is_final, turn)
    }

    /// Gives up if no other address can be the server's. Otherwise dials those, and then looks the server up: another
    /// program may use an address that the server had.
    fn reject(&mut self, failure: Failure, is_final: bool, turn: &mut ConnectTurn<'_>) -> Option<ConnectOutcome> {
        if is_final {
            return Some(ConnectOutcome::GaveUp(failure));
        }
        if let Phase::Dialing(dial) = &mut self.phase {
            dial.record_failure(failure);
        }
        self.dial(turn)
    }

    /// Ends the attempt, and starts the pause before the next one unless the retry limit is reached.
    fn fail(&mut self, failure: Failure, turn: &mut ConnectTurn<'_>) -> ConnectOutcome {
        tracing::debug!(reason = failure.reason, "the attempt to connect failed");
        match self.backoff.handle_failure(turn.now, turn.mask_keys.backoff_jitter()) {
            None => ConnectOutcome::GaveUp(failure),
            Some(retry_in) => {
                self.phase = Phase::Idle(turn.now + retry_in);
                ConnectOutcome::Failed { reason: failure.reason, retry_in }
            }
        }
    }

    /// Returns how certain it is that the peer at `addr`, which has named this id if any, is the target.
    fn certainty_at(&self, addr: SocketAddr, named_id: Option<&str>) -> Certainty {
        let (is_given, is_found) = (self.route.is_fixed(), self.route.is_confirmed_at(addr, named_id));
        Certainty { is_given, is_found, ..Certainty::default() }
    }

    fn leave_phase(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Idle(Time::NEVER))
    }
}
