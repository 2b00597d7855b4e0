//! A client that measures how fast the server responds to others while it is under attack.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::cores;
use crate::latency::p99;
use crate::peer::Peer;

/// The time between two pings; at 40 pings per second, the client stays below the limit on control frames.
const INTERVAL: Duration = Duration::from_millis(25);

/// A well-behaved client that sends pings and measures the round trips.
pub(crate) struct ProbeClient {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<u32>>>,
}

impl ProbeClient {
    pub(crate) fn start(port: u16) -> Result<ProbeClient> {
        Ok(ProbeClient::with(Peer::join(port)?))
    }

    /// Starts with a connected client. From then on, the calling thread has a lower priority: it goes on to attack.
    pub(crate) fn with(mut peer: Peer) -> ProbeClient {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut round_trips = Vec::new();
            while !stopped.load(Ordering::SeqCst) {
                round_trips.push(u32::try_from(peer.round_trip(b"probe")?.as_micros())?);
                std::thread::sleep(INTERVAL);
            }
            Ok(round_trips)
        });
        cores::lower_priority();
        ProbeClient { stop, thread }
    }

    /// Stops and returns the 99th percentile of the round trips.
    pub(crate) fn stop(self) -> Result<Duration> {
        self.stop.store(true, Ordering::SeqCst);
        Ok(p99(self.thread.join().map_err(|_| anyhow!("the probe client panicked"))??))
    }
}
