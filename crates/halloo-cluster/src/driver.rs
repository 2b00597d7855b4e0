//! The thread of a node: connects to a broker, and again when the connection ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use halloo::Outgoing;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::broker::Broker;
use crate::fault::Fault;
use crate::first_attempt::First;
use crate::node::Node;
use crate::random::random;
use crate::session::{End, Session};

/// The first and the longest delay between two attempts.
const DELAYS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];
/// Time without a connection after which the other nodes count as gone.
const ISOLATED_AFTER: Duration = Duration::from_millis(3500);

/// What the thread of a node owns.
#[derive(Debug)]
pub(crate) struct Driver {
    node: Node,
    brokers: Vec<Broker>,
    stopped: watch::Receiver<bool>,
    first: First,
}

impl Driver {
    pub(crate) fn new(node: Node, brokers: Vec<Broker>, stopped: watch::Receiver<bool>, first: First) -> Driver {
        Driver { node, brokers, stopped, first }
    }

    /// Runs until the node or the server stops.
    pub(crate) fn run(mut self) {
        let mut delay = DELAYS[0];
        let mut last_connected: Option<std::time::Instant> = None;
        for attempt in 0_usize.. {
            let broker = self.brokers[attempt % self.brokers.len()].clone();
            // A runtime for each connection: dropping it is the only way to be rid of what the client of NATS would send
            // to a broker that it reaches again.
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!("the cluster ends, because no runtime starts: {error}"),
            };
            let connect = AssertUnwindSafe(|| runtime.block_on(self.attempt(&broker)));
            let end = catch_unwind(connect).unwrap_or_else(|_| {
                let detail = "its client failed; the log says how".into();
                End::Failed(Fault::Lost { broker: broker.name(), detail }, false)
            });
            if let End::Failed(fault, was_joined) = &end {
                if *was_joined {
                    delay = DELAYS[0];
                    last_connected = Some(std::time::Instant::now());
                }
                self.node.degrade(fault);
                // When each broker has been tried.
                if attempt + 1 >= self.brokers.len() {
                    self.first.tell(Err(fault.clone()));
                }
            }
            // Without waiting for what still connects.
            runtime.shutdown_background();
            if !matches!(end, End::Failed(..)) || !self.wait(delay) {
                return;
            }
            if last_connected.is_some_and(|then| then.elapsed() >= ISOLATED_AFTER) {
                last_connected = None;
                self.node.handle_isolation();
            }
            delay = (2 * delay).min(DELAYS[1]);
        }
    }

    async fn attempt(&mut self, broker: &Broker) -> End {
        self.node.broker = broker.name();
        let mut stopped = self.stopped.clone();
        let connections = tokio::select! {
            connections = broker.connect(&self.node.config) => connections,
            _ = stopped.wait_for(|stopped| *stopped) => return End::Stopped,
        };
        match connections {
            Ok(connections) => Session::new(&mut self.node, connections).run(stopped, &mut self.first).await,
            Err(fault) => End::Failed(fault, false),
        }
    }

    /// Waits between two attempts. Returns whether there is to be another one.
    fn wait(&mut self, delay: Duration) -> bool {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return false };
        // Not in step with the other nodes.
        let delay = delay.mul_f64(0.75 + (random().unwrap_or(0) % 1000) as f64 / 4000.0);
        runtime.block_on(async {
            let end = Instant::now() + delay;
            loop {
                tokio::select! {
                    () = sleep_until(end) => {
                        self.node.handle_timeout();
                        return true;
                    }
                    _ = self.stopped.wait_for(|stopped| *stopped) => return false,
                    next = self.node.link.next() => match next {
                        Some(Outgoing::Counts { clients, rooms }) => self.node.set_counts(clients, &rooms),
                        Some(_) => {}
                        None => return false,
                    },
                }
            }
        })
    }
}
