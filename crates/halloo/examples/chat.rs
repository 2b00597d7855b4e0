//! A chat room: `cargo run --release -p halloo --example chat`, then open the printed page on two phones.
//!
//! The first line from a client is its name. `/names` lists the names; every other line is sent to all.

use std::collections::BTreeMap;

use halloo::{ClientId, Config, Event, Hub, Server};

/// Maximum number of characters in a name.
const MAX_NAME_CHARS: usize = 24;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8765".into()).parse()?;
    let config = Config::default().name("chat").port(port);
    let mut room = Room::default();
    let server = Server::start_with(config, move |event, hub| match event {
        Event::ClientJoined { client, .. } => {
            hub.send(client, "Welcome! What is your name?").ok();
        }
        Event::MessageReceived { client, message } => room.handle_line(client, message.text().unwrap_or_default(), hub),
        Event::ClientLeft { client, .. } => room.handle_left(client, hub),
        _ => {}
    })?;
    eprintln!("chat on {}", server.url().replacen("ws", "http", 1));
    for _ in server.events() {}
    Ok(())
}

/// The names of the clients that have one.
#[derive(Default)]
struct Room {
    names: BTreeMap<ClientId, String>,
}

impl Room {
    fn handle_line(&mut self, client: ClientId, line: &str, hub: &mut Hub<'_>) {
        let line = line.trim();
        match self.names.get(&client) {
            _ if line.is_empty() => {}
            None => self.handle_name(client, line.chars().take(MAX_NAME_CHARS).collect(), hub),
            Some(_) if line == "/names" => {
                hub.send(client, self.list()).ok();
            }
            Some(name) => {
                hub.send_to_all(format!("{name}: {line}")).ok();
            }
        }
    }

    fn handle_name(&mut self, client: ClientId, name: String, hub: &mut Hub<'_>) {
        if name.starts_with('/') || self.names.values().any(|other| *other == name) {
            hub.send(client, format!("the name {name} is not available; choose another")).ok();
            return;
        }
        hub.send_to_all(format!("* {name} joined")).ok();
        self.names.insert(client, name);
        hub.send(client, format!("Here now: {}. /names shows this list again.", self.list())).ok();
    }

    fn handle_left(&mut self, client: ClientId, hub: &mut Hub<'_>) {
        if let Some(name) = self.names.remove(&client) {
            hub.send_to_all(format!("* {name} left")).ok();
        }
    }

    fn list(&self) -> String {
        self.names.values().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}
