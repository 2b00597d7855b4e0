//! Which interfaces cannot be announced on: told when it begins and when it ends, not with every beacon.

use std::collections::BTreeSet;
use std::io;

use halloo_proto::interfaces::Interface;

/// The interfaces that failed the last time, by name.
#[derive(Debug, Default)]
pub(super) struct Failures {
    failing: BTreeSet<String>,
}

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Began,
    Ended,
}

impl Failures {
    /// Notes how sending went, and tells it in the log when it went otherwise the last time.
    pub(super) fn note(&mut self, interface: &Interface, outcome: &io::Result<()>) -> Option<Change> {
        let name = interface.name.as_str();
        match outcome {
            Err(error) if self.failing.insert(name.to_owned()) => {
                tracing::warn!(interface = name, %error, "cannot announce on this interface; a firewall may forbid it");
                Some(Change::Began)
            }
            Ok(()) if self.failing.remove(name) => {
                tracing::info!(interface = name, "announcing on this interface again");
                Some(Change::Ended)
            }
            _ => None,
        }
    }

    /// Forgets the interfaces that are gone: whoever comes back starts afresh.
    pub(super) fn keep(&mut self, present: &[Interface]) {
        self.failing.retain(|name| present.iter().any(|interface| interface.name == *name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_and_so_is_its_end() {
        let interface = |name: &str| Interface { name: name.into(), addr: [10, 0, 0, 1].into(), default_route: false };
        let (one, two) = (interface("eth0"), interface("eth1"));
        let failed = || Err(io::Error::from(io::ErrorKind::PermissionDenied));
        let mut failures = Failures::default();
        let told: Vec<Option<Change>> = [Ok(()), failed(), failed(), failed(), Ok(()), Ok(()), failed()]
            .iter()
            .map(|outcome| failures.note(&one, outcome))
            .collect();
        let expected = [None, Some(Change::Began), None, None, Some(Change::Ended), None, Some(Change::Began)];
        assert_eq!(told, expected);
        assert_eq!(failures.note(&two, &failed()), Some(Change::Began));
        failures.keep(&[two]);
        assert_eq!(failures.failing.len(), 1);
        assert_eq!(failures.note(&one, &Ok(())), None);
    }
}
