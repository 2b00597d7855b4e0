//! The client's one thread: it finds the server, connects, reads and writes, and comes back when the connection ends.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use halloo_proto::Time;
use halloo_proto::close::CloseCode;
use halloo_proto::connection::ConnectionConfig;
use halloo_proto::defaults::{CLOSE_TIMEOUT, NEXT_ADDRESS_DELAY, STOP_TIMEOUT, TURN_BYTES, WRITE_TIMEOUT};
use halloo_proto::frame::{MAX_CONTROL, MAX_HEADER, Role};
use halloo_proto::read_pauses::ReadPauses;
use halloo_proto::reconnect::{Backoff, RetryLimit, is_final_code, is_final_status};
use halloo_proto::text::escape;
use mio::{Events, Poll, Token, Waker};

use super::connection::{Connection, Ended, Turn};
use super::dial::{Dial, Reached};
use super::greeting::{Greeted, Greeting};
use super::keys::Keys;
use super::line::Line;
use super::locate::{self, Found, Lookup};
use super::target::Route;
use super::{ClientConfig, ClientEvent};
use crate::ConnectError;
use crate::event_queue::EventQueue;
use crate::tls::Connector;

const WAKER: Token = Token(usize::MAX);

/// How the client ends.
#[derive(Debug)]
pub(super) enum End {
    /// As the application wanted.
    Closed,
    /// There is no sense or no retry_limit to try on; this is why.
    GaveUp(String),
}

/// Everything the client's thread owns.
pub(super) struct Driver {
    poll: Poll,
    line: Arc<Line>,
    queue: Arc<EventQueue<VecDeque<ClientEvent>>>,
    config: ClientConfig,
    /// The part of `config` that the core's state machine needs.
    rules: ConnectionConfig,
    route: Route,
    connector: Connector,
    epoch: Instant,
    now: Time,
    pauses: ReadPauses,
    backoff: Backoff,
    keys: Keys,
    stage: Stage,
    looking: Looking,
    /// When to look for the server although its known addresses are not given up yet.
    look_at: Time,
    tokens: usize,
    buffer: Vec<u8>,
    /// Events on their way to the queue.
    events: VecDeque<ClientEvent>,
    /// Close once all is sent.
    closing: Option<(CloseCode, String)>,
    /// End at this moment at the latest.
    stopping: Option<Time>,
}

/// Whether this round has looked for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looking {
    NotYet,
    /// Somebody does.
    Now,
    Done,
}

/// How far it has come.
#[derive(Debug)]
enum Stage {
    /// Until the next attempt.
    Pausing(Time),
    /// Somebody looks for the server's addresses.
    Locating,
    Dialing(Dial),
    /// One address answered; the others are kept in case it is wrong.
    Greeting(Box<Greeting>, Dial),
    Open(Box<Connection>),
}

impl Driver {
    pub(super) fn new(
        config: ClientConfig,
        queue: Arc<EventQueue<VecDeque<ClientEvent>>>,
    ) -> Result<(Driver, Arc<Line>), ConnectError> {
        let route = Route::new(config.target.clone(), config.fingerprint.is_some())?;
        let connector = Connector::new(config.fingerprint.or(route.fingerprint()));
        let poll = Poll::new().map_err(ConnectError::system("create the poll of the client"))?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(ConnectError::system("create the waker"))?;
        let line = Arc::new(Line::new(waker, config.outbox));
        let retry_limit =
            if config.reconnect { config.retry_limit } else { RetryLimit { max_attempts: Some(1), max_elapsed: None } };
        let rules = ConnectionConfig {
            role: Role::Client,
            messages: config.messages,
            heartbeat: config.heartbeat,
            write_timeout: WRITE_TIMEOUT,
            close_timeout: CLOSE_TIMEOUT,
        };
        let driver = Driver {
            poll,
            rules,
            line: Arc::clone(&line),
            queue,
            config,
            route,
            connector,
            epoch: Instant::now(),
            now: Time::ZERO,
            pauses: ReadPauses::default(),
            backoff: Backoff::new(retry_limit, Time::ZERO),
            keys: Keys::new(),
            stage: Stage::Pausing(Time::ZERO),
            looking: Looking::NotYet,
            look_at: Time::ZERO,
            tokens: 0,
            buffer: vec![0; TURN_BYTES + MAX_HEADER + MAX_CONTROL],
            events: VecDeque::new(),
            closing: None,
            stopping: None,
        };
        Ok((driver, line))
    }

    /// Runs until it is closed or gives up.
    pub(super) fn run(&mut self) -> End {
        let mut ready = Events::with_capacity(16);
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut ready, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return End::GaveUp(format!("cannot wait for the network: {error}"));
                }
                _ => {}
            }
            self.now = Time::ZERO + self.epoch.elapsed();
            self.pauses.handle_turn(self.now, timeout, self.config.heartbeat);
            let outcome = self.turn(&ready);
            self.publish();
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    fn turn(&mut self, ready: &Events) -> Result<(), End> {
        self.obey()?;
        for event in ready.iter().filter(|event| event.token() != WAKER) {
            self.handle_ready(event)?;
        }
        self.handle_timeout()?;
        self.read_and_write()?;
        let nothing_left = self.closing.is_some() && !self.line.has_messages();
        if (nothing_left || self.stopping.is_some()) && !self.has_company() {
            return Err(End::Closed);
        }
        if self.stopping.is_some_and(|end| self.now >= end) { Err(End::Closed) } else { Ok(()) }
    }

    /// Whether there is a server to say goodbye to. In the middle of the handshake it may take us for its client already.
    fn has_company(&self) -> bool {
        matches!(self.stage, Stage::Greeting(..) | Stage::Open(_))
    }

    /// Hands the events so far to the application; when its queue is full now, reading pauses.
    fn publish(&mut self) {
        if self.stopping.is_some() {
            // Nobody is there to take them.
            return self.events.clear();
        }
        if !self.pauses.is_paused() {
            self.events.extend(self.line.take_dropped());
        }
        if !self.events.is_empty() && self.queue.push(&mut self.events) {
            self.pauses.pause();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let next = match &self.stage {
            Stage::Pausing(until) => Some(*until).filter(|_| !self.pauses.is_paused()),
            Stage::Locating => None,
            Stage::Dialing(dial) => {
                dial.next_timeout().into_iter().chain(self.may_look().then_some(self.look_at)).min()
            }
            Stage::Greeting(greeting, _) => Some(greeting.deadline),
            Stage::Open(connection) => {
                let more = connection.takes_messages() && self.line.has_messages();
                if more || (connection.is_readable() && !self.pauses.is_paused()) {
                    return Some(Duration::ZERO);
                }
                connection.next_timeout(&self.rules, &self.pauses)
            }
        };
        let next = next.into_iter().chain(self.stopping).min()?;
        // A little later than due, so that the clock has passed it.
        Some(next - (Time::ZERO + self.epoch.elapsed()) + Duration::from_micros(500))
    }

    fn obey(&mut self) -> Result<(), End> {
        let orders = self.line.take_orders();
        if orders.resume {
            self.resume();
        }
        if orders.close.is_some() {
            self.closing = orders.close;
        }
        if orders.stop {
            if !self.has_company() {
                return Err(End::Closed);
            }
            self.closing.get_or_insert((CloseCode::GoingAway, String::new()));
            // Nobody waits for what is not sent yet.
            self.line.drop_waiting();
            self.stopping = Some(self.now + STOP_TIMEOUT);
            self.resume();
        }
        match orders.located {
            Some(located) => self.handle_located(located),
            None => Ok(()),
        }
    }

    fn handle_located(&mut self, located: Result<Found, String>) -> Result<(), End> {
        self.looking = Looking::Done;
        match (located, &mut self.stage) {
            (Ok(found), Stage::Locating) => {
                self.route.learn(&found);
                self.stage = Stage::Dialing(Dial::new(found.addresses, self.now));
                Ok(())
            }
            (Ok(found), Stage::Dialing(dial) | Stage::Greeting(_, dial)) => {
                self.route.learn(&found);
                dial.prefer(found.addresses, self.now);
                Ok(())
            }
            (Err(reason), Stage::Locating) => self.failed(reason),
            // The known addresses may still answer, or one has.
            _ => Ok(()),
        }
    }

    fn resume(&mut self) {
        self.pauses.resume();
    }

    fn handle_ready(&mut self, event: &mio::event::Event) -> Result<(), End> {
        match &mut self.stage {
            Stage::Pausing(_) | Stage::Locating => Ok(()),
            Stage::Dialing(dial) => match dial.handle_ready(event.token(), self.now) {
                Some(reached) => self.greet(reached),
                None => Ok(()),
            },
            Stage::Greeting(greeting, _) if event.token() == greeting.reached.token => {
                match greeting.handle_ready(&mut self.buffer) {
                    Some(greeted) => self.greeted(greeted),
                    None => Ok(()),
                }
            }
            Stage::Greeting(..) => Ok(()),
            Stage::Open(connection) => {
                let outcome = connection.handle_ready(event, self.now);
                outcome.or_else(|ended| self.ended(ended))
            }
        }
    }

    fn handle_timeout(&mut self) -> Result<(), End> {
        match &mut self.stage {
            Stage::Pausing(until) if self.now >= *until && !self.pauses.is_paused() => {
                if self.looking == Looking::Done {
                    self.looking = Looking::NotYet;
                }
                if self.route.known.is_empty() {
                    return self.locate("the server has no address".into());
                }
                self.look_at = self.now + NEXT_ADDRESS_DELAY;
                self.stage = Stage::Dialing(Dial::new(self.route.known.iter().copied(), self.now));
                self.dial()
            }
            Stage::Pausing(_) | Stage::Locating => Ok(()),
            Stage::Dialing(_) => self.dial(),
            Stage::Greeting(greeting, _) => match greeting.handle_timeout(self.now) {
                Some(greeted) => self.greeted(greeted),
                None => Ok(()),
            },
            Stage::Open(_) => self.connected(|connection, _, turn| connection.handle_timeout(turn)),
        }
    }

    fn read_and_write(&mut self) -> Result<(), End> {
        self.connected(|connection, buffer, turn| {
            if !turn.pauses.is_paused() && connection.is_readable() {
                connection.read(buffer, turn)?;
            }
            connection.write(turn)
        })?;
        let sent = !self.line.has_messages();
        match &self.stage {
            Stage::Open(connection) if sent && connection.takes_messages() => {}
            _ => return Ok(()),
        }
        let Some((code, reason)) = self.closing.clone() else { return Ok(()) };
        self.connected(|connection, _, turn| {
            connection.close(code, &reason, turn)?;
            connection.write(turn)
        })
    }

    /// Lets the connection, if there is one, do something, and draws the conclusion when that ends it.
    fn connected(
        &mut self,
        act: impl FnOnce(&mut Connection, &mut [u8], &mut Turn<'_>) -> Result<(), Ended>,
    ) -> Result<(), End> {
        let Stage::Open(connection) = &mut self.stage else { return Ok(()) };
        let mut turn = Turn {
            pauses: self.pauses,
            config: &self.rules,
            line: &self.line,
            keys: &mut self.keys,
            events: &mut self.events,
        };
        act(connection, &mut self.buffer, &mut turn).or_else(|ended| self.ended(ended))
    }

    /// Learns the addresses of the server, if there is a way to; otherwise the attempt failed for `reason`.
    fn locate(&mut self, reason: String) -> Result<(), End> {
        if self.may_look()
            && let Err(error) = self.look()
        {
            return self.failed(error);
        }
        if self.looking != Looking::Now {
            return self.failed(reason);
        }
        self.stage = Stage::Locating;
        Ok(())
    }

    fn may_look(&self) -> bool {
        self.looking == Looking::NotYet && !matches!(self.route.lookup, Lookup::Nothing)
    }

    fn look(&mut self) -> Result<(), String> {
        let line = Arc::clone(&self.line);
        let report = move |found| line.located(found);
        locate::start(self.route.lookup.clone(), self.config.search.clone(), report)
            .map_err(|error| format!("cannot start the search: {error}"))?;
        self.looking = Looking::Now;
        Ok(())
    }

    fn dial(&mut self) -> Result<(), End> {
        let Stage::Dialing(dial) = &mut self.stage else { return Ok(()) };
        let tokens = &mut self.tokens;
        dial.handle_timeout(self.now, self.poll.registry(), || {
            // Never used again, so that news of a closed socket are not taken for those of the next.
            *tokens += 1;
            Token(*tokens)
        });
        if !dial.is_over() {
            // A server that has moved leaves an address at which nobody answers, not even to refuse.
            if self.now >= self.look_at && self.may_look() {
                self.look().unwrap_or_else(|error| tracing::debug!(error, "the server is not looked for"));
            }
            return Ok(());
        }
        let dial = std::mem::replace(dial, Dial::new([], self.now));
        self.locate(dial.failure())
    }

    fn greet(&mut self, mut reached: Reached) -> Result<(), End> {
        let nonce = match self.keys.nonce() {
            Ok(nonce) => nonce,
            Err(error) => return self.failed(format!("cannot connect without random numbers: {error}")),
        };
        let Stage::Dialing(dial) = self.leave_stage() else { return Ok(()) };
        let url = self.route.url(reached.addr);
        if url.is_secure() {
            match self.connector.connect(url.host()) {
                Ok(session) => reached.stream.secure(session),
                Err(what) => {
                    self.stage = Stage::Dialing(dial);
                    return self.wrong(format!("cannot connect to {url}: {what}"), self.route.is_fixed());
                }
            }
        }
        let mut greeting = Box::new(Greeting::new(reached, url, self.config.token.as_ref(), nonce, self.now));
        let greeted = greeting.handle_ready(&mut self.buffer);
        self.stage = Stage::Greeting(greeting, dial);
        greeted.map_or(Ok(()), |greeted| self.greeted(greeted))
    }

    fn greeted(&mut self, greeted: Greeted) -> Result<(), End> {
        let Stage::Greeting(greeting, dial) = self.leave_stage() else {
            return Ok(());
        };
        let more = !dial.is_over() || !self.route.is_fixed();
        self.stage = Stage::Dialing(dial);
        let url = greeting.url.to_string();
        let (wrong, is_final) = match greeted {
            Greeted::Welcome(early) => return self.open(greeting.reached, early, url),
            Greeted::Refused(status, text) => {
                let decided = matches!(status, 401 | 403 | 426) || self.route.is_fixed();
                (format!("the server at {url} refused ({status}): {text}"), decided && is_final_status(status))
            }
            Greeted::Broken(what) => (format!("no WebSocket server at {url}: {what}"), !more),
            Greeted::Untrusted(what) => (format!("cannot connect to {url}: {what}"), !more),
            Greeted::Lost(why) => (format!("cannot connect to {url}: {why}"), false),
        };
        self.wrong(wrong, is_final)
    }

    /// What answered is not the server.
    fn wrong(&mut self, what: String, is_final: bool) -> Result<(), End> {
        if is_final {
            return Err(End::GaveUp(what));
        }
        // Where the server has been, something else may be now: the other addresses follow, and then the search.
        if let Stage::Dialing(dial) = &mut self.stage {
            dial.note(what);
        }
        self.dial()
    }

    fn open(&mut self, reached: Reached, mut early: Vec<u8>, url: String) -> Result<(), End> {
        tracing::debug!(url, "connected");
        self.backoff.handle_connected(self.now);
        self.line.set_connected(Some(url.clone()));
        self.events.push_back(ClientEvent::Connected { url });
        self.stage = Stage::Open(Box::new(Connection::new(reached, self.now)));
        self.connected(|connection, _, turn| connection.begin(&mut early, turn))
    }

    fn leave_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Pausing(Time::NEVER))
    }

    /// The attempt failed.
    fn failed(&mut self, reason: String) -> Result<(), End> {
        tracing::debug!(reason, "the attempt to connect failed");
        let Some(retry_in) = self.backoff.handle_failure(self.now, self.keys.number()) else {
            return Err(End::GaveUp(reason));
        };
        self.stage = Stage::Pausing(self.now + retry_in);
        self.events.push_back(ClientEvent::AttemptFailed { reason, retry_in });
        Ok(())
    }

    /// The connection ended.
    fn ended(&mut self, ended: Ended) -> Result<(), End> {
        let Ended { code, reason, wanted } = ended;
        let shown = escape(&reason, 200);
        tracing::debug!(%code, reason = shown, "disconnected");
        if let Stage::Open(connection) = &self.stage {
            self.line.drop_messages(connection.unsent());
        }
        self.line.set_connected(None);
        let wanted = wanted || (self.closing.is_some() && !self.line.has_messages());
        let is_final = is_final_code(code);
        let retry_in = match wanted || is_final || !self.config.reconnect {
            true => None,
            false => self.backoff.handle_failure(self.now, self.keys.number()),
        };
        self.events.push_back(ClientEvent::Disconnected { code, reason, retry_in });
        self.stage = Stage::Pausing(retry_in.map_or(Time::NEVER, |pause| self.now + pause));
        match retry_in {
            Some(_) => Ok(()),
            None if wanted || !(is_final || self.config.reconnect) => Err(End::Closed),
            None if shown.is_empty() => Err(End::GaveUp(format!("the connection ended with {code}"))),
            None => Err(End::GaveUp(format!("the connection ended with {code}: {shown}"))),
        }
    }
}
