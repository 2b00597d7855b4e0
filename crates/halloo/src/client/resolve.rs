//! Resolving the name of a host: by the system, and names under `.local` by multicast DNS as well.

use std::net::SocketAddr;
#[cfg(feature = "mdns")]
use std::sync::mpsc::Sender;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::system_resolver::{Addresses, Resolution};
use crate::Search;
use crate::cancellable_thread::Cancel;
#[cfg(feature = "mdns")]
use crate::cancellable_thread::CancellableThread;

/// The time to resolve a name, unless a search may take longer: two attempts of a usual resolver.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of addresses of a host that are tried.
const MAX_ADDRESSES: usize = 16;

/// Resolves a host name, or an IPv6 address with a zone. Blocks until there is a result, or until it is cancelled.
///
/// A system without multicast DNS does not know `.local` (RFC 6762 section 3), so that the search for servers asks the
/// network itself at the same time. The first result is used.
pub(super) fn resolve(host: &str, port: u16, search: &Search, cancel: &Cancel) -> Addresses {
    let timeout = RESOLVE_TIMEOUT.max(search.timeout);
    let (answer, answers) = channel();
    let _by_system = Resolution::start(host, port, answer.clone());
    #[cfg(feature = "mdns")]
    let by_network = by_network(host, port, search, answer.clone());
    #[cfg(not(feature = "mdns"))]
    let by_network = None::<()>;
    let pending = 1 + usize::from(by_network.is_some());
    cancel.on_cancel(move || drop(answer.send(Err("the client was stopped".into()))));
    first_addresses(&answers, pending, timeout, cancel)
        .map_err(|error| error.unwrap_or_else(|| format!("cannot resolve host name {host} within {timeout:?}")))
}

/// Returns the addresses of the first answer that has some; otherwise the last error, or `None` if an answer is missing
/// after `timeout`.
fn first_addresses(
    answers: &Receiver<Addresses>,
    mut pending: usize,
    timeout: Duration,
    cancel: &Cancel,
) -> Result<Vec<SocketAddr>, Option<String>> {
    let start = Instant::now();
    let mut failure = None;
    while pending > 0 && !cancel.is_cancelled() {
        match answers.recv_timeout(timeout.saturating_sub(start.elapsed())) {
            Ok(Ok(mut addresses)) if !addresses.is_empty() => {
                addresses.truncate(MAX_ADDRESSES);
                return Ok(addresses);
            }
            Ok(Ok(_)) => failure = Some("the host name has no address".into()),
            Ok(Err(error)) => failure = Some(error),
            Err(_) => return Err(None),
        }
        pending -= 1;
    }
    Err(failure)
}

/// Looks up a name under `.local` by multicast DNS; `None` for another name, and if there is no search by multicast DNS.
#[cfg(feature = "mdns")]
fn by_network(host: &str, port: u16, search: &Search, answer: Sender<Addresses>) -> Option<CancellableThread> {
    let name = host.strip_suffix('.').unwrap_or(host).to_owned();
    if !name.ends_with(".local") || search.browser.local || !search.browser.mdns {
        return None;
    }
    let timeout = search.timeout;
    let ask = move |cancel: &Cancel| {
        let found = crate::mdns::resolve_host(&name, timeout, cancel).map_err(|error| error.to_string());
        let at_port = |ip| SocketAddr::new(ip, port);
        // The receiver has left if the system was faster.
        let _ = answer.send(found.map(|found| found.into_iter().map(at_port).collect()));
    };
    CancellableThread::spawn("halloo-resolve-mdns", ask)
        .map_err(|error| tracing::debug!(%error, "cannot start a thread for multicast DNS"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_answer_with_addresses_is_used_and_their_number_is_bounded() {
        let (answer, answers) = channel();
        answer.send(Ok(Vec::new())).unwrap();
        answer.send(Ok(vec![([10, 0, 0, 1], 1).into(); 100])).unwrap();
        let addresses = first_addresses(&answers, 2, Duration::MAX, &Cancel::default());
        assert_eq!(addresses.unwrap().len(), MAX_ADDRESSES);
    }

    #[test]
    fn answer_that_is_missing_after_the_timeout_is_an_error_whatever_came_before() {
        let (answer, answers) = channel();
        answer.send(Err("no such host".into())).unwrap();
        assert_eq!(first_addresses(&answers, 2, Duration::ZERO, &Cancel::default()), Err(None));
        answer.send(Err("no such host".into())).unwrap();
        assert_eq!(first_addresses(&answers, 1, Duration::MAX, &Cancel::default()), Err(Some("no such host".into())));
    }
}
