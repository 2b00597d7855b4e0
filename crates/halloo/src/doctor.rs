//! Why a server is not found: what this machine shows, and what to do about it.

mod facts;
mod finding;

mod diagnosis;
mod server_facts;

mod limitations;
mod remedies;

mod collect;
mod probing;

mod firewalls;

use serde::Serialize;

use facts::Facts;
pub use finding::{Finding, Severity};
pub(crate) use server_facts::ServerFacts;

/// The result of [`diagnose`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// Whether no check failed; warnings do not count.
    pub healthy: bool,
    /// One for each check.
    pub findings: Vec<Finding>,
    /// What cannot be checked from one machine, and what to do about it.
    pub limitations: Vec<String>,
    /// The facts behind the findings; the JSON form shows them, for programs and bug reports.
    facts: Facts,
}

impl Diagnosis {
    /// Adds the result of a check that another crate made.
    pub fn add(&mut self, severity: Severity, about: &'static str, text: String, advice: Option<String>) {
        self.healthy &= severity < Severity::Fail;
        self.findings.push(Finding { severity, about, text, advice });
    }
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
    diagnose_server(None)
}

/// Does the same for a server of this program, if there is one.
pub(crate) fn diagnose_server(server: Option<&ServerFacts<'_>>) -> Diagnosis {
    let facts = collect::collect(server.map(|server| server.discovery_port).filter(|&port| port > 0));
    let findings = diagnosis::findings(&facts, server);
    let healthy = findings.iter().all(|finding| finding.severity < Severity::Fail);
    Diagnosis { healthy, findings, limitations: limitations::limitations(), facts }
}
