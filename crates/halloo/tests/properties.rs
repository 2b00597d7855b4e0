//! Application ids and properties, between servers and browsers on loopback.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::ErrorKind;
use std::time::Duration;

use halloo::{Browser, BrowserEvent, Client, ClientConfig, Config, Event, Meta, Server, StartError};
use halloo_test_support::{
    ExpectEvent, TEST_TIMEOUT, announced_config, http_get, local_browser_config, local_search, loopback,
    unused_discovery_port,
};

fn start(name: &str, app: Option<&str>, discovery_port: u16) -> Server {
    let mut config = announced_config(name, discovery_port);
    config.app = app.map(str::to_owned);
    Server::start(config).unwrap()
}

#[test]
fn searches_and_clients_leave_out_servers_of_other_applications() {
    let port = unused_discovery_port();
    let _chess = start("Den", Some("Chess"), port);
    let _none = start("Den", None, port);
    let tanks = start("Den", Some("Tanks"), port);
    let mut search = local_search(port, TEST_TIMEOUT);
    search.browser.app = Some("TANKS".into());
    let found = search.find("Den").unwrap();
    assert_eq!((found.len(), found[0].id.as_str(), found[0].app.as_deref()), (1, tanks.id(), Some("Tanks")));
    let mut config = ClientConfig::new(halloo::Target::name("Den"));
    config.search = search;
    let _client = Client::start(config).unwrap();
    tanks.expect_matching(|event| matches!(event, Event::ClientJoined { .. }).then_some(()));
    assert_eq!(tanks.status().extras.app.as_deref(), Some("Tanks"));
}

#[test]
fn changed_properties_reach_a_browser_and_the_discovery_page() {
    let port = unused_discovery_port();
    let mut config = announced_config("Den", port);
    config.meta = Meta::parse(["map=desert"]).unwrap();
    let server = Server::start(config).unwrap();
    let browser = Browser::start(local_browser_config(port)).unwrap();
    let meta_of = |event: BrowserEvent| event.server().meta.clone();
    let map = |meta: &Meta| meta.get("map").map(str::to_owned);
    while map(&meta_of(browser.expect_event())).as_deref() != Some("desert") {}
    // More than a reply has room for.
    let large = Meta::parse((0..16).map(|number| format!("key{number}={}", "v".repeat(128)))).unwrap();
    server.set_meta(large.clone());
    while meta_of(browser.expect_event()) != large {}
    let page = http_get(loopback(&server), "/discovery.json", "");
    assert!(page.contains(r#""key15":"vvv"#) && !page.contains("truncated"), "{page}");
    server.set_meta(Meta::default());
    while !meta_of(browser.expect_event()).is_empty() {}
}

#[test]
fn blank_application_ids_are_refused() {
    let mut config = Config::local();
    config.app = Some(" \t".into());
    assert!(matches!(Server::start(config), Err(StartError::BlankApp)));
    let mut search = local_search(unused_discovery_port(), Duration::ZERO);
    search.browser.app = Some(String::new());
    assert_eq!(search.run().unwrap_err().kind(), ErrorKind::InvalidInput);
}
