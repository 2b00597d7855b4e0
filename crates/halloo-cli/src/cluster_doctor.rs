//! What `halloo doctor` says about a cluster.

use std::time::Duration;

use halloo::{Diagnosis, Severity};
use halloo_cluster::{BrokerReport, ClusterConfig};

/// A round trip above which messages between servers are late for games.
const SLOW: Duration = Duration::from_millis(20);
const ABOUT: &str = "cluster";

/// Adds what is found about the brokers of a cluster, if one is given.
pub(crate) fn add_to(diagnosis: &mut Diagnosis, config: Option<&ClusterConfig>) -> anyhow::Result<()> {
    let Some(config) = config else { return Ok(()) };
    for report in halloo_cluster::probe(config)? {
        match report {
            Ok(report) => add_report(diagnosis, &report, &config.name),
            Err(fault) => {
                let text = fault.to_string();
                let (text, advice) = text.rsplit_once("; ").unwrap_or((&text, "check the broker"));
                diagnosis.add(Severity::Fail, ABOUT, text.into(), Some(advice.into()));
            }
        }
    }
    Ok(())
}

fn add_report(diagnosis: &mut Diagnosis, report: &BrokerReport, name: &str) {
    let BrokerReport { broker, version, max_payload, rtt, nodes, .. } = report;
    let milliseconds = rtt.as_secs_f64() * 1000.0;
    let found = format!(
        "the broker {broker} has version {version}, accepts {max_payload} bytes per message and answers in \
         {milliseconds:.1} ms; servers in \"{name}\": {nodes}"
    );
    diagnosis.add(Severity::Ok, ABOUT, found, None);
    if *rtt > SLOW {
        let text = format!("the broker {broker} takes {milliseconds:.0} ms to answer");
        let advice = "connect it by cable, and use one that is near";
        diagnosis.add(Severity::Warn, ABOUT, text, Some(advice.into()));
    }
    if !report.requires_credentials && !report.is_loopback {
        let text = format!("the broker {broker} accepts everyone, and everyone can send to all clients");
        let advice = "set `authorization` in its configuration, as contrib/nats-halloo.conf does";
        diagnosis.add(Severity::Warn, ABOUT, text, Some(advice.into()));
    }
}
