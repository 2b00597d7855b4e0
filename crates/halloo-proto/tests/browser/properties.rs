//! Application ids and properties of servers, and the filter by an application id.

use std::time::Duration;

use halloo_proto::browser::{Browser, Change};
use halloo_proto::meta::Meta;

use crate::world::{NONCE, Server, World};
use crate::{MILLI, SECOND};

fn server(id: &str, last: u8, app: Option<&str>) -> Server {
    let mut server = Server::new(id, last, false);
    server.app = app.map(str::to_owned);
    server
}

/// Returns a world whose browser reports only servers of the application `tanks`.
fn filtered(servers: Vec<Server>) -> World {
    let mut world = World::new(1, servers);
    world.browser = Browser::new(NONCE, 8766, None, 1).with_app(Some("tanks".into()));
    world
}

/// Returns sixteen properties that do not fit into a reply.
fn large_meta(first: &str) -> Meta {
    let pairs = (0..16).map(|number| format!("key{number}={}", "v".repeat(100)));
    let mut meta = Meta::parse(pairs).unwrap();
    meta.insert("key0", first).unwrap();
    meta
}

#[test]
fn filter_reports_only_servers_of_the_application() {
    let servers = [("a", 1, None), ("b", 2, Some("Chess")), ("c", 3, Some(" TANKS"))];
    let mut world = filtered(servers.map(|(id, last, app)| server(id, last, app)).into());
    world.run(SECOND);
    assert_eq!(world.known(), ["c"]);
    for index in 0..3 {
        world.servers[index].clients = 1;
    }
    world.run(60 * SECOND);
    for index in 0..3 {
        world.stop(index);
    }
    world.run(SECOND);
    let mut changes = world.take_changes();
    changes.dedup();
    assert_eq!(changes, ["found c", "updated c", "lost c"]);
}

#[test]
fn without_a_filter_every_server_is_reported_with_its_application() {
    let mut world = World::new(1, vec![server("a", 1, None), server("b", 2, Some("Chess"))]);
    world.run(SECOND);
    let apps: Vec<Option<&str>> = world.browser.servers().map(|server| server.app.as_deref()).collect();
    assert_eq!(apps, [None, Some("Chess")]);
}

#[test]
fn server_whose_beacons_have_no_room_for_the_application_is_found_by_its_reply() {
    let mut long = server("a", 1, Some("tanks"));
    long.name = "\u{1f600}".repeat(64);
    long.app = Some("\u{1f600}".repeat(64));
    let mut world = World::new(1, vec![long]);
    world.browser = Browser::new(NONCE, 8766, None, 1).with_app(Some("\u{1f600}".repeat(64)));
    let beacon = r#"{"service":"websocket_server","ip":"10.0.0.1","port":8765,"timestamp":1,"id":"a"}"#;
    world.receive(beacon, [10, 0, 0, 1]);
    assert!(world.take_changes().is_empty(), "a beacon without an application id does not match");
    world.run(SECOND);
    assert_eq!(world.take_changes(), ["found a"]);
    world.run(60 * SECOND);
    assert!(world.take_changes().is_empty(), "neither do later beacons remove it");
}

#[test]
fn changed_and_removed_properties_are_reported() {
    let mut world = World::new(1, vec![server("a", 1, None)]);
    world.servers[0].meta = Meta::parse(["map=desert"]).unwrap();
    world.run(SECOND);
    world.take_changes();
    for meta in [Meta::parse(["map=forest", "players=3"]).unwrap(), Meta::default()] {
        world.servers[0].meta = meta.clone();
        world.run(4 * SECOND);
        assert_eq!(world.browser.servers().next().unwrap().meta, meta);
        assert_eq!(world.take_changes(), ["updated a"]);
    }
    assert!(world.checks.is_empty());
}

#[test]
fn properties_that_a_reply_leaves_out_are_requested_now_and_then() {
    let mut world = World::new(1, vec![server("a", 1, None)]);
    world.servers[0].meta = large_meta("desert");
    world.run(100 * MILLI);
    assert_eq!(world.browser.servers().next().unwrap().meta, large_meta("desert"));
    assert_eq!(world.checks.len(), 1);
    world.servers[0].meta = large_meta("forest");
    world.run(15 * SECOND);
    assert_eq!(world.browser.servers().next().unwrap().meta, large_meta("forest"));
    world.take_changes();
    world.run(Duration::from_secs(600));
    assert!((45..=62).contains(&world.checks.len()), "{} requests in ten minutes", world.checks.len());
    let changes = world.take_changes();
    assert!(changes.is_empty(), "a truncated reply replaces nothing: {changes:?}");
}

#[test]
fn truncated_properties_are_known_while_they_cannot_be_requested() {
    let mut world = World::new(1, Vec::new());
    let reply = r#"{"service":"websocket_server_reply","nonce":"nonce","id":"a","port":8765,"meta":{"map":"desert"},"truncated":true}"#;
    world.receive(reply, [10, 0, 0, 1]);
    let Some((_, Change::Found(server))) = world.changes.first() else { panic!("{:?}", world.changes) };
    assert_eq!(server.meta.get("map"), Some("desert"));
}
