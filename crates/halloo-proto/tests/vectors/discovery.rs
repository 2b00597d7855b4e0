//! What a datagram says, which server a name means, and what a probe contains.

use std::net::Ipv4Addr;

use halloo_proto::Time;
use halloo_proto::announcement::{probe, probe_besides};
use halloo_proto::browser::{Browser, Change, Probe, Server};
use halloo_proto::cluster::least_busy;
use halloo_proto::name::{best_matches, clean, is_same_app, key};
use serde_json::{Value, json};

use crate::case_file::{Case, check, from_hex, number_of, text_of};

/// The nonce of the probes to all servers.
const NONCE: &str = "b64e21";

/// Returns what an application is told about a server.
pub(crate) fn to_json(server: &Server) -> Value {
    let texts = |addresses: &[std::net::SocketAddr]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut object = json!({
        "id": server.id, "name": server.name, "addresses": texts(&server.addresses), "sources": texts(&server.sources),
        "clients": server.clients, "auth": server.auth, "tls": server.tls, "app": server.app, "meta": server.meta,
    });
    if let Some(cluster) = &server.cluster {
        object["cluster"] = cluster.as_str().into();
    }
    object
}

fn sighting(case: &Case) -> Value {
    let bytes = match case.get("datagram") {
        Some(text) => text.as_str().unwrap().as_bytes().to_vec(),
        None => from_hex(text_of(case, "datagram_hex")),
    };
    let mut browser = Browser::new(NONCE, 8766, None, 1);
    browser.handle_datagram(&bytes, text_of(case, "from").parse().unwrap(), Time::ZERO);
    let change = browser.poll_change();
    assert!(browser.poll_change().is_none());
    match change {
        None => Value::Null,
        Some(Change::Found(server)) => to_json(&server),
        Some(other) => panic!("{other:?}"),
    }
}

#[test]
fn datagrams_lead_to_sightings() {
    check("datagrams.json", sighting);
}

#[test]
fn names_are_displayed_and_compared() {
    check("names.json", |case| {
        let text = text_of(case, "text");
        let Some(servers) = case.get("servers") else {
            return match case.get("app") {
                Some(app) => json!({ "same_app": is_same_app(text, app.as_str().unwrap()) }),
                None => json!({ "display": clean(text, 64), "key": key(text) }),
            };
        };
        let of_server = |server: &Value, key: &str| server[key].as_str().unwrap().to_owned();
        let servers =
            servers.as_array().unwrap().iter().map(|server| (of_server(server, "id"), of_server(server, "name")));
        let (matching, _) = best_matches(text, servers, |(id, name)| (id, name));
        json!(matching.into_iter().map(|(id, _)| id).collect::<Vec<_>>())
    });
}

#[test]
fn a_server_of_a_cluster_is_chosen() {
    check("clusters.json", |case| {
        let servers = case["servers"].as_array().unwrap();
        let clients = |server: &Value| server["clients"].as_u64().map(|clients| u32::try_from(clients).unwrap());
        let chosen = least_busy(servers, |server| (server["cluster"].as_str(), clients(server)));
        chosen.map_or(Value::Null, |server| server["id"].clone())
    });
}

#[test]
fn probes_are_padded() {
    check("probes.json", |case| {
        let nonce = text_of(case, "nonce");
        let probe = match case.get("ip") {
            Some(ip) => probe_besides(nonce, ip.as_str().unwrap().parse::<Ipv4Addr>().unwrap()),
            None => probe(nonce),
        };
        json!({ "bytes": probe.len(), "datagram": String::from_utf8(probe).unwrap() })
    });
}

#[test]
fn probes_are_sent_often_at_first() {
    check("probe-times.json", |case| {
        let until = number_of(case, "until_ms");
        let runs: Vec<Vec<(u64, bool)>> = (1..200).map(|secret| probe_times(secret, until)).collect();
        // Jitter may move the last one beyond the end.
        let count = runs.iter().map(Vec::len).min().unwrap();
        let probes = (0..count).map(|number| {
            let times = || runs.iter().map(|run| run[number].0);
            let (min, max) = (times().min().unwrap(), times().max().unwrap());
            json!({ "between_ms": [min, max], "all_ports": runs[0][number].1 })
        });
        Value::Array(probes.collect())
    });
}

/// Returns when probes to all servers are sent in milliseconds, and whether they go to all ports of discovery.
fn probe_times(secret: u128, until: u64) -> Vec<(u64, bool)> {
    let mut browser = Browser::new(NONCE, 8766, None, secret);
    let (mut now, mut sent) = (Time::ZERO, Vec::new());
    while now.as_micros() / 1000 <= until {
        while let Some(probe) = browser.poll_probe(now) {
            sent.push((now.as_micros() / 1000, probe == Probe::AllPorts));
        }
        now = browser.poll_timeout();
    }
    sent
}
