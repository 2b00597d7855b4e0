//! [`Browser`], a live list of servers.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::config::BrowserConfig;
use super::driver::{Driver, Shared};
use super::event::BrowserEvent;
use super::server_info::ServerInfo;
use crate::EventQueueLimits;
use crate::event_queue::EventQueue;
use crate::event_receiver::EventReceiver;

/// A live list of the servers on the local network. Its thread sends probes and receives beacons until it is dropped.
///
/// A server is found within milliseconds, even while it has clients. It is lost within 100 ms when it stops or restarts,
/// and within ten seconds when it stops responding. Forged datagrams do not hide, move or change a server that answers.
/// At most 256 servers are stored; those that answer take the place of those that do not.
///
/// ```
/// use halloo::{Browser, BrowserConfig, BrowserEvent, Config, Server};
///
/// # let mut config = Config::local();
/// # (config.discovery, config.discovery_port, config.name) = (true, 18766, "den".into());
/// # let server = Server::start(config)?;
/// let mut config = BrowserConfig::default();
/// # (config.discovery_port, config.local) = (18766, true);
/// config.ignore = None; // or the `id()` of your own server
/// let browser = Browser::start(config)?;
/// for event in browser.events() { // or try_event() in a game loop, or event().await anywhere
///     match event {
///         BrowserEvent::Found(server) => println!("{} is at {}", server.name, server.url),
///         BrowserEvent::Lost(server) => println!("{} is gone", server.name),
///         _ => {}
///     }
/// #   break;
/// }
/// println!("{} servers in all", browser.servers().len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Browser {
    shared: Arc<Shared>,
    receiver: EventReceiver<VecDeque<BrowserEvent>>,
    thread: Option<JoinHandle<()>>,
}

impl Browser {
    /// Starts searching.
    ///
    /// # Errors
    /// When [`BrowserConfig::app`] is blank, when no socket can be opened, or when no thread can be started. A single port or interface that cannot be used is
    /// logged and skipped.
    pub fn start(config: BrowserConfig) -> io::Result<Browser> {
        let queue =
            Arc::new(EventQueue::new(EventQueueLimits { max_events: config.max_events.max(1), max_bytes: usize::MAX }));
        let (driver, shared) = Driver::open(&config, Arc::clone(&queue))?;
        let thread = std::thread::Builder::new().name("halloo-browser".into()).spawn(move || driver.run())?;
        let resume = Arc::clone(&shared);
        let receiver = EventReceiver::new(queue, move || resume.resume());
        Ok(Browser { shared, receiver, thread: Some(thread) })
    }

    /// Returns the known servers, in the order in which they were found.
    pub fn servers(&self) -> Vec<ServerInfo> {
        let core = self.shared.core();
        core.servers().map(|server| ServerInfo::new(server.clone(), self.shared.epoch)).collect()
    }

    /// Returns how many datagrams of new servers did not list them at once, because there was no room for servers that
    /// have not answered yet, most likely due to a flood of forged beacons.
    pub fn ignored_datagrams(&self) -> u64 {
        self.shared.core().ignored_datagrams()
    }

    /// Returns an iterator that blocks until the next event. It ends only if the thread fails, which is logged.
    pub fn events(&self) -> impl Iterator<Item = BrowserEvent> + '_ {
        self.receiver.iter()
    }

    /// Returns the next event if there is one. Does not block.
    pub fn try_event(&self) -> Option<BrowserEvent> {
        self.receiver.try_next()
    }

    /// Waits for the next event for at most `timeout`. Returns `None` on timeout.
    pub fn wait_event(&self, timeout: Duration) -> Option<BrowserEvent> {
        self.receiver.next_timeout(timeout)
    }

    /// Awaits the next event. Works with any executor. Returns `None` only if the thread failed, as
    /// [`Browser::events`].
    pub async fn event(&self) -> Option<BrowserEvent> {
        self.receiver.next().await
    }

    /// Asks for a server at each of `addresses`, besides the search.
    pub(super) fn check(&self, addresses: &[SocketAddr]) {
        self.shared.check(addresses);
    }

    /// Returns what ends the search from another thread, and with it every wait for an event.
    pub(super) fn stopper(&self) -> impl FnOnce() + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.stop()
    }

    /// Waits for the next event until `deadline`; if that is `None`, without a limit.
    pub(super) fn next_until(&self, deadline: Option<Instant>) -> Option<BrowserEvent> {
        self.receiver.next_deadline(deadline)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            // The thread catches and logs its own panics.
            let _ = thread.join();
        }
    }
}
