//! Interfaces on which beacons cannot be sent. They are logged when that begins and when it ends, not at every beacon.

use std::collections::BTreeSet;
use std::io;

use halloo_proto::interfaces::Interface;

use super::shortage::is_shortage;

/// The names of the interfaces on which the last beacon failed.
#[derive(Debug, Default)]
pub(super) struct Failures {
    failing: BTreeSet<String>,
}

/// A change of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Began,
    Ended,
}

impl Failures {
    /// Records the result of sending, and logs it if it differs from the last one.
    pub(super) fn record(&mut self, interface: &Interface, outcome: &io::Result<()>) -> Option<Change> {
        let name = interface.name.as_str();
        match outcome {
            Err(error) if self.failing.insert(name.to_owned()) => {
                tracing::warn!("cannot announce on {name}: {error}; {}", advice(error, cfg!(target_vendor = "apple")));
                Some(Change::Began)
            }
            Ok(()) if self.failing.remove(name) => {
                tracing::info!("announcing on {name} again");
                Some(Change::Ended)
            }
            _ => None,
        }
    }

    /// Forgets the interfaces that are gone.
    pub(super) fn retain(&mut self, present: &[Interface]) {
        self.failing.retain(|name| present.iter().any(|interface| interface.name == *name));
    }
}

/// Returns what to do when a datagram to all machines of a network cannot be sent.
fn advice(error: &io::Error, is_apple: bool) -> &'static str {
    match error.kind() {
        _ if is_shortage(error) => "raise the limit of open files, or close connections",
        // What macOS 15 and iOS report for a program that may not use the local network.
        io::ErrorKind::HostUnreachable | io::ErrorKind::PermissionDenied if is_apple => {
            "in System Settings, Privacy & Security, Local Network, allow the terminal or the app"
        }
        _ => "a firewall may block it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_permission_for_the_local_network_is_named_where_there_is_one() {
        let names_permission = |kind: io::ErrorKind, is_apple| advice(&kind.into(), is_apple).contains("Local Network");
        use io::ErrorKind::{HostUnreachable, NetworkUnreachable, PermissionDenied};
        let kinds = [HostUnreachable, PermissionDenied, NetworkUnreachable];
        assert_eq!(kinds.map(|kind| names_permission(kind, true)), [true, true, false]);
        assert_eq!(kinds.map(|kind| names_permission(kind, false)), [false; 3]);
    }

    #[test]
    fn a_failure_is_logged_once_and_so_is_its_end() {
        let interface = |name: &str| Interface { name: name.into(), ..Interface::loopback() };
        let (one, two) = (interface("eth0"), interface("eth1"));
        let failed = || Err(io::Error::from(io::ErrorKind::PermissionDenied));
        let mut failures = Failures::default();
        let changes: Vec<Option<Change>> = [Ok(()), failed(), failed(), failed(), Ok(()), Ok(()), failed()]
            .iter()
            .map(|outcome| failures.record(&one, outcome))
            .collect();
        let expected = [None, Some(Change::Began), None, None, Some(Change::Ended), None, Some(Change::Began)];
        assert_eq!(changes, expected);
        assert_eq!(failures.record(&two, &failed()), Some(Change::Began));
        failures.retain(&[two]);
        assert_eq!(failures.failing.len(), 1);
        assert_eq!(failures.record(&one, &Ok(())), None);
    }
}
