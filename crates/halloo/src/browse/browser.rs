//! The handle of a live list of servers.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use halloo_proto::defaults::DISCOVERY_PORT;

use super::ServerInfo;
use super::driver::{Driver, Shared};
use crate::EventQueueLimits;
use crate::event_queue::{EventQueue, Weigh};
use crate::event_receiver::EventReceiver;

/// The settings of a [`Browser`]. Start from [`BrowserConfig::default`] and change what you need.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrowserConfig {
    /// UDP port that probes are sent to and beacons are received on; the nine after it are tried when it cannot be
    /// bound. Default: 8766.
    pub discovery_port: u16,
    /// Searches this machine only, and sends nothing to the network. Default: `false`.
    pub local: bool,
    /// Searches by multicast DNS, too, unless `local` is set. Default: `true`.
    #[cfg(feature = "mdns")]
    pub mdns: bool,
    /// The id of a server to leave out: your own, as [`Server::id`](crate::Server::id) returns it.
    pub ignore: Option<String>,
    /// Events that wait for the application; beyond, they are merged into one per server. Default: 1,024.
    pub max_events: usize,
}

impl Default for BrowserConfig {
    fn default() -> BrowserConfig {
        BrowserConfig {
            discovery_port: DISCOVERY_PORT,
            local: false,
            #[cfg(feature = "mdns")]
            mdns: true,
            ignore: None,
            // Each of the 256 servers that are remembered may come, change and go.
            max_events: 1024,
        }
    }
}

/// A change on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrowserEvent {
    /// A server was found.
    Found(ServerInfo),
    /// A known server changed: its name, its number of clients, or an address.
    Updated(ServerInfo),
    /// A server stopped, restarted, or no longer answers.
    Lost(ServerInfo),
}

impl Weigh for BrowserEvent {}

impl BrowserEvent {
    /// Returns the server that it is about.
    pub fn server(&self) -> &ServerInfo {
        match self {
            BrowserEvent::Found(server) | BrowserEvent::Updated(server) | BrowserEvent::Lost(server) => server,
        }
    }
}

/// A live list of the servers on the local network: one thread that probes and listens until this is dropped.
///
/// A server is found within milliseconds, also while it has clients. It is lost at once when it stops or restarts, and
/// within ten seconds when it vanishes. At most 256 servers are remembered, 64 per address.
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
    /// When the system provides no socket or no thread. A port or an interface that cannot be used is logged, and the
    /// others are used.
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
        let browser = self.shared.browser();
        browser.servers().map(|server| ServerInfo::new(server.clone(), self.shared.epoch)).collect()
    }

    /// Returns how often a server was left out because the list was full: most likely a flood of forged beacons.
    pub fn left_out(&self) -> u64 {
        self.shared.browser().left_out()
    }

    /// Returns the events as they come, blocking for each. Ends only when the system fails, which is logged.
    pub fn events(&self) -> impl Iterator<Item = BrowserEvent> + '_ {
        self.receiver.iter()
    }

    /// Returns the next event if there is one, for a loop that must not block.
    pub fn try_event(&self) -> Option<BrowserEvent> {
        self.receiver.try_next()
    }

    /// Waits for the next event, at most for `timeout`.
    pub fn wait_event(&self, timeout: Duration) -> Option<BrowserEvent> {
        self.receiver.next_timeout(timeout)
    }

    /// Awaits the next event on any executor; `None` as with [`Browser::events`].
    pub async fn event(&self) -> Option<BrowserEvent> {
        self.receiver.next().await
    }

    /// Waits for the next event until `deadline`, or without a limit.
    pub(super) fn next_until(&self, deadline: Option<Instant>) -> Option<BrowserEvent> {
        self.receiver.next_deadline(deadline)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            // The thread catches its panics, so there is nothing to learn from its end.
            let _ = thread.join();
        }
    }
}
