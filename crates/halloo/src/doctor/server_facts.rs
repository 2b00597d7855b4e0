//! What a server knows about itself, and the findings that follow from it.

use std::net::IpAddr;

use super::facts::Facts;
use super::finding::{Finding, fail, ok, warn};
use super::remedies::allow_incoming;

/// What a server knows about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerFacts<'a> {
    pub(crate) id: &'a str,
    pub(crate) bind: Option<IpAddr>,
    pub(crate) running: bool,
    pub(crate) discovery: bool,
    /// The UDP port on which it receives probes; 0 if there is none.
    pub(crate) discovery_port: u16,
    pub(crate) clients: usize,
}

/// Returns the findings about `server`, from its own state and from whether it replied to a probe.
pub(super) fn findings(server: &ServerFacts<'_>, facts: &Facts) -> Vec<Finding> {
    if !server.running {
        return vec![fail("server", "this server is not running".into(), "restart it".into())];
    }
    let mut findings = Vec::new();
    if let Some(ip) = server.bind.filter(IpAddr::is_loopback) {
        let advice = "start it without a bind address, or with an address of the network";
        findings.push(fail(
            "server",
            format!("this server listens on {ip} only, which other machines cannot reach"),
            advice.into(),
        ));
    }
    if !server.discovery {
        let advice = "start its service discovery, or pass its address to clients, for example by the QR code";
        findings.push(warn(
            "server",
            "this server sends no beacons and replies to no probes: its discovery is off".into(),
            advice.into(),
        ));
        return findings;
    }
    if server.clients > 0 {
        let text = format!(
            "this server sends no beacons while it has clients ({}); it still replies to probes",
            server.clients
        );
        findings.push(ok("server", text));
    }
    if server.discovery_port == 0 {
        let advice = "stop the programs that use the UDP ports 8766 to 8775 exclusively, and start it again";
        findings.push(fail(
            "server",
            "this server receives no probes: it has no UDP port for them".into(),
            advice.into(),
        ));
        return findings;
    }
    findings.push(match facts.servers.iter().any(|found| found.id == server.id) {
        true => ok("server", "this server replied to a probe".into()),
        false => fail("server", "this server did not reply to a probe".into(), allow_incoming(facts)),
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::super::facts::FoundServer;
    use super::super::{Severity, diagnosis};
    use super::*;

    const SERVER: ServerFacts<'_> =
        ServerFacts { id: "a1", bind: None, running: true, discovery: true, discovery_port: 8766, clients: 0 };

    fn facts(ids: &[&str]) -> Facts {
        let server = |id: &&str| FoundServer {
            id: (*id).into(),
            name: "den".into(),
            port: 8765,
            here: true,
            replied_via: Vec::new(),
            connects: Vec::new(),
            refuses: Vec::new(),
        };
        Facts { platform: "linux", servers: ids.iter().map(server).collect(), ..Facts::default() }
    }

    /// Returns the severities and texts of all findings.
    fn report(server: &ServerFacts<'_>, ids: &[&str]) -> String {
        let findings = findings(server, &facts(ids)).into_iter();
        findings.map(|finding| format!("{:?} {}; ", finding.severity, finding.text)).collect()
    }

    #[test]
    fn a_server_is_found_by_its_id() {
        assert_eq!(report(&SERVER, &["b2", "a1"]), "Ok this server replied to a probe; ");
        assert_eq!(report(&SERVER, &["b2"]), "Fail this server did not reply to a probe; ");
    }

    #[test]
    fn the_state_of_the_server_is_reported() {
        let loopback = ServerFacts { bind: Some([127, 0, 0, 1].into()), ..SERVER };
        assert!(report(&loopback, &["a1"]).starts_with("Fail this server listens on 127.0.0.1 only"));
        let network = ServerFacts { bind: Some([192, 168, 1, 5].into()), clients: 2, ..SERVER };
        assert!(report(&network, &["a1"]).starts_with("Ok this server sends no beacons while it has clients (2)"));
        let hidden = ServerFacts { discovery: false, ..SERVER };
        assert!(report(&hidden, &[]).starts_with("Warn this server sends no beacons and replies to no probes"));
        let without_port = report(&ServerFacts { discovery_port: 0, ..SERVER }, &[]);
        assert_eq!(without_port, "Fail this server receives no probes: it has no UDP port for them; ");
        let stopped = report(&ServerFacts { running: false, ..SERVER }, &[]);
        assert_eq!(stopped, "Fail this server is not running; ");
    }

    #[test]
    fn the_advice_to_start_a_server_is_not_given_to_a_server() {
        let has_advice = |server: Option<&ServerFacts<'_>>| {
            let findings = diagnosis::findings(&facts(&[]), server);
            findings
                .iter()
                .any(|finding| finding.advice.as_deref().is_some_and(|advice| advice.starts_with("start one")))
        };
        assert!(has_advice(None) && !has_advice(Some(&SERVER)));
        let first = &diagnosis::findings(&facts(&["a1"]), Some(&SERVER))[0];
        assert_eq!(first.severity, Severity::Ok, "the server itself is first");
    }
}
