//! A look at a cluster without joining it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use async_nats::Subject;
use futures_util::StreamExt;
use tokio::time::{sleep, timeout};

use crate::broker::Broker;
use crate::fault::Fault;
use crate::header::{Header, Kind};
use crate::subjects::Subjects;
use crate::{ClusterConfig, ClusterError};

/// How long beats are waited for: every node sends one in that time.
const LISTEN: Duration = Duration::from_millis(1300);
/// Maximum time for an answer.
const ROUND_TRIP: Duration = Duration::from_secs(2);

/// What a broker is like, and who uses it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrokerReport {
    /// The address of the broker.
    pub broker: String,
    /// Its version.
    pub version: String,
    /// The largest message that it accepts, in bytes.
    pub max_payload: usize,
    /// The time of a round trip.
    pub rtt: Duration,
    /// The number of nodes of the cluster.
    pub nodes: usize,
    /// Whether it requires credentials.
    pub requires_credentials: bool,
    /// Whether other machines can reach it, as far as its address says.
    pub is_loopback: bool,
}

/// Connects to each broker of a cluster, listens for 1.3 s, and says what was found. Joins nothing and sends nothing to nodes.
///
/// # Errors
/// [`ClusterError`] if an address is invalid; what is wrong with a broker is in its result.
pub fn probe(config: &ClusterConfig) -> Result<Vec<Result<BrokerReport, Fault>>, ClusterError> {
    let parsed: Result<Vec<Broker>, String> = config.brokers.iter().map(|text| Broker::parse(text)).collect();
    let brokers = parsed.map_err(ClusterError::Address)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| ClusterError::System { what: "start a runtime", error })?;
    let reports = brokers.iter().map(|broker| runtime.block_on(probe_broker(broker, config))).collect();
    runtime.shutdown_background();
    Ok(reports)
}

async fn probe_broker(broker: &Broker, config: &ClusterConfig) -> Result<BrokerReport, Fault> {
    let connections = broker.connect(config).await?;
    let (subjects, info) = (Subjects::new(&config.name), connections.control.server_info());
    let lost = |detail: &str| Fault::Lost { broker: broker.name(), detail: detail.into() };
    let beats = connections.control.subscribe(Subject::from(subjects.beat().to_string())).await;
    let mut beats = beats.map_err(|_| lost("it ended"))?;
    // No node has this number, so the broker itself answers.
    let nothing = Subject::from(subjects.node(0).to_string());
    let start = Instant::now();
    let answer = timeout(ROUND_TRIP, connections.control.request(nothing, "".into())).await;
    let rtt = start.elapsed();
    answer.map_err(|_| lost("it does not answer")).map(drop)?;
    let mut nodes = HashSet::new();
    let listening = async {
        while let Some(beat) = beats.next().await {
            if let Ok(Header { kind: Kind::Beat | Kind::Ask, instance, .. }) = Header::decode(&beat.payload) {
                nodes.insert(instance);
            }
        }
    };
    tokio::select! {
        () = listening => return Err(lost("it ended")),
        () = sleep(LISTEN) => {}
    }
    Ok(BrokerReport {
        broker: broker.name(),
        version: halloo_proto::text::escape(&info.version, 40),
        max_payload: info.max_payload,
        rtt,
        nodes: nodes.len(),
        requires_credentials: info.auth_required,
        is_loopback: broker.is_loopback(),
    })
}
