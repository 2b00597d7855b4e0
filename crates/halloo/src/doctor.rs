//! Why a server is not found: what this machine shows, and what to do about it.

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

/// The result of [`diagnose`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// Whether no check failed; warnings do not count.
    pub well: bool,
    /// One for each check.
    pub findings: Vec<Finding>,
    /// What cannot be checked from one machine, and what to do about it.
    pub beyond: Vec<String>,
    /// The facts behind the findings; the JSON form shows them, for programs and bug reports.
    facts: Facts,
}

/// Checks interfaces, ports, broadcast, multicast, firewalls and the servers that answer. It takes about a second, and
/// sends what a search sends: probes on each attached network, and a query by multicast DNS.
///
/// ```no_run
/// for finding in halloo::diagnose().findings {
///     println!("{:?} {}: {}", finding.severity, finding.about, finding.text);
/// }
/// ```
pub fn diagnose() -> Diagnosis {
    examine(None)
}

/// Does the same for a server that checks itself.
pub(crate) fn examine(own: Option<&Own<'_>>) -> Diagnosis {
    let facts = examination::examine(own.map(|own| own.discovery_port).filter(|&port| port > 0));
    let findings = judgement::judge(&facts, own);
    let well = findings.iter().all(|finding| finding.severity < Severity::Fail);
    Diagnosis { well, findings, beyond: judgement::beyond(), facts }
}
