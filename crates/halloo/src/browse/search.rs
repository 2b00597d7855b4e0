//! A search for servers that ends.

use std::io;
use std::time::{Duration, Instant};

use super::{Browser, BrowserConfig, BrowserEvent, ServerInfo};

/// After the first server with a name, how long to wait for others with the same name: a few round trips on Wi-Fi.
const NAMESAKE_DELAY: Duration = Duration::from_millis(200);

/// Returns the servers on the local network that answer within `timeout`. For a live list, see [`Browser`].
///
/// ```no_run
/// for server in halloo::discover(std::time::Duration::from_secs(3))? {
///     println!("{} at {}", server.name, server.url);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When the system provides no socket. An empty list means that no server was found.
pub fn discover(timeout: Duration) -> io::Result<Vec<ServerInfo>> {
    Search { timeout, ..Search::default() }.run()
}

/// Returns the servers with this name, ignoring case, or with this id.
///
/// Waits at most `timeout` for the first one, and then 200 ms for others with the same name. An id is unique, so a server
/// with this id is returned at once. An empty list means that no such server was found.
///
/// ```no_run
/// match halloo::find("living-room", std::time::Duration::from_secs(3))?.as_slice() {
///     [] => println!("not found"),
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
/// search.browser.local = true;
/// let servers = search.find("living-room")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Search {
    /// Where to search.
    pub browser: BrowserConfig,
    /// How long to search. Default: 3 s.
    pub timeout: Duration,
    /// End with the first server. Default: `false`.
    pub first: bool,
}

impl Default for Search {
    fn default() -> Search {
        Search { browser: BrowserConfig::default(), timeout: Duration::from_secs(3), first: false }
    }
}

impl Search {
    /// Searches until the timeout, or until the first server is found if that is enough.
    ///
    /// # Errors
    /// As [`discover`].
    pub fn run(&self) -> io::Result<Vec<ServerInfo>> {
        let browser = Browser::start(self.browser.clone())?;
        let deadline = Instant::now().checked_add(self.timeout);
        while browser.next_until(deadline).is_some() && !self.first {}
        Ok(browser.servers())
    }

    /// Does what [`find`] does, with these settings; with `first`, it does not wait for others with the same name.
    ///
    /// # Errors
    /// As [`discover`].
    pub fn find(&self, name: &str) -> io::Result<Vec<ServerInfo>> {
        let browser = Browser::start(self.browser.clone())?;
        let mut deadline = Instant::now().checked_add(self.timeout);
        let mut found = false;
        while let Some(event) = browser.next_until(deadline) {
            let (BrowserEvent::Found(server) | BrowserEvent::Updated(server)) = event else { continue };
            if server.id.eq_ignore_ascii_case(name) || (self.first && server.is_called(name)) {
                return Ok(vec![server]);
            }
            if server.is_called(name) && !found {
                found = true;
                let namesakes = Instant::now() + NAMESAKE_DELAY;
                deadline = Some(deadline.map_or(namesakes, |deadline| deadline.min(namesakes)));
            }
        }
        Ok(browser.servers().into_iter().filter(|server| server.is_called(name)).collect())
    }
}
