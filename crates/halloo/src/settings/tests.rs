use std::time::Duration;

use super::*;
use crate::PadLayout;

/// Fields of [`Config`] without a row: they have no simple value, and programs read them in their own way.
const WITHOUT_ROW: [&str; 8] = [
    "access.token",
    "access.own_host",
    "access.local_names",
    "access.setting_names",
    "listener",
    "tls",
    "tls_optional",
    "www",
];

#[test]
fn every_field_has_a_row_and_every_row_a_field() {
    let fields = fields(&format!("{:#?}", Config::default()));
    let rows: Vec<&str> = SETTINGS.iter().map(|setting| setting.path).collect();
    for field in &fields {
        assert!(
            rows.contains(&field.as_str()) || WITHOUT_ROW.contains(&field.as_str()),
            "SETTINGS has no row for Config::{field}"
        );
    }
    for row in &rows {
        assert!(fields.iter().any(|field| field == row), "there is no field Config::{row} for the row of SETTINGS");
    }
}

/// Returns the paths of all fields with a value of their own in a pretty-printed struct of structs.
fn fields(pretty: &str) -> Vec<String> {
    let (mut path, mut fields) = (Vec::new(), Vec::new());
    for line in pretty.lines().skip(1) {
        let indent = (line.len() - line.trim_start().len()) / 4;
        let Some((name, value)) = line.trim().split_once(": ") else { continue };
        path.truncate(indent - 1);
        path.push(name);
        let is_struct = value.ends_with('{');
        if !is_struct && !value.ends_with("(") {
            fields.push(path.join("."));
        }
    }
    fields
}

#[test]
fn names_are_distinct_and_values_come_back() {
    for (index, setting) in SETTINGS.iter().enumerate() {
        assert!(SETTINGS[..index].iter().all(|other| other.name != setting.name), "{}", setting.name);
        let mut config = Config::default();
        setting.set(&mut config, setting.default_value()).unwrap();
        assert_eq!(setting.get(&config), setting.default_value(), "{}", setting.name);
        let other = other_value(setting);
        setting.set(&mut config, other.clone()).unwrap();
        assert_eq!(setting.get(&config), other, "{}", setting.name);
        assert!(!setting.text.is_empty() && !setting.text.ends_with('.'), "{}", setting.name);
    }
}

fn other_value(setting: &Setting) -> Value {
    match (setting.kind, setting.default_value()) {
        (Kind::Flag, Value::Flag(flag)) => Value::Flag(!flag),
        (Kind::Count { max, .. } | Kind::Bytes { max, .. }, _) => Value::Number(max),
        (Kind::Duration { max_millis, .. }, _) => Value::Duration(Duration::from_millis(max_millis)),
        (Kind::Address, _) => Value::Text("192.168.1.5".into()),
        (Kind::AdvertisedAddress, _) => Value::Text("192.168.1.5:9000".into()),
        (Kind::Subprotocols, _) => Value::List(vec!["json".into()]),
        (Kind::Interfaces, _) => Value::List(vec!["wlan0".into()]),
        (Kind::Choice(words), _) => Value::Text(words[words.len() - 1].into()),
        (Kind::Origins, _) => Value::List(vec!["https://example.org".into()]),
        (Kind::Properties, _) => Value::List(vec!["map=desert".into()]),
        (Kind::PadLayout, _) => Value::Text(PadLayout::default().to_json()),
        (Kind::Hosts, _) => Value::List(vec!["example.org".into()]),
        _ => Value::Text("other".into()),
    }
}

#[test]
fn values_of_another_kind_or_out_of_range_are_refused_and_change_nothing() {
    let mut config = Config::default();
    for (name, value, allowed) in [
        ("port", Value::Number(65_536), "from 0 to 65535"),
        ("port", Value::Text("8765".into()), "whole number"),
        ("max_message_bytes", Value::Number(0), "from 1 B to 1 GiB"),
        ("heartbeat", Value::Duration(Duration::from_millis(499)), "from 500ms to 24h, or 0s"),
        ("discovery_interval", Value::Duration(Duration::ZERO), "from 100ms"),
        ("bind", Value::Text("127.0.0.1:80".into()), "without a port"),
        ("name", Value::Text(String::new()), "not empty"),
        ("name", Value::Text(" \u{200b}\t ".into()), "blank"),
        ("advertise", Value::Text("game.example.org".into()), "no host name"),
        ("interfaces", Value::List(vec![String::new()]), "like wlan0"),
        ("app", Value::Text(" \u{200b}".into()), "blank"),
        ("meta", Value::List(vec!["map".into()]), "like map=desert"),
        ("meta", Value::List(vec!["map=a".into(), "MAP=b".into()]), "like map=desert"),
        ("allowed_origins", Value::List(vec!["example.org".into()]), "https://example.org"),
        ("allowed_origins", Value::List(vec!["http://exa*mple.org".into()]), "https://*.example.org"),
        ("allowed_hosts", Value::List(vec!["http://example.org".into()]), "without a scheme"),
        ("pad", Value::Text(r#"{"left": "joystick"}"#.into()), "like {\"left\": \"stick\""),
        ("outbox_when_full", Value::Text("explode".into()), "disconnect, drop_oldest, drop_newest"),
    ] {
        let setting = find(name).unwrap();
        let error = setting.set(&mut config, value).unwrap_err();
        assert!(error.to_string().contains(allowed), "{name}: {error}");
        assert_eq!(setting.get(&config), setting.default_value());
    }
    assert!(find("heartbeat").unwrap().set(&mut config, Value::Duration(Duration::ZERO)).is_ok());
}

#[test]
fn names_follow_from_the_path_of_the_field() {
    for (path, name) in [
        ("port", "port"),
        ("access.allow_public", "allow_public"),
        ("messages.max_message_bytes", "max_message_bytes"),
        ("handshakes.max_pending", "handshake_max_pending"),
        ("outbox.when_full", "outbox_when_full"),
        ("event_queue.max_events", "event_queue_max_events"),
    ] {
        assert_eq!(find(name).map(|setting| setting.path), Some(path));
    }
}

#[test]
fn a_number_that_does_not_fit_into_the_field_is_refused() {
    // As a total of 1 TiB on a machine with 32 bits.
    let setting = setting!(port, Network, Basic, Kind::Count { min: 0, max: 1 << 20 }, "", "");
    let mut config = Config::default();
    assert_eq!(setting.set(&mut config, Value::Number(65_536)).unwrap_err().given, "65536");
    assert_eq!(config.port, Config::default().port);
}
