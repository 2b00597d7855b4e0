//! The thread of a browser, which connects the pure state machine of `halloo-proto` to sockets and the clock.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use halloo_proto::Time;
#[cfg(feature = "mdns")]
use halloo_proto::access::AccessRules;
use halloo_proto::browser::{Browser as Core, Change, MAX_CHECKS, MAX_SERVERS, Probe};
use halloo_proto::defaults::MAX_WAIT;
#[cfg(feature = "mdns")]
use halloo_proto::interface_filter::InterfaceFilter;
#[cfg(feature = "mdns")]
use halloo_proto::interfaces::Interface;
use halloo_proto::name::is_blank;
#[cfg(feature = "mdns")]
use mio::Registry;
use mio::{Events, Poll, Token, Waker};

use super::backlog::Backlog;
use super::check::{Check, CheckOutcome};
use super::config::BrowserConfig;
use super::event::BrowserEvent;
use super::server_info::ServerInfo;
use super::sockets::Sockets;
use crate::event_queue::EventQueue;
#[cfg(feature = "mdns")]
use crate::{discovery::interfaces, mdns::ServiceSearch};

const WAKER: Token = Token(0);
const SOCKETS: Token = Token(1);
const CHECKS: Token = Token(2);
#[cfg(feature = "mdns")]
const MDNS: Token = Token(3);

/// State that the thread shares with the handle [`Browser`](super::Browser).
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) epoch: Instant,
    core: Mutex<Core>,
    waker: Waker,
    stopped: AtomicBool,
    resumed: AtomicBool,
}

impl Shared {
    /// Locks the core. A panic while it is locked ends the thread, after which the known servers stay readable.
    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a server at each of `addresses`.
    pub(super) fn check(&self, addresses: &[SocketAddr]) {
        let mut core = self.core();
        addresses.iter().for_each(|addr| core.handle_service(*addr));
        drop(core);
        self.wake();
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake();
    }

    /// Handles that the event queue has room again.
    pub(super) fn resume(&self) {
        self.resumed.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!("cannot wake the browser thread: {error}");
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }
}

/// The state that the thread owns.
#[derive(Debug)]
pub(super) struct Driver {
    poll: Poll,
    shared: Arc<Shared>,
    queue: Arc<EventQueue<VecDeque<BrowserEvent>>>,
    nonce: String,
    sockets: Sockets,
    checks: Vec<Check>,
    backlog: Backlog,
    #[cfg(feature = "mdns")]
    service_search: Option<ServiceSearch>,
    /// The interfaces to search on.
    #[cfg(feature = "mdns")]
    filter: InterfaceFilter,
    /// Packets may wait on the sockets of multicast DNS.
    #[cfg(feature = "mdns")]
    services_ready: bool,
    /// Whether ignored servers were logged, which happens once.
    logged_ignored: bool,
}

impl Driver {
    /// Opens the sockets and starts the search by multicast DNS.
    pub(super) fn open(
        config: &BrowserConfig,
        queue: Arc<EventQueue<VecDeque<BrowserEvent>>>,
    ) -> io::Result<(Driver, Arc<Shared>)> {
        if config.app.as_deref().is_some_and(is_blank) {
            let error = "the application id to search for is blank; choose one with a visible character, or none";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        }
        let poll = Poll::new()?;
        let sockets = Sockets::open(config, poll.registry(), SOCKETS)?;
        let (mut nonce, mut secret) = ([0; 8], [0; 16]);
        // Without entropy both are constant, which still works: replies go to the socket that sent the probe.
        let _ = getrandom::fill(&mut nonce).and_then(|()| getrandom::fill(&mut secret));
        let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        let core = Core::new(&nonce, config.discovery_port, config.ignore.clone(), u128::from_ne_bytes(secret))
            .with_app(config.app.clone());
        let shared = Arc::new(Shared {
            epoch: Instant::now(),
            core: Mutex::new(core),
            waker: Waker::new(poll.registry(), WAKER)?,
            stopped: AtomicBool::new(false),
            resumed: AtomicBool::new(false),
        });
        #[cfg(feature = "mdns")]
        let service_search = start_service_search(config, poll.registry(), sockets.interfaces(), shared.now())?;
        let driver = Driver {
            poll,
            shared: Arc::clone(&shared),
            queue,
            nonce,
            sockets,
            checks: Vec::with_capacity(MAX_CHECKS),
            backlog: Backlog::default(),
            #[cfg(feature = "mdns")]
            service_search,
            #[cfg(feature = "mdns")]
            filter: config.interface_filter(),
            #[cfg(feature = "mdns")]
            services_ready: false,
            logged_ignored: false,
        };
        Ok((driver, shared))
    }

    /// Runs until it is stopped or fails. In any case it closes the event queue, which ends the wait for events.
    pub(super) fn run(mut self) {
        match catch_unwind(AssertUnwindSafe(|| self.run_turns())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("the browser stopped because of a system error: {error}"),
            Err(_) => tracing::error!("the browser stopped because its thread panicked"),
        }
        self.queue.close();
    }

    fn run_turns(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        let mut more = false;
        loop {
            self.send_due();
            self.publish_changes();
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
            more = self.receive();
            #[cfg(feature = "mdns")]
            {
                more |= self.search_services(&events);
            }
        }
    }

    /// Handles received datagrams and results of checks. Returns whether unread datagrams may remain.
    fn receive(&mut self) -> bool {
        let mut core = self.shared.core();
        let now = self.shared.now();
        let more = self.sockets.receive(|datagram, from| core.handle_datagram(datagram, from, now));
        let instant = Instant::now();
        self.checks.retain_mut(|check| match check.advance(instant) {
            Some(outcome) => {
                tracing::trace!("checked {} over TCP: {outcome:?}", check.addr);
                core.handle_check_result(check.addr, outcome.as_result(), now);
                false
            }
            None => true,
        });
        core.handle_timeout(now);
        more
    }

    /// Sends the probes and starts the checks that are due.
    fn send_due(&mut self) {
        let now = self.shared.now();
        let mut refreshed = false;
        loop {
            // A separate statement, because a `while let` would hold the lock while sending.
            let probe = self.shared.core().poll_probe(now);
            let Some(probe) = probe else { break };
            if !matches!(probe, Probe::One(..))
                && !std::mem::replace(&mut refreshed, true)
                && self.sockets.refresh(self.poll.registry())
            {
                self.shared.core().rescan(now);
            }
            #[cfg(feature = "mdns")]
            if let Some(search) = self.service_search.as_mut().filter(|_| !matches!(probe, Probe::One(..))) {
                // What failed for lack of file descriptors is tried again at the next probe.
                let _ = search.handle_interfaces(self.sockets.interfaces(), now);
            }
            self.sockets.send(probe, &self.nonce, self.poll.registry());
        }
        loop {
            let addr = self.shared.core().poll_check(now);
            let Some(addr) = addr else { break };
            match Check::start(addr, self.poll.registry(), CHECKS, Instant::now()) {
                Ok(check) => self.checks.push(check),
                Err(outcome) => self.handle_failed_check(addr, &outcome),
            }
        }
    }

    fn handle_failed_check(&self, addr: SocketAddr, outcome: &CheckOutcome) {
        tracing::trace!("cannot check {addr} over TCP: {outcome:?}");
        self.shared.core().handle_check_result(addr, outcome.as_result(), self.shared.now());
    }

    /// Passes changes to the application.
    fn publish_changes(&mut self) {
        let mut core = self.shared.core();
        while let Some(change) = core.poll_change() {
            self.backlog.add(browser_event(change, self.shared.epoch));
        }
        if core.ignored_datagrams() > 0 && !std::mem::replace(&mut self.logged_ignored, true) {
            tracing::warn!(
                "many servers are announced that do not reply; others are listed only if they reply (at most {MAX_SERVERS})"
            );
        }
        drop(core);
        self.backlog.flush(&self.queue);
    }

    /// Handles packets of multicast DNS, and what is due. Returns whether unread packets may remain.
    #[cfg(feature = "mdns")]
    fn search_services(&mut self, events: &Events) -> bool {
        let Some(search) = &mut self.service_search else { return false };
        let now = self.shared.now();
        self.services_ready |= events.iter().any(|event| event.token() == MDNS);
        if self.services_ready {
            self.services_ready = search.handle_readable(now);
        } else {
            search.handle_timeout(now);
        }
        while let Some(addr) = search.poll_address() {
            // Routers do not forward multicast, so an address outside the local network is forged and must not be checked.
            // The list of the last refresh, because any machine can send many addresses.
            let networks = self.sockets.networks();
            let is_near = self.filter.is_empty() || interfaces::is_attached(addr.ip(), networks);
            if is_near && AccessRules::default().allows_peer(addr.ip(), networks) {
                self.shared.core().handle_service(addr);
            }
        }
        self.services_ready
    }

    /// Returns the time until the next probe, check or timeout is due.
    fn timeout(&self) -> Duration {
        let next = self.shared.core().poll_timeout() - self.shared.now();
        #[cfg(feature = "mdns")]
        let next =
            self.service_search.as_ref().map_or(next, |search| next.min(search.poll_timeout() - self.shared.now()));
        let checks = self.checks.iter().map(|check| check.deadline.saturating_duration_since(Instant::now()));
        checks.fold(next.min(MAX_WAIT), Duration::min)
    }
}

/// Starts the search by multicast DNS, if it is enabled.
#[cfg(feature = "mdns")]
fn start_service_search(
    config: &BrowserConfig,
    registry: &Registry,
    interfaces: &[Interface],
    now: Time,
) -> io::Result<Option<ServiceSearch>> {
    if !config.mdns || config.local {
        return Ok(None);
    }
    let mut search = ServiceSearch::new(registry.try_clone()?, MDNS, now);
    // What failed for lack of file descriptors is tried again at the next probe.
    let _ = search.handle_interfaces(interfaces, now);
    Ok(Some(search))
}

fn browser_event(change: Change, epoch: Instant) -> BrowserEvent {
    match change {
        Change::Found(server) => BrowserEvent::Found(ServerInfo::new(server, epoch)),
        Change::Updated(server) => BrowserEvent::Updated(ServerInfo::new(server, epoch)),
        Change::Lost(server) => BrowserEvent::Lost(ServerInfo::new(server, epoch)),
    }
}
