//! `Host` and `Origin`: a second, simpler version of the rules allows every request that is allowed.

#![cfg_attr(feature = "engine", no_main)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use halloo_fuzz::fuzz_target;
use halloo_proto::access::AccessRules;

const EXTENSIONS: [&str; 3] = ["chrome-extension", "moz-extension", "safari-web-extension"];

fuzz_target!(|text: &str| {
    // Three lines: "near" for a peer on loopback, a host and an origin.
    let mut lines = text.splitn(3, '\n');
    let near = lines.next() == Some("near");
    let (host, origin) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let peer: IpAddr = if near { Ipv4Addr::LOCALHOST.into() } else { Ipv4Addr::new(192, 168, 1, 9).into() };
    let mut rules = AccessRules::default();
    rules.own_host = Some("den".into());
    rules.local_names = vec!["den.local".into()];
    match rules.check_host(&[host]) {
        Ok(checked) => {
            assert_eq!(checked, host);
            let name = name_of(host).to_ascii_lowercase();
            let name = name.strip_suffix('.').unwrap_or(&name);
            let reserved = [".localhost", ".internal", ".home.arpa"].iter().any(|end| name.ends_with(end));
            let own = name.starts_with("den.") && name.matches('.').count() == 1;
            assert!(!name.contains('.') || reserved || own || is_address(name), "{host:?} is not this server");
        }
        Err(denied) => assert!(!denied.to_string().chars().any(char::is_control)),
    }
    let host = if rules.check_host(&[host]).is_ok() { host } else { "192.168.1.5:8765" };
    match rules.check_origin(&[origin], host, peer) {
        Ok(Some(page)) => {
            assert_eq!(page, origin);
            let (scheme, rest) = origin.split_once("://").expect("a scheme");
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            assert!(!rest.contains(['/', '@', '?', '#', ' ']), "{origin:?} is more than an origin");
            let scheme = scheme.to_ascii_lowercase();
            if !EXTENSIONS.contains(&scheme.as_str()) {
                assert!(scheme == "http" || scheme == "https", "{origin:?}");
                assert!(
                    is_same(rest, host) || (near && is_loopback(&name_of(rest).to_ascii_lowercase())),
                    "{origin:?} is not {host:?}"
                );
            }
        }
        // A browser sends `null`, or a scheme other than `ws` with a host and nothing after its port.
        Ok(None) => {
            let (scheme, rest) = origin.split_once("://").unwrap_or(("", origin));
            let is_more = rest.strip_suffix('/').unwrap_or(rest).contains(['/', '?', '#']);
            assert!(
                origin != "null" && (matches!(&*scheme.to_ascii_lowercase(), "" | "ws" | "wss") || is_more),
                "{origin:?}"
            );
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

/// Returns whether two authorities have the same host, whatever their port.
fn is_same(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|authority| {
        let name = name_of(authority).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name).trim_matches(['[', ']']).to_owned();
        let address = name.split('%').next().unwrap_or_default().parse::<IpAddr>();
        address.map_or(name, |ip| ip.to_string())
    });
    one == other
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
    let inner = name.trim_start_matches('[').trim_end_matches(']').split('%').next().unwrap_or_default();
    name == "localhost"
        || name.ends_with(".localhost")
        || inner.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}
