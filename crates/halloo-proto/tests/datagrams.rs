//! Datagrams of discovery, valid and forged.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::Ipv4Addr;

use halloo_proto::announcement::{Announcement, Beacon, PROBE_SIZE, Reply, goodbye, probe};
use halloo_proto::meta::Meta;
use halloo_proto::name::clean;
use halloo_proto::text::escape;
use proptest::prelude::*;
use serde_json::{Value, json};

fn beacon(name: &str, strict: bool) -> Vec<u8> {
    let (ip, id) = ([192, 168, 1, 5].into(), "5f0c9a3be1d24477");
    // The longest application id is as long as the longest name.
    let beacon = Beacon { ip, port: 8765, timestamp: 1_726_521_140, id, name, app: Some(name), listen_port: Some(9) };
    beacon.encode(strict)
}

fn reply<'a>(nonce: Option<&'a str>, name: &str, addresses: usize) -> Reply<'a> {
    Reply {
        nonce,
        id: "5f0c9a3be1d24477",
        name: name.into(),
        ip: [192, 168, 1, 5].into(),
        port: 8765,
        addresses: vec![Ipv4Addr::BROADCAST.into(); addresses],
        clients: 3,
        auth: true,
        challenge: Some("A".repeat(32)),
        app: Some("Tanks".into()),
        meta: Meta::parse(["map=desert", "players=3"]).unwrap(),
        ..Reply::default()
    }
}

/// Returns the reply of a server, if the datagram is a probe.
fn reply_to(datagram: &[u8]) -> Option<Vec<u8>> {
    let probe = Announcement::parse(datagram).filter(|probe| probe.service == "websocket_server_probe")?;
    reply(probe.nonce.as_deref(), "living room", 5).encode(datagram.len())
}

/// Asserts what holds for any datagram: it is parsed without a panic, its text is safe to display, and the reply is not
/// larger.
fn is_harmless(datagram: &[u8]) -> Result<(), TestCaseError> {
    if let Some(read) = Announcement::parse(datagram) {
        let name = read.display_name();
        prop_assert!(name.chars().count() <= 64 && escape(&name, 1024) == name, "{name:?}");
        let app = read.clean_app().unwrap_or_default();
        prop_assert!(app.chars().count() <= 64 && escape(&app, 1024) == app, "{app:?}");
        let meta = read.meta.clone().unwrap_or_default().0;
        prop_assert!(meta.len() <= 16, "{meta:?}");
        for (key, value) in meta.iter() {
            prop_assert!(key.len() <= 32 && value.len() <= 128 && escape(value, 1024) == value, "{meta:?}");
        }
        let id = read.clean_id();
        prop_assert!(id.is_none_or(|id| (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())));
        prop_assert!(read.port() != Some(0));
    }
    prop_assert!(reply_to(datagram).is_none_or(|reply| reply.len() <= datagram.len()));
    Ok(())
}

/// A change of some bytes.
#[derive(Clone, Debug)]
enum Mutation {
    Insert(Vec<u8>),
    Remove(usize),
    Replace(Vec<u8>),
    Truncate,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // Tokens of JSON, besides random bytes.
    let token = prop::sample::select(vec![
        &b"\""[..],
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"\\u0000",
        b"\\ud800",
        b"\\",
    ]);
    let bytes = prop_oneof![token.prop_map(<[u8]>::to_vec), prop::collection::vec(any::<u8>(), 1..8)];
    prop_oneof![
        bytes.clone().prop_map(Mutation::Insert),
        bytes.prop_map(Mutation::Replace),
        (1usize..8).prop_map(Mutation::Remove),
        Just(Mutation::Truncate),
    ]
}

fn mutate(datagram: &mut Vec<u8>, at: prop::sample::Index, mutation: Mutation) {
    let at = at.index(datagram.len() + 1);
    let upto = |length: usize| (at + length).min(datagram.len());
    match mutation {
        Mutation::Insert(bytes) => drop(datagram.splice(at..at, bytes)),
        Mutation::Replace(bytes) => drop(datagram.splice(at..upto(bytes.len()), bytes)),
        Mutation::Remove(length) => drop(datagram.drain(at..upto(length))),
        Mutation::Truncate => datagram.truncate(at),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_harmless(datagram in prop::collection::vec(any::<u8>(), 0..2048)) {
        is_harmless(&datagram)?;
    }

    #[test]
    fn mutated_datagrams_are_harmless(
        kind in 0..6,
        pad in 0usize..400,
        changes in prop::collection::vec((any::<prop::sample::Index>(), mutation()), 1..6),
    ) {
        let mut datagram = match kind {
            0 => beacon("living room", false),
            1 => beacon("", true),
            2 => probe("b64e21"),
            // Too short for a reply, or just long enough.
            5 => format!(r#"{{"service":"websocket_server_probe","pad":"{}"}}"#, ".".repeat(pad)).into_bytes(),
            3 => reply(Some("b64e21"), "living room", 5).encode(PROBE_SIZE).unwrap(),
            _ => goodbye("5f0c9a3be1d24477"),
        };
        for (at, change) in changes {
            mutate(&mut datagram, at, change);
        }
        is_harmless(&datagram)?;
    }

    #[test]
    fn beacon_fits_and_keeps_the_contract_with_any_name(name in any::<String>(), strict in any::<bool>()) {
        let datagram = beacon(&name, strict);
        prop_assert!(datagram.len() <= 512, "{} bytes", datagram.len());
        let contract = br#"{"service":"websocket_server","ip":"192.168.1.5","port":8765,"timestamp":1726521140"#;
        prop_assert!(datagram.starts_with(contract));
        let read = Announcement::parse(&datagram).unwrap();
        prop_assert_eq!(read.port(), Some(8765));
        prop_assert_eq!(read.clean_id().is_none(), strict);
        let shown = clean(&name, 64);
        prop_assert_eq!(read.display_name(), if strict { String::new() } else { shown });
    }

    #[test]
    fn reply_fits_or_is_not_sent(nonce in any::<String>(), name in any::<String>(), addresses in 0usize..80, limit in 0usize..2048) {
        let Some(datagram) = reply(Some(&nonce), &name, addresses).encode(limit) else { return Ok(()) };
        prop_assert!(datagram.len() <= limit);
        let read = Announcement::parse(&datagram).unwrap();
        prop_assert_eq!(read.nonce, Some(nonce));
    }
}

#[test]
fn optional_key_of_the_wrong_type_does_not_invalidate_the_datagram() {
    let whole: Value = serde_json::from_slice(&beacon("den", false)).unwrap();
    let wrong =
        [json!(null), json!(true), json!(7), json!(-1.5), json!("x"), json!([1, "a"]), json!({"a": {"b": null}})];
    let keys = [
        "v",
        "id",
        "name",
        "ttl",
        "nonce",
        "clients",
        "addresses",
        "auth",
        "tls",
        "app",
        "meta",
        "truncated",
        "advertised",
        "listen_port",
        "ip",
    ];
    for key in keys {
        for value in &wrong {
            let mut beacon = whole.clone();
            beacon[key] = value.clone();
            let read = Announcement::parse(beacon.to_string().as_bytes());
            let read = read.unwrap_or_else(|| panic!("{key} is {value}: the beacon was ignored"));
            assert_eq!(read.port(), Some(8765), "{key} is {value}");
            if key != "name" {
                assert_eq!(read.display_name(), "den", "{key} is {value}");
            }
            if key != "id" {
                assert_eq!(read.clean_id().as_deref(), Some("5f0c9a3be1d24477"), "{key} is {value}");
            }
        }
    }
    let read =
        Announcement::parse(br#"{"service":"websocket_server","port":1,"name":["den"],"clients":"two"}"#).unwrap();
    assert_eq!((read.name, read.clients), (None, None));
}
