//! Searches with a timeout.

use std::io;
use std::time::{Duration, Instant};

use super::{Browser, BrowserConfig, BrowserEvent, ServerInfo};

/// Time to wait for other servers with the same name after the first one: a few round trips on Wi-Fi.
const NAMESAKE_DELAY: Duration = Duration::from_millis(200);

/// Returns the servers that are found on the local network within `timeout`. For a live list, see [`Browser`].
///
/// ```no_run
/// for server in halloo::discover(std::time::Duration::from_secs(3))? {
///     println!("{} at {}", server.name, server.url);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When no socket can be opened or no thread can be started. An empty list means that no server was found.
pub fn discover(timeout: Duration) -> io::Result<Vec<ServerInfo>> {
    Search { timeout, ..Search::default() }.run()
}

/// Returns the servers whose name, ignoring case, or id is `name`.
///
/// Waits for the first one for at most `timeout`, and then 200 ms for others with the same name. An id is unique, so a
/// server with this id is returned immediately. An empty list means that no such server was found.
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
/// The same as [`discover`].
pub fn find(name: &str, timeout: Duration) -> io::Result<Vec<ServerInfo>> {
    Search { timeout, ..Search::default() }.find(name)
}

/// A search with a timeout. Start from [`Search::default`] and change what you need.
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
    /// The settings of the browser that searches.
    pub browser: BrowserConfig,
    /// Maximum duration of the search. Default: 3 s.
    pub timeout: Duration,
    /// Ends the search when the first server is found. Default: `false`.
    pub first: bool,
}

impl Default for Search {
    fn default() -> Search {
        Search { browser: BrowserConfig::default(), timeout: Duration::from_secs(3), first: false }
    }
}

impl Search {
    /// Searches until the timeout or, if [`Search::first`] is set, until the first server is found.
    ///
    /// # Errors
    /// The same as [`discover`].
    pub fn run(&self) -> io::Result<Vec<ServerInfo>> {
        let browser = Browser::start(self.browser.clone())?;
        let deadline = Instant::now().checked_add(self.timeout);
        while browser.next_until(deadline).is_some() && !self.first {}
        Ok(browser.servers())
    }

    /// Searches by name or id as [`find`] does. If [`Search::first`] is set, it does not wait for other servers with
    /// the same name.
    ///
    /// # Errors
    /// The same as [`discover`].
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
