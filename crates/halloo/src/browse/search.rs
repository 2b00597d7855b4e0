//! Looking once.

use std::io;
use std::time::{Duration, Instant};

use halloo_proto::defaults::DISCOVERY_PORT;

use super::{Browser, BrowserConfig, BrowserEvent, ServerInfo};

/// After the first server of a name, how long others of the same name are waited for: some round trips of a Wi-Fi.
const NAMESAKES: Duration = Duration::from_millis(200);

/// Finds the servers on the local network that are heard within `timeout`. For a list that lives, see [`Browser`].
///
/// ```no_run
/// for server in halloo::discover(std::time::Duration::from_secs(3))? {
///     println!("{} at {}", server.name, server.url);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When the system gives no socket; that nobody is found is an empty list.
pub fn discover(timeout: Duration) -> io::Result<Vec<ServerInfo>> {
    Search { timeout, ..Search::default() }.run()
}

/// Finds the servers that are called `name`, letter case aside, or that have this id.
///
/// Waits at most `timeout` for the first, and then 200 ms for namesakes; an id belongs to one server, so that one is
/// answered at once. An empty list says that nobody of that name was heard.
///
/// ```no_run
/// match halloo::find("living-room", std::time::Duration::from_secs(3))?.as_slice() {
///     [] => println!("not there"),
///     [server] => println!("{}", server.url),
///     several => println!("{} servers have this name", several.len()),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As [`discover`].
pub fn find(name: &str, timeout: Duration) -> io::Result<Vec<ServerInfo>> {
    Search { timeout, ..Search::default() }.find(name)
}

/// A search that ends. Start from [`Search::default`] and change what you need.
///
/// ```no_run
/// let mut search = halloo::Search::default();
/// search.local = true;
/// let servers = search.find("living-room")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Search {
    /// The discovery port of the servers.
    pub discovery_port: u16,
    /// How long to search; 3 s by default.
    pub timeout: Duration,
    /// Ends with the first server.
    pub first: bool,
    /// Searches this machine only, and sends nothing beyond it.
    pub local: bool,
}

impl Default for Search {
    fn default() -> Search {
        Search { discovery_port: DISCOVERY_PORT, timeout: Duration::from_secs(3), first: false, local: false }
    }
}

impl Search {
    /// Searches until the time is over, or somebody is found if that is enough.
    ///
    /// # Errors
    /// As [`discover`].
    pub fn run(&self) -> io::Result<Vec<ServerInfo>> {
        let browser = self.browser()?;
        let end = Instant::now().checked_add(self.timeout);
        while browser.next_until(end).is_some() && !self.first {}
        Ok(browser.servers())
    }

    /// What [`find`] does, with these settings; `first` ends it without waiting for namesakes.
    ///
    /// # Errors
    /// As [`discover`].
    pub fn find(&self, name: &str) -> io::Result<Vec<ServerInfo>> {
        let browser = self.browser()?;
        let mut end = Instant::now().checked_add(self.timeout);
        let mut found = false;
        while let Some(event) = browser.next_until(end) {
            let (BrowserEvent::Found(server) | BrowserEvent::Updated(server)) = event else { continue };
            if server.id.eq_ignore_ascii_case(name) || (self.first && server.is_called(name)) {
                return Ok(vec![server]);
            }
            if server.is_called(name) && !found {
                found = true;
                let namesakes = Instant::now() + NAMESAKES;
                end = Some(end.map_or(namesakes, |end| end.min(namesakes)));
            }
        }
        Ok(browser.servers().into_iter().filter(|server| server.is_called(name)).collect())
    }

    fn browser(&self) -> io::Result<Browser> {
        let (discovery_port, local) = (self.discovery_port, self.local);
        Browser::start(BrowserConfig { discovery_port, local, ..BrowserConfig::default() })
    }
}
