//! Looking once.

use std::io;
use std::time::{Duration, Instant};

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
    let browser = Browser::start(BrowserConfig::default())?;
    let end = Instant::now().checked_add(timeout);
    while browser.next_until(end).is_some() {}
    Ok(browser.servers())
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
    Ok(Browser::start(BrowserConfig::default())?.find(name, timeout))
}

impl Browser {
    /// What [`find`] does, with settings of your own.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use halloo::{Browser, BrowserConfig};
    ///
    /// let mut config = BrowserConfig::default();
    /// config.local = true;
    /// let servers = Browser::start(config)?.find("living-room", Duration::from_secs(3));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn find(self, name: &str, timeout: Duration) -> Vec<ServerInfo> {
        let mut end = Instant::now().checked_add(timeout);
        let mut found = false;
        while let Some(event) = self.next_until(end) {
            let (BrowserEvent::Found(server) | BrowserEvent::Updated(server)) = event else { continue };
            if server.id.eq_ignore_ascii_case(name) {
                return vec![server];
            }
            if server.is_called(name) && !found {
                found = true;
                let namesakes = Instant::now() + NAMESAKES;
                end = Some(end.map_or(namesakes, |end| end.min(namesakes)));
            }
        }
        self.servers().into_iter().filter(|server| server.is_called(name)).collect()
    }
}
