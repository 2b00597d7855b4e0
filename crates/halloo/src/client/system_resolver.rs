//! Host names that the operating system resolves. That cannot be interrupted, so it happens on threads of their own.

use std::collections::VecDeque;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The addresses of a host, or why there are none.
pub(super) type Addresses = Result<Vec<SocketAddr>, String>;

/// Maximum number of host names that are resolved at a time in this process; further ones wait. A resolver that does not
/// respond holds a thread for as long as the system tries, half a minute on most.
const MAX_THREADS: usize = 8;

static POOL: Mutex<Pool> = Mutex::new(Pool { threads: 0, waiting: VecDeque::new() });

/// The threads of this process, and the requests that wait for one.
struct Pool {
    threads: usize,
    waiting: VecDeque<Request>,
}

struct Request {
    host: String,
    port: u16,
    answer: Sender<Addresses>,
    /// Dead when no thread waits for the answer.
    handle: Weak<()>,
}

/// A host name that is being resolved, or waits for it. Dropping it removes one that waits; one that is being resolved is
/// left to itself.
#[derive(Debug)]
pub(super) struct Resolution {
    _handle: Arc<()>,
}

impl Resolution {
    /// Resolves a host name, or an IPv6 address with a zone, and sends the result to `answer`.
    pub(super) fn start(host: &str, port: u16, answer: Sender<Addresses>) -> Resolution {
        let handle = Arc::new(());
        let mut pool = lock();
        pool.waiting.retain(Request::is_wanted);
        pool.waiting.push_back(Request { host: host.to_owned(), port, answer, handle: Arc::downgrade(&handle) });
        if pool.threads < MAX_THREADS {
            match std::thread::Builder::new().name("halloo-resolve".into()).spawn(resolve_waiting) {
                Ok(_) => pool.threads += 1,
                Err(error) if pool.threads == 0 => {
                    let failure = format!("cannot start a thread to resolve host names: {error}");
                    for request in pool.waiting.drain(..) {
                        let _ = request.answer.send(Err(failure.clone()));
                    }
                }
                // One of the others takes the request.
                Err(error) => tracing::debug!(%error, "cannot start another thread to resolve host names"),
            }
        }
        Resolution { _handle: handle }
    }
}

impl Request {
    fn is_wanted(&self) -> bool {
        self.handle.strong_count() > 0
    }
}

/// Resolves the names that wait, until there are none.
fn resolve_waiting() {
    loop {
        let next = {
            let mut pool = lock();
            pool.waiting.retain(Request::is_wanted);
            let next = pool.waiting.pop_front();
            pool.threads -= usize::from(next.is_none());
            next
        };
        let Some(Request { host, port, answer, .. }) = next else { return };
        // Its receiver may have left meanwhile.
        let _ = answer.send(resolve(&host, port));
    }
}

fn resolve(host: &str, port: u16) -> Addresses {
    let addresses = (host, port).to_socket_addrs();
    addresses.map(Iterator::collect).map_err(|error| match host.split_once('%') {
        Some((ip, zone)) => {
            format!("cannot use {ip} with the zone {zone} ({error}); choose an interface of this machine")
        }
        None => format!("cannot resolve host name {host}: {error}"),
    })
}

/// The pool is consistent wherever a statement could panic, so that a poisoned lock is still usable.
fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn every_one_of_many_names_is_resolved_and_the_number_of_threads_is_bounded() {
        let (answer, answers) = channel();
        let waiting: Vec<Resolution> = (0..500).map(|_| Resolution::start("127.0.0.1", 9, answer.clone())).collect();
        for _ in &waiting {
            assert_eq!(answers.recv().unwrap(), Ok(vec![([127, 0, 0, 1], 9).into()]));
            assert!(lock().threads <= MAX_THREADS);
        }
    }
}
