//! What a text means as a target, and the request that a client sends to an address.

use halloo_proto::credential::Credential;
use halloo_proto::handshake::Handshake;
use halloo_proto::room;
use halloo_proto::token::Token;
use halloo_proto::url::{Host, Reading, Url};
use serde_json::{Value, json};

use crate::case_file::{Case, check, text_of};

fn to_json(url: &Url) -> Value {
    let request = String::from_utf8(Handshake::new([0; 16]).request(url)).unwrap();
    let lines: Vec<&str> = request.lines().take(2).collect();
    let host = match url.host() {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    };
    json!({
        "tls": url.is_secure(), "host": host, "zone": url.zone(), "port": url.port(), "request": lines,
        "token": url.token().map(Token::reveal), "fingerprint": url.fingerprint().map(|print| print.to_string()),
        "shown": url.to_string(),
    })
}

fn read(case: &Case) -> Value {
    let text = text_of(case, "text");
    let in_room = |url: Url| match case.get("room") {
        Some(room) => url.in_room(room.as_str().unwrap()).unwrap(),
        None => url,
    };
    match Reading::of(text) {
        Reading::Name => json!({ "search": text.trim() }),
        Reading::Address(url) => json!({ "connect": to_json(&in_room(url)) }),
        Reading::AddressOrName(url) => json!({ "connect": to_json(&in_room(url)), "or_search": text.trim() }),
        Reading::Invalid(error) => json!({ "error": error.to_string() }),
    }
}

#[test]
fn texts_are_names_or_addresses() {
    check("addresses.json", read);
}

#[test]
fn rooms_are_paths() {
    check("rooms.json", |case| match room::to_path(text_of(case, "room")) {
        Ok(path) => json!({ "path": path }),
        Err(error) => json!({ "error": error.to_string() }),
    });
}

#[test]
fn a_token_is_sent_by_tls_alone() {
    let token = Token::new("the-otters-meet-at-nine").unwrap();
    assert_eq!(Credential::AwaitChallenge.authorization(), None);
    assert_eq!(Credential::Token(token).authorization().as_deref(), Some("Bearer the-otters-meet-at-nine"));
}
