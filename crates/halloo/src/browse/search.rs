//! Searches with a timeout.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use halloo_proto::name::{ServerMatch, best_matches};
use halloo_proto::setters;

use super::{Browser, BrowserConfig, BrowserEvent, ServerInfo};
use crate::cancellable_thread::Cancel;

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

/// Returns the servers whose name or id is `name`, as [`ServerInfo::is_called`] compares them.
///
/// Of several servers, only those that match best are returned: one with this id, or those with this very name, before
/// those whose name only has the same letters and digits.
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

setters! {
    /// A search with a timeout. Start from [`Search::default`] and change what you need.
    ///
    /// ```no_run
    /// use halloo::{BrowserConfig, Search};
    ///
    /// let search = Search::default().browser(BrowserConfig::default().local(true));
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
        self.find_among(name).map(|found| found.matching)
    }

    /// Searches as [`Search::find`] does, and also returns the other servers that were found meanwhile, to choose from when
    /// there is no such server.
    ///
    /// # Errors
    /// The same as [`discover`].
    pub fn find_among(&self, name: &str) -> io::Result<FoundServers> {
        self.find_among_and_at(name, &[], &Cancel::default())
    }

    /// Searches as [`Search::find_among`] does, and also asks at `addresses`, where the server was before. Ends when it is
    /// cancelled.
    pub(crate) fn find_among_and_at(
        &self,
        name: &str,
        addresses: &[SocketAddr],
        cancel: &Cancel,
    ) -> io::Result<FoundServers> {
        let browser = Browser::start(self.browser.clone())?;
        cancel.on_cancel(browser.stopper());
        browser.check(addresses);
        let mut deadline = Instant::now().checked_add(self.timeout);
        let mut found = false;
        while let Some(event) = browser.next_until(deadline) {
            let (BrowserEvent::Found(server) | BrowserEvent::Updated(server)) = event else { continue };
            let Some(matched) = server.match_with(name) else { continue };
            if matched == ServerMatch::Id || self.first {
                let others = browser.servers().into_iter().filter(|other| other.id != server.id).collect();
                return Ok(FoundServers { matching: vec![server], others });
            }
            if !found {
                found = true;
                let namesakes = Instant::now() + NAMESAKE_DELAY;
                deadline = Some(deadline.map_or(namesakes, |deadline| deadline.min(namesakes)));
            }
        }
        let (matching, others) = best_matches(name, browser.servers(), |server| (&server.id, &server.name));
        Ok(FoundServers { matching, others })
    }
}

/// What a search by name found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FoundServers {
    /// The servers with the name or id.
    pub matching: Vec<ServerInfo>,
    /// The other servers that were found until the search ended.
    pub others: Vec<ServerInfo>,
}
