//! Firewalls that are switched on, as far as that can be seen.

use super::facts::FirewallFacts;

/// Those of Linux. The others are told by what does not come back.
pub(super) fn find() -> Vec<FirewallFacts> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let mut found = Vec::new();
    if read("/etc/ufw/ufw.conf").is_some_and(|text| ufw_is_on(&text)) {
        let lets_in = read("/etc/ufw/user.rules").map(|rules| names_port(&rules));
        found.push(FirewallFacts { name: "ufw", lets_in });
    }
    if std::path::Path::new("/run/firewalld.pid").exists() || std::path::Path::new("/run/firewalld").exists() {
        found.push(FirewallFacts { name: "firewalld", lets_in: None });
    }
    // Both of them write rules of nftables, and say more clearly what they mean.
    if found.is_empty()
        && let Some(rules) = ruleset().filter(|rules| drops_by_default(rules))
    {
        found.push(FirewallFacts { name: "nftables", lets_in: Some(names_port(&rules)) });
    }
    found
}

/// The rules of nftables, which are for root to read.
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

fn names_port(rules: &str) -> bool {
    rules.contains("8765")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_switch_of_ufw() {
        assert!(ufw_is_on("# /etc/ufw/ufw.conf\nENABLED=yes\nLOGLEVEL=low\n"));
        assert!(!ufw_is_on("ENABLED=no\n# ENABLED=yes if you wish\n"));
    }

    #[test]
    fn reads_what_nftables_does_by_default() {
        let rules = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\
                     \t\ttcp dport 8765-8774 accept\n\t}\n}";
        assert!(drops_by_default(rules) && names_port(rules));
        assert!(!drops_by_default(&rules.replace("drop", "accept")));
        assert!(!drops_by_default(&rules.replace("input", "forward")));
    }
}
