//! `Host` and `Origin`: a second, simpler version of the rules allows every request that is allowed.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use halloo_proto::access::AccessRules;
use libfuzzer_sys::fuzz_target;

const EXTENSIONS: [&str; 3] = ["chrome-extension", "moz-extension", "safari-web-extension"];

fuzz_target!(|text: &str| {
    // Three lines: "near" for a peer on loopback, a host and an origin.
    let mut lines = text.splitn(3, '\n');
    let near = lines.next() == Some("near");
    let (host, origin) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let peer: IpAddr = if near { Ipv4Addr::LOCALHOST.into() } else { Ipv4Addr::new(192, 168, 1, 9).into() };
    let mut rules = AccessRules::default();
    rules.own_host = Some("den".into());
    match rules.check_host(&[host]) {
        Ok(checked) => {
            assert_eq!(checked, host);
            let name = name_of(host).to_ascii_lowercase();
            let name = name.strip_suffix('.').unwrap_or(&name);
            let local =
                name == "den" || name == "localhost" || name.ends_with(".localhost") || name.ends_with(".local");
            assert!(local || is_address(name), "{host:?} is not this server");
        }
        Err(denied) => assert!(!denied.to_string().chars().any(char::is_control)),
    }
    let host = if rules.check_host(&[host]).is_ok() { host } else { "192.168.1.5:8765" };
    match rules.check_origin(&[origin], host, peer) {
        Ok(()) => {
            let (scheme, rest) = origin.split_once("://").expect("a scheme");
            assert!(!rest.contains(['/', '@', '?', '#', ' ']), "{origin:?} is more than an origin");
            let scheme = scheme.to_ascii_lowercase();
            if !EXTENSIONS.contains(&scheme.as_str()) {
                assert!(scheme == "http" || scheme == "https", "{origin:?}");
                let (page, own) = (name_of(rest).to_ascii_lowercase(), name_of(host).to_ascii_lowercase());
                assert!(page == own || (near && is_loopback(&page)), "{origin:?} is not {host:?}");
            }
        }
        Err(denied) => assert!(!denied.to_string().chars().any(char::is_control)),
    }
});

fn name_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => &authority[..rest.find(']').expect("a closing bracket") + 2],
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_address(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    inner.map_or_else(
        || name.parse::<Ipv4Addr>().is_ok(),
        // A link-local address may have a zone.
        |inner| inner.split('%').next().unwrap_or_default().parse::<Ipv6Addr>().is_ok(),
    )
}

fn is_loopback(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let inner = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || inner.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}
