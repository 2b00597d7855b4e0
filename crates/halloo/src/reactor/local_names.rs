//! The names under `.local` that a server has (RFC 6762).

use std::sync::{Arc, Mutex, PoisonError};

use crate::Config;

/// The names under `.local` by which clients may address the server. Any machine of the network can claim such a name, and
/// point it to this one, so that no others are accepted.
#[derive(Debug)]
pub(super) struct LocalNames {
    /// From the settings and the system.
    fixed: Vec<String>,
    /// The name to be published, as long as it is not known whether another machine has it.
    planned: Option<String>,
    /// The published name, which may change at any time.
    pub(super) published: Arc<Mutex<Option<String>>>,
    /// The published name of the last list.
    listed: Option<String>,
}

impl LocalNames {
    /// A server that only this machine reaches has no name of its own.
    pub(super) fn new(config: &Config) -> LocalNames {
        let mut fixed = config.access.local_names.clone();
        let is_reachable = config.bind.is_none_or(|ip| !ip.is_loopback());
        let machine = config.access.own_host.as_deref().and_then(|host| host.split('.').next());
        fixed.extend(machine.filter(|_| is_reachable).map(|machine| format!("{machine}.local")));
        let planned = if is_reachable { planned_name(config) } else { None };
        LocalNames { fixed, planned, published: Arc::default(), listed: None }
    }

    /// Returns the current names.
    pub(super) fn list(&self) -> Vec<String> {
        let published = self.listed.clone().or_else(|| self.planned.clone());
        self.fixed.iter().cloned().chain(published).collect()
    }

    /// Returns the names if they have changed since the last call.
    pub(super) fn poll_change(&mut self) -> Option<Vec<String>> {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if *published == self.listed {
            return None;
        }
        self.listed.clone_from(&published);
        drop(published);
        Some(self.list())
    }
}

#[cfg(feature = "mdns")]
fn planned_name(config: &Config) -> Option<String> {
    (config.discovery && config.mdns).then(|| crate::mdns::planned_host(&config.name))
}

#[cfg(not(feature = "mdns"))]
fn planned_name(_: &Config) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(bind: Option<[u8; 4]>) -> Config {
        let mut config = Config::default();
        (config.name, config.bind) = ("Living room".into(), bind.map(Into::into));
        config.access.own_host = Some("den.fritz.box".into());
        config
    }

    #[test]
    fn server_on_loopback_has_no_name() {
        assert_eq!(LocalNames::new(&config(Some([127, 0, 0, 1]))).list(), [""; 0]);
        let mut config = config(Some([127, 0, 0, 1]));
        config.access.local_names = vec!["mine.local".into()];
        assert_eq!(LocalNames::new(&config).list(), ["mine.local"]);
    }

    #[cfg(feature = "mdns")]
    #[test]
    fn published_name_takes_the_place_of_the_planned_one() {
        let mut names = LocalNames::new(&config(None));
        assert_eq!(names.list(), ["den.local", "living-room.local"]);
        assert_eq!(names.poll_change(), None);
        *names.published.lock().unwrap() = Some("living-room-2.local".into());
        assert_eq!(names.poll_change().unwrap(), ["den.local", "living-room-2.local"]);
        assert_eq!(names.poll_change(), None);
        let mut config = config(Some([192, 168, 1, 5]));
        config.mdns = false;
        assert_eq!(LocalNames::new(&config).list(), ["den.local"]);
    }
}
