//! Firewalls that are on.

use super::facts::FirewallFacts;

/// Returns the firewalls of Linux. Those of other systems show by the datagrams that do not come back.
pub(super) fn find() -> Vec<FirewallFacts> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let mut found = Vec::new();
    if read("/etc/ufw/ufw.conf").is_some_and(|text| ufw_is_on(&text)) {
        let allows = read("/etc/ufw/user.rules").map(|rules| contains_port(&rules));
        found.push(FirewallFacts { name: "ufw", allows });
    }
    if std::path::Path::new("/run/firewalld.pid").exists() || std::path::Path::new("/run/firewalld").exists() {
        found.push(FirewallFacts { name: "firewalld", allows: None });
    }
    // Both of them write rules for nftables; their own rules are easier to interpret.
    if found.is_empty()
        && let Some(rules) = ruleset().filter(|rules| drops_by_default(rules))
    {
        found.push(FirewallFacts { name: "nftables", allows: Some(contains_port(&rules)) });
    }
    found
}

/// Returns the rules of nftables, which only root can read.
fn ruleset() -> Option<String> {
    let mut nft = std::process::Command::new("nft");
    nft.args(["list", "ruleset"]).stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let output = nft.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

fn ufw_is_on(conf: &str) -> bool {
    conf.lines().any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes"))
}

fn drops_by_default(rules: &str) -> bool {
    rules.lines().any(|line| line.contains("hook input") && line.contains("policy drop"))
}

fn contains_port(rules: &str) -> bool {
    rules.contains("8765")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ufw_is_recognised_as_on_or_off() {
        assert!(ufw_is_on("# /etc/ufw/ufw.conf\nENABLED=yes\nLOGLEVEL=low\n"));
        assert!(!ufw_is_on("ENABLED=no\n# ENABLED=yes to enable it\n"));
    }

    #[test]
    fn the_default_policy_of_nftables_is_recognised() {
        let rules = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\
                     \t\ttcp dport 8765-8774 accept\n\t}\n}";
        assert!(drops_by_default(rules) && contains_port(rules));
        assert!(!drops_by_default(&rules.replace("drop", "accept")));
        assert!(!drops_by_default(&rules.replace("input", "forward")));
    }
}
