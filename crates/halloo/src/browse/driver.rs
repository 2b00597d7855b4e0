//! The thread of a browser: it moves bytes and time between the network and the core.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use halloo_proto::Time;
#[cfg(feature = "mdns")]
use halloo_proto::access::AccessRules;
use halloo_proto::announcement::probe;
use halloo_proto::browser::{Browser as Core, Change, MAX_CHECKS, MAX_SERVERS, Probe};
use mio::{Events, Poll, Token, Waker};

use super::backlog::Backlog;
use super::check::{Check, Outcome};
use super::config::BrowserConfig;
use super::event::BrowserEvent;
use super::server_info::ServerInfo;
use super::sockets::Sockets;
use crate::event_queue::EventQueue;
#[cfg(feature = "mdns")]
use crate::{discovery::interfaces, mdns::ServiceSearch};

const WAKER: Token = Token(0);
const SOCKETS: Token = Token(1);
const CHECKED: Token = Token(2);

/// What the thread and the application's side both see.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) epoch: Instant,
    core: Mutex<Core>,
    waker: Waker,
    stopped: AtomicBool,
    resumed: AtomicBool,
}

impl Shared {
    pub(super) fn browser(&self) -> MutexGuard<'_, Core> {
        // Held for the time of one datagram; a panic in it ends the thread, and what is known stays readable.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake();
    }

    /// The application has taken events, and there is room again.
    pub(super) fn resume(&self) {
        self.resumed.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!("cannot wake the browser's thread: {error}");
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }
}

/// Everything the thread owns.
#[derive(Debug)]
pub(super) struct Driver {
    poll: Poll,
    shared: Arc<Shared>,
    queue: Arc<EventQueue<VecDeque<BrowserEvent>>>,
    probe: Vec<u8>,
    sockets: Sockets,
    checks: Vec<Check>,
    backlog: Backlog,
    /// Ends with the thread.
    #[cfg(feature = "mdns")]
    _services: Option<ServiceSearch>,
    /// That servers are left out is told once.
    told_left_out: bool,
}

impl Driver {
    pub(super) fn open(
        config: &BrowserConfig,
        queue: Arc<EventQueue<VecDeque<BrowserEvent>>>,
    ) -> io::Result<(Driver, Arc<Shared>)> {
        let poll = Poll::new()?;
        let sockets = Sockets::open(config, poll.registry(), SOCKETS)?;
        let mut seed = [0; 8];
        // Without entropy the nonce is constant: replies are still told from those of other browsers by their socket.
        let _ = getrandom::fill(&mut seed);
        let nonce: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        let core = Core::new(&nonce, config.discovery_port, config.ignore.clone(), u64::from_ne_bytes(seed));
        let shared = Arc::new(Shared {
            epoch: Instant::now(),
            core: Mutex::new(core),
            waker: Waker::new(poll.registry(), WAKER)?,
            stopped: AtomicBool::new(false),
            resumed: AtomicBool::new(false),
        });
        let driver = Driver {
            poll,
            shared: Arc::clone(&shared),
            queue,
            probe: probe(&nonce),
            sockets,
            checks: Vec::with_capacity(MAX_CHECKS),
            backlog: Backlog::default(),
            #[cfg(feature = "mdns")]
            _services: services(config, &shared),
            told_left_out: false,
        };
        Ok((driver, shared))
    }

    /// Runs until stopped. However that ends, nobody is left waiting for an event.
    pub(super) fn run(mut self) {
        match catch_unwind(AssertUnwindSafe(|| self.turn_until_stopped())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("the browser ends, for the system fails: {error}"),
            Err(_) => tracing::error!("the browser ends after a panic on its thread"),
        }
        self.queue.close();
    }

    fn turn_until_stopped(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        let mut more = false;
        loop {
            self.ask();
            self.tell();
            match self.poll.poll(&mut events, Some(if more { Duration::ZERO } else { self.timeout() })) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            if self.shared.stopped.load(Ordering::Acquire) {
                return Ok(());
            }
            if self.shared.resumed.swap(false, Ordering::Acquire) {
                self.backlog.resume();
            }
            more = self.listen();
        }
    }

    /// Takes in what arrived.
    fn listen(&mut self) -> bool {
        let mut core = self.shared.browser();
        let now = self.shared.now();
        let more = self.sockets.receive(|datagram, from| core.handle_datagram(datagram, from, now));
        let instant = Instant::now();
        self.checks.retain_mut(|check| match check.advance(instant) {
            Some(outcome) => {
                tracing::trace!("asked {} over TCP: {outcome:?}", check.addr);
                core.handle_check_result(check.addr, outcome.as_result(), now);
                false
            }
            None => true,
        });
        core.handle_timeout(now);
        more
    }

    /// Sends the probes and the questions that are due.
    fn ask(&mut self) {
        let now = self.shared.now();
        let mut refreshed = false;
        loop {
            // Not in the condition, where the lock would be held while sending.
            let probe = self.shared.browser().poll_probe(now);
            let Some(probe) = probe else { break };
            if !matches!(probe, Probe::One(_))
                && !std::mem::replace(&mut refreshed, true)
                && self.sockets.refresh(self.poll.registry())
            {
                self.shared.browser().rescan(now);
            }
            self.sockets.send(probe, &self.probe, self.poll.registry());
        }
        loop {
            let addr = self.shared.browser().poll_check();
            let Some(addr) = addr else { break };
            match Check::start(addr, self.poll.registry(), CHECKED, Instant::now()) {
                Ok(check) => self.checks.push(check),
                Err(outcome) => self.fail(addr, &outcome),
            }
        }
    }

    fn fail(&self, addr: std::net::SocketAddr, outcome: &Outcome) {
        tracing::trace!("cannot ask {addr} over TCP: {outcome:?}");
        self.shared.browser().handle_check_result(addr, outcome.as_result(), self.shared.now());
    }

    /// Hands what changed to the application.
    fn tell(&mut self) {
        let mut core = self.shared.browser();
        while let Some(change) = core.poll_change() {
            self.backlog.add(event(change, self.shared.epoch));
        }
        if core.left_out() > 0 && !std::mem::replace(&mut self.told_left_out, true) {
            tracing::warn!("more servers call than the {MAX_SERVERS} that are remembered: are their beacons forged?");
        }
        drop(core);
        self.backlog.flush(&self.queue);
    }

    fn timeout(&self) -> Duration {
        let next = self.shared.browser().poll_timeout() - self.shared.now();
        let checks = self.checks.iter().map(|check| check.deadline.saturating_duration_since(Instant::now()));
        checks.fold(next, Duration::min)
    }
}

/// Looks for services, too. Without it servers are found by beacons and replies, so a failure ends nothing.
#[cfg(feature = "mdns")]
fn services(config: &BrowserConfig, shared: &Arc<Shared>) -> Option<ServiceSearch> {
    if !config.mdns || config.local {
        return None;
    }
    let shared = Arc::clone(shared);
    let sighted = move |addr: std::net::SocketAddr| {
        // Multicasts cross no router, so an address further away is forged, and is not to be asked.
        if AccessRules::default().allows_peer(addr.ip(), &interfaces::networks()) {
            shared.browser().handle_service(addr);
            shared.wake();
        }
    };
    let search = ServiceSearch::start(sighted);
    search.inspect_err(|error| tracing::warn!("cannot search by multicast DNS: {error}")).ok()
}

fn event(change: Change, epoch: Instant) -> BrowserEvent {
    match change {
        Change::Found(server) => BrowserEvent::Found(ServerInfo::new(server, epoch)),
        Change::Updated(server) => BrowserEvent::Updated(ServerInfo::new(server, epoch)),
        Change::Lost(server) => BrowserEvent::Lost(ServerInfo::new(server, epoch)),
    }
}
