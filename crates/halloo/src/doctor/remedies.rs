//! What to do about a firewall, platform by platform.

use super::facts::Facts;

/// Returns how to allow incoming datagrams, when a firewall is the likely cause.
pub(super) fn allow_incoming(facts: &Facts) -> String {
    let command = match (facts.platform, facts.firewalls.first()) {
        ("linux", Some(firewall)) => open_ports(firewall.name),
        ("linux", None) => "a firewall is likely; as root, `nft list ruleset` shows it",
        ("windows", _) => WINDOWS,
        ("macos", _) => MACOS,
        ("android", _) => "the app must hold a MulticastLock and, since Android 17, ACCESS_LOCAL_NETWORK",
        ("ios", _) => "the app needs the multicast entitlement and NSLocalNetworkUsageDescription",
        _ => "allow UDP 8766 to 8775 and TCP 8765 to 8774 in the firewall",
    };
    command.into()
}

/// Returns how to allow outgoing datagrams.
pub(super) fn allow_outgoing(platform: &str) -> &'static str {
    match platform {
        "macos" => MACOS,
        "windows" => WINDOWS,
        "android" => "the app needs the permissions INTERNET and, since Android 17, ACCESS_LOCAL_NETWORK",
        "ios" => "the app needs the multicast entitlement and NSLocalNetworkUsageDescription",
        _ => "a firewall or a VPN blocks it: check the rules for outgoing traffic",
    }
}

const WINDOWS: &str = "as administrator: netsh advfirewall firewall add rule name=halloo dir=in action=allow \
                       program=\"C:\\path\\to\\halloo.exe\" profile=private; and set the network to private";
const MACOS: &str = "since macOS 15: System Settings, Privacy & Security, Local Network: allow the terminal or the app; \
                     and Network, Firewall: allow incoming connections";

/// Returns how to open the ports in this firewall.
pub(super) fn open_ports(firewall: &str) -> &'static str {
    match firewall {
        "ufw" => "sudo ufw allow 8765:8774/tcp; sudo ufw allow 8766:8775/udp; sudo ufw allow 5353/udp",
        "firewalld" => {
            "sudo firewall-cmd --add-port=8765-8774/tcp --add-port=8766-8775/udp --add-service=mdns, \
             and again with --permanent"
        }
        _ => {
            "in the input chain: tcp dport 8765-8774 accept; udp dport { 5353, 8766-8775 } accept; \
             `sudo nft list ruleset` shows its name"
        }
    }
}
