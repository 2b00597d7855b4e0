//! Discovery datagrams and check results: the changes are consistent, and every table is bounded.

#![cfg_attr(feature = "engine", no_main)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use halloo_fuzz::fuzz_target;
use halloo_proto::Time;
use halloo_proto::announcement::{Announcement, Reply};
use halloo_proto::browser::{Browser, Change, CheckResult, MAX_CHECKS, MAX_SERVERS};
use halloo_proto::text::is_harmful;

/// Separates the datagrams: a byte that JSON does not allow unescaped.
const SEPARATOR: u8 = 0;

fuzz_target!(|bytes: &[u8]| {
    let mut browser = Browser::new("n", 8766, Some("self".into()), 1);
    let (mut known, mut checking, mut now) = (BTreeSet::new(), Vec::new(), Time::ZERO);
    for datagram in bytes.split(|&byte| byte == SEPARATOR).take(64) {
        // The first byte gives the source, the time, and whether this is the result of a check.
        let (&first, datagram) = datagram.split_first().unwrap_or((&0, &[]));
        now = now + Duration::from_millis(u64::from(first & 0x70) * 50);
        let from = SocketAddr::from(([10, 0, 0, first & 0x07], 40_000));
        match checking.pop().filter(|_| first & 0x08 != 0) {
            Some(addr) if datagram.is_empty() => browser.handle_check_result(addr, CheckResult::NoResponse, now),
            Some(addr) => browser.handle_check_result(addr, CheckResult::Body(datagram), now),
            None => browser.handle_datagram(datagram, from, now),
        }
        reply_to(datagram);
        browser.handle_timeout(now);
        while browser.poll_probe(now).is_some() {}
        checking.extend(std::iter::from_fn(|| browser.poll_check(now)));
        assert!(checking.len() <= MAX_CHECKS);
        while let Some(change) = browser.poll_change() {
            let server = change.server();
            assert!((1..=8).contains(&server.addresses.len()) && server.id != "self");
            let app = server.app.as_deref().unwrap_or_default();
            let meta = server.meta.iter().flat_map(|(key, value)| key.chars().chain(value.chars()));
            let text = server.name.chars().chain(server.id.chars()).chain(app.chars()).chain(meta);
            assert!(!text.into_iter().any(is_harmful) && server.meta.len() <= 16, "{server:?}");
            let consistent = match &change {
                Change::Found(server) => known.insert(server.id.clone()),
                Change::Updated(server) => known.contains(&server.id),
                Change::Lost(server) => known.remove(&server.id),
            };
            assert!(consistent, "{change:?}");
        }
        assert!(known.len() == browser.servers().count() && known.len() <= MAX_SERVERS);
    }
});

/// Replies like a server: never with more bytes than the probe has.
fn reply_to(probe: &[u8]) {
    let Some(probed) = Announcement::parse(probe) else { return };
    let reply = Reply {
        nonce: probed.nonce.as_deref(),
        id: "0123456789abcdef",
        name: probed.display_name(),
        ip: [10, 0, 0, 1].into(),
        port: probed.port().unwrap_or(8765),
        addresses: vec![[10, 0, 0, 1].into(); 3],
        clients: 1,
        app: probed.clean_app(),
        meta: probed.meta.clone().unwrap_or_default().0,
        ..Reply::default()
    };
    if let Some(reply) = reply.encode(probe.len()) {
        assert!(reply.len() <= probe.len());
    }
}
