//! HTTP responses: a few in each turn, in the order of their requests, and files in slices, so that neither a flood of
//! requests nor a long download delays the clients.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use halloo_proto::connection_key::ConnectionQuery;
use halloo_proto::defaults::{TURN_FILE_SLICES, TURN_RESPONSES};
use halloo_proto::http::{After, respond, respond_and};
use halloo_proto::pad_layout::PadLayout;
use halloo_proto::proof::PROOF_HEADER;
use halloo_proto::routes::{PAD, Resource};
use halloo_proto::upgrade::cross_origin;

use super::command_queue::CommandQueue;
use super::connection::Connection;
use super::connections::Connections;
use super::egress::Egress;
use super::file_reader::{FileReaders, Job, JobResult, Work};
use super::handshakes::TEXT;
use super::http_request::HttpRequest;
use super::transfer::Transfer;
use crate::assets;
use crate::discovery::Discovery;
use crate::files::{Answer, Files};
use crate::pad::PadPages;
use crate::page::page;
use crate::{Config, LeaveReason, Status};

/// The connections that wait for an HTTP response, or for more of one, and the pages that follow from the settings.
#[derive(Debug)]
pub(super) struct Http {
    published: Option<Published>,
    readers: FileReaders,
    /// Connections with a request.
    requests: VecDeque<usize>,
    /// Connections with a request that waits for a sign of life of another connection.
    probing: Vec<usize>,
    /// Connections whose socket has accepted all that was read of their response.
    drained: VecDeque<usize>,
    /// Whether the disk may have read more than was sent.
    has_results: bool,
    last_ticket: u64,
    handshake_timeout: Duration,
    /// Connections that are to be read again.
    finished: Vec<usize>,
    pad: PadPages,
}

/// The files of the application.
#[derive(Debug)]
struct Published {
    files: Arc<Files>,
    /// The number of the thread that reads them; `None` if they are in memory.
    reader: Option<usize>,
}

impl Http {
    /// Starts the thread that reads files, if there are any on a disk; it wakes the reactor through `commands`.
    pub(super) fn start(config: &Config, commands: &Arc<CommandQueue>) -> io::Result<Http> {
        let mut http = Http {
            published: None,
            readers: FileReaders::new(Arc::clone(commands)),
            requests: VecDeque::new(),
            probing: Vec::new(),
            drained: VecDeque::new(),
            has_results: false,
            last_ticket: 0,
            handshake_timeout: config.handshakes.timeout,
            finished: Vec::new(),
            pad: PadPages::new(config),
        };
        http.set_files(config.www.clone())?;
        Ok(http)
    }

    /// Replaces the files. A response that has begun is continued with the file that it began with.
    pub(super) fn set_files(&mut self, files: Option<Files>) -> io::Result<()> {
        let may_block = files.as_ref().is_some_and(Files::may_block);
        let reader = if may_block { Some(self.readers.start()?) } else { None };
        self.published = files.map(|files| Published { files: Arc::new(files), reader });
        Ok(())
    }

    /// Replaces the layout of the pad at `/`; with `None`, the pad is not there.
    pub(super) fn set_pad(&mut self, layout: Option<&PadLayout>) {
        self.pad.set_layout(layout);
    }

    /// Queues the request of the pending connection in `slot`. The bytes `behind` it belong to the next one.
    pub(super) fn push(&mut self, slot: usize, request: HttpRequest, behind: &[u8], connections: &mut Connections) {
        if let Some(pending) = connections.table.get_mut(slot).and_then(|connection| connection.pending()) {
            pending.accept(request, behind);
            self.requests.push_back(slot);
        }
    }

    /// Moves the requests on that have waited long enough.
    fn resume_probing(&mut self, connections: &mut Connections) {
        let (requests, keyed) = (&mut self.requests, &connections.egress.keyed);
        self.probing.retain(|&slot| {
            let pending = connections.table.get_mut(slot).and_then(|connection| connection.pending());
            // The peer may be gone and its slot in use again.
            let request = pending.and_then(|pending| pending.request.as_ref());
            let Some(waits) = request.and_then(|request| request.waits.as_ref()) else { return false };
            let waits = keyed.is_waiting(waits);
            if !waits {
                requests.push_back(slot);
            }
            waits
        });
    }

    /// Returns whether responses can be sent or continued.
    pub(super) fn is_waiting(&self) -> bool {
        !self.requests.is_empty() || !self.drained.is_empty() || self.has_results
    }

    /// Sends the responses, and the slices of files, whose turn it is. Returns the slots that are to be read again, because
    /// their response is complete.
    pub(super) fn respond_to_some(&mut self, connections: &mut Connections, discovery: &Discovery) -> Vec<usize> {
        self.resume_probing(connections);
        let mut responded = 0;
        while responded < TURN_RESPONSES
            && let Some(slot) = self.requests.pop_front()
        {
            // The peer may be gone and its slot in use again, which costs nothing.
            let pending = connections.table.get_mut(slot).and_then(|connection| connection.pending());
            let Some(mut request) = pending.and_then(|pending| pending.request.take()) else { continue };
            if must_wait(&mut request, connections) {
                self.wait(slot, request, connections);
                continue;
            }
            self.respond(slot, request, connections, discovery);
            responded += 1;
        }
        self.send_slices(connections);
        std::mem::take(&mut self.finished)
    }

    /// Keeps a request that waits for a sign of life. Those behind it on the same connection wait, too.
    fn wait(&mut self, slot: usize, request: HttpRequest, connections: &mut Connections) {
        self.probing.push(slot);
        connections.with(slot, |egress, connection| {
            if let Some(pending) = connection.pending() {
                pending.request = Some(request);
            }
            // On a kept connection, the timer may still be that of the wait for this request.
            egress.schedule(connection);
        });
    }

    fn respond(&mut self, slot: usize, request: HttpRequest, connections: &mut Connections, discovery: &Discovery) {
        // There may be no files any more, if they were replaced since the request arrived.
        if request.file.is_some()
            && let Some(Published { files, reader }) = &self.published
        {
            let (files, reader) = (Arc::clone(files), *reader);
            self.start_transfer(slot, request.after, reader, connections);
            return self.execute(slot, Work::Open(request, files), connections);
        }
        let response = render(&request, &self.pad, connections, discovery);
        match request.after {
            After::Close => self.close(slot, &response, connections),
            After::KeepAlive => {
                self.start_transfer(slot, request.after, None, connections);
                self.send(slot, &response, connections);
            }
        }
    }

    fn start_transfer(&mut self, slot: usize, after: After, reader: Option<usize>, connections: &mut Connections) {
        self.last_ticket += 1;
        if let Some(pending) = connections.table.get_mut(slot).and_then(|connection| connection.pending()) {
            pending.transfer = Some(Transfer::new(self.last_ticket, after, reader));
        }
    }

    /// Reads the next bytes of a response: those in memory at once.
    fn execute(&mut self, slot: usize, work: Work, connections: &mut Connections) {
        let now = connections.now();
        let Some(transfer) = transfer(slot, connections) else { return };
        let Some(reader) = transfer.reader else {
            return self.handle_read(slot, work.execute(), connections);
        };
        let (ticket, is_first) = (transfer.ticket, matches!(work, Work::Open(..)));
        let is_queued = self.readers.submit(Job { reader, slot, ticket, work });
        transfer.await_disk(now);
        if is_queued {
            connections.with(slot, Egress::schedule);
        } else if is_first {
            let text = b"too many files are being read; try again in a few seconds\n";
            self.close(slot, &respond(503, TEXT, &[("Retry-After", "5")], text, false), connections);
        } else {
            drop_with_warning(slot, "too many files are being read", connections);
        }
    }

    /// Sends what the disk has read, and reads more for the sockets that have accepted all of it.
    fn send_slices(&mut self, connections: &mut Connections) {
        let mut results = 0;
        while results < TURN_FILE_SLICES
            && let Some(JobResult { slot, ticket, outcome, .. }) = self.readers.poll()
        {
            results += 1;
            // The peer may be gone and its slot in use again.
            if transfer(slot, connections).is_some_and(|transfer| transfer.ticket == ticket) {
                self.handle_read(slot, outcome, connections);
            }
        }
        self.has_results = results == TURN_FILE_SLICES;
        self.drained.extend(connections.egress.drained.drain(..).map(|slot| slot as usize));
        // Those that are added meanwhile have to wait for the next turn.
        for _ in 0..self.drained.len().min(TURN_FILE_SLICES) {
            if let Some(slot) = self.drained.pop_front() {
                self.advance(slot, connections);
            }
        }
    }

    fn handle_read(&mut self, slot: usize, outcome: io::Result<Answer>, connections: &mut Connections) {
        let Some(transfer) = transfer(slot, connections) else { return };
        match outcome {
            Ok(answer) => {
                transfer.handle_read(answer.rest);
                self.send(slot, &answer.bytes, connections);
            }
            Err(error) => drop_with_warning(slot, &error.to_string(), connections),
        }
    }

    /// Sends the next bytes of a response whose earlier ones were accepted.
    fn send(&mut self, slot: usize, bytes: &[u8], connections: &mut Connections) {
        connections.with(slot, |egress, connection| egress.send_response(connection, bytes));
        let Some(transfer) = transfer(slot, connections) else { return };
        if transfer.rest.is_none() {
            return self.advance(slot, connections);
        }
        self.drained.push_back(slot);
    }

    /// Continues a response, unless the disk or the socket has to go first.
    fn advance(&mut self, slot: usize, connections: &mut Connections) {
        if connections.table.get(slot).is_none_or(Connection::is_blocked) {
            return;
        }
        let Some(transfer) = transfer(slot, connections).filter(|transfer| !transfer.awaits_disk()) else { return };
        let after = transfer.after;
        match transfer.rest.take() {
            Some(rest) => self.execute(slot, Work::Read(rest), connections),
            None if after == After::Close => self.close(slot, &[], connections),
            None => {
                let now = connections.now();
                connections.with(slot, |egress, connection| {
                    if let Some(pending) = connection.pending() {
                        pending.await_next(now, now + self.handshake_timeout);
                    }
                    egress.schedule(connection);
                });
                self.finished.push(slot);
            }
        }
    }

    /// Sends the last bytes of a response and closes.
    fn close(&mut self, slot: usize, bytes: &[u8], connections: &mut Connections) {
        connections.with(slot, |egress, connection| egress.respond_and_close(connection, bytes));
        self.finished.push(slot);
    }
}

/// Returns the response that is being sent to the connection in `slot`.
fn transfer(slot: usize, connections: &mut Connections) -> Option<&mut Transfer> {
    connections.table.get_mut(slot)?.pending()?.transfer.as_mut()
}

/// Closes the connection in `slot`, which is the only way to say that a response is not complete.
fn drop_with_warning(slot: usize, reason: &str, connections: &mut Connections) {
    connections.with(slot, |egress, connection| {
        tracing::warn!("a file for {} was not sent completely: {reason}", connection.peer);
        egress.drop(connection, LeaveReason::Lost(reason.to_owned()));
    });
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
    status.extras.rooms = connections.egress.rooms.statuses();
    status
}

fn render(request: &HttpRequest, pad: &PadPages, connections: &mut Connections, discovery: &Discovery) -> Vec<u8> {
    let HttpRequest { route, head_only, origin, proof, query, after, .. } = request;
    let root = pad.root().filter(|_| route.path == "/");
    let mut headers = root.map_or(route.headers, |_| PAD.headers).to_vec();
    let (status, body) = match route.resource {
        Resource::Page => (200, root.map_or_else(|| page(route.path).into(), Into::into)),
        Resource::Pad => (200, pad.page().into()),
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
    if let Some(origin) = origin.as_deref().filter(|_| route.is_readable_across_origins()) {
        // Only an origin that passed the access rules may read the response.
        headers.extend(cross_origin(origin));
        headers.push(("Access-Control-Expose-Headers", PROOF_HEADER));
    }
    headers.extend(proof.as_deref().map(|proof| (PROOF_HEADER, proof)));
    headers.push(("Cache-Control", route.cache_control));
    respond_and(*after, status, route.content_type, &headers, &body, *head_only)
}
