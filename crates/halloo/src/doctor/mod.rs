//! Why is it not found? What this machine can tell about itself, and what to do about it.

mod facts;
mod finding;
mod judgement;
mod own;
mod remedies;

mod examination;
mod probing;

mod firewalls;
mod holders;

use serde::Serialize;

use facts::Facts;
pub use finding::{Finding, Severity};
pub(crate) use own::Own;

/// What [`diagnose`] found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// Whether nothing failed; warnings do not count.
    pub well: bool,
    /// One for each thing that was looked at.
    pub findings: Vec<Finding>,
    /// What no program can see from one machine, and what to do about it.
    pub beyond: Vec<String>,
    /// What the findings were judged by; the JSON form shows it, for programs and for bug reports.
    facts: Facts,
}

/// Looks at interfaces, ports, broadcast, multicast, firewalls and the servers that answer. It takes about a second,
/// and sends what a search sends: probes on each network that this machine is attached to, and a question by
/// multicast DNS.
///
/// ```no_run
/// for finding in halloo::diagnose().findings {
///     println!("{:?} {}: {}", finding.severity, finding.about, finding.text);
/// }
/// ```
pub fn diagnose() -> Diagnosis {
    examine(None)
}

/// The same for a server that asks about itself.
pub(crate) fn examine(own: Option<&Own<'_>>) -> Diagnosis {
    let facts = examination::examine(own.map(|own| own.discovery_port).filter(|&port| port > 0));
    let findings = judgement::judge(&facts, own);
    let well = findings.iter().all(|finding| finding.severity < Severity::Fail);
    Diagnosis { well, findings, beyond: judgement::beyond(), facts }
}
