//! The live list of servers, as an application holds it.

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
    /// The UDP port that probes go to and beacons are heard on; the nine after it are tried when it cannot be bound.
    pub discovery_port: u16,
    /// Looks on this machine only, and sends nothing beyond it.
    pub local: bool,
    /// Looks for services of multicast DNS, too, unless on this machine only.
    #[cfg(feature = "mdns")]
    pub mdns: bool,
    /// The id of a server that is passed over: your own, as [`Server::id`](crate::Server::id) tells it.
    pub ignore: Option<String>,
    /// Events that wait for the application. Beyond that they are merged to one for each server.
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

/// What changed on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrowserEvent {
    /// A server that was not known.
    Found(ServerInfo),
    /// A known server told something new: its name, its clients, another address.
    Updated(ServerInfo),
    /// A server said goodbye, was replaced by its own restart, or answers no more.
    Lost(ServerInfo),
}

impl Weigh for BrowserEvent {}

impl BrowserEvent {
    /// The server that it is about.
    pub fn server(&self) -> &ServerInfo {
        match self {
            BrowserEvent::Found(server) | BrowserEvent::Updated(server) | BrowserEvent::Lost(server) => server,
        }
    }
}

/// A live list of the servers on the local network: one thread that asks and listens until this is dropped.
///
/// A server is found within milliseconds, also while it has clients. It is lost at once when it stops or is started
/// anew, and within ten seconds when it vanishes without a word. At most 256 servers are remembered, 64 of one
/// address.
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
    /// Starts to look around.
    ///
    /// # Errors
    /// When the system gives no socket or no thread. A port or an interface that cannot be had is told in the log, and
    /// the others do.
    pub fn start(config: BrowserConfig) -> io::Result<Browser> {
        let queue =
            Arc::new(EventQueue::new(EventQueueLimits { max_events: config.max_events.max(1), max_bytes: usize::MAX }));
        let (driver, shared) = Driver::open(&config, Arc::clone(&queue))?;
        let thread = std::thread::Builder::new().name("halloo-browser".into()).spawn(move || driver.run())?;
        let resume = Arc::clone(&shared);
        let receiver = EventReceiver::new(queue, move || resume.resume());
        Ok(Browser { shared, receiver, thread: Some(thread) })
    }

    /// The servers that are known now, in the order in which they were found.
    pub fn servers(&self) -> Vec<ServerInfo> {
        let browser = self.shared.browser();
        browser.servers().map(|server| ServerInfo::new(server.clone(), self.shared.epoch)).collect()
    }

    /// How often a server was heard for which the list had no room: a flood of forged beacons, most likely.
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
