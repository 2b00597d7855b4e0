//! A server that has itself examined, and knows more of itself than a machine tells of it.

use std::net::IpAddr;

use super::facts::Facts;
use super::finding::{Finding, fail, ok, warn};
use super::remedies::let_in;

/// What a server knows of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own<'a> {
    pub(crate) id: &'a str,
    pub(crate) bind: Option<IpAddr>,
    pub(crate) running: bool,
    pub(crate) discovery: bool,
    /// Where it hears probes; 0 when nowhere.
    pub(crate) discovery_port: u16,
    pub(crate) clients: usize,
}

/// Judges the server by what it says and by whether it was found.
pub(super) fn judge(own: &Own<'_>, facts: &Facts) -> Vec<Finding> {
    if !own.running {
        return vec![fail("server", "this server does not run".into(), "restart it".into())];
    }
    let mut findings = Vec::new();
    if let Some(ip) = own.bind.filter(IpAddr::is_loopback) {
        let advice = "start it without an address to bind to, or with that of the network";
        findings.push(fail(
            "server",
            format!("this server listens at {ip} only, where no other machine comes"),
            advice.into(),
        ));
    }
    if !own.discovery {
        let advice = "start its service discovery, or let clients have its address, by the QR code for instance";
        findings.push(warn(
            "server",
            "this server neither calls nor answers: its discovery is off".into(),
            advice.into(),
        ));
        return findings;
    }
    if own.clients > 0 {
        let text = format!("this server has clients ({}) and calls nobody; it still answers probes", own.clients);
        findings.push(ok("server", text));
    }
    if own.discovery_port == 0 {
        let advice = "stop the programs that keep the UDP ports of discovery for themselves, and start it again";
        findings.push(fail("server", "this server cannot hear probes: it got no port for them".into(), advice.into()));
        return findings;
    }
    findings.push(match facts.servers.iter().any(|server| server.id == own.id) {
        true => ok("server", "this server answered a probe".into()),
        false => fail("server", "this server did not answer a probe".into(), let_in(facts)),
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::super::facts::ServerFacts;
    use super::super::{Severity, judgement};
    use super::*;

    const OWN: Own<'_> = Own { id: "a1", bind: None, running: true, discovery: true, discovery_port: 8766, clients: 0 };

    fn facts(ids: &[&str]) -> Facts {
        let server = |id: &&str| ServerFacts {
            id: (*id).into(),
            name: "den".into(),
            port: 8765,
            here: true,
            answered_via: Vec::new(),
            connects: Vec::new(),
            refuses: Vec::new(),
        };
        Facts { platform: "linux", servers: ids.iter().map(server).collect(), ..Facts::default() }
    }

    /// Verdicts and texts in one.
    fn told(own: &Own<'_>, ids: &[&str]) -> String {
        let findings = judge(own, &facts(ids)).into_iter();
        findings.map(|finding| format!("{:?} {}; ", finding.severity, finding.text)).collect()
    }

    #[test]
    fn it_finds_itself_among_others_or_does_not() {
        assert_eq!(told(&OWN, &["b2", "a1"]), "Ok this server answered a probe; ");
        assert_eq!(told(&OWN, &["b2"]), "Fail this server did not answer a probe; ");
    }

    #[test]
    fn it_says_what_only_it_knows() {
        let loopback = Own { bind: Some([127, 0, 0, 1].into()), ..OWN };
        assert!(told(&loopback, &["a1"]).starts_with("Fail this server listens at 127.0.0.1 only"));
        let network = Own { bind: Some([192, 168, 1, 5].into()), clients: 2, ..OWN };
        assert!(told(&network, &["a1"]).starts_with("Ok this server has clients (2)"));
        assert!(told(&Own { discovery: false, ..OWN }, &[]).starts_with("Warn this server neither calls"));
        let unheard = told(&Own { discovery_port: 0, ..OWN }, &[]);
        assert_eq!(unheard, "Fail this server cannot hear probes: it got no port for them; ");
        assert_eq!(told(&Own { running: false, ..OWN }, &[]), "Fail this server does not run; ");
    }

    #[test]
    fn nobody_is_asked_to_start_what_runs() {
        let asks = |own: Option<&Own<'_>>| {
            let findings = judgement::judge(&facts(&[]), own);
            findings
                .iter()
                .any(|finding| finding.advice.as_deref().is_some_and(|advice| advice.starts_with("start one")))
        };
        assert!(asks(None) && !asks(Some(&OWN)));
        assert_eq!(judgement::judge(&facts(&["a1"]), Some(&OWN))[0].severity, Severity::Ok, "of itself first");
    }
}
