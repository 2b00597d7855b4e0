//! halloo as an application uses it, with default limits, access rules and heartbeat.

use std::net::Ipv4Addr;

use anyhow::Result;
use halloo::{Config, Event, Message, Server};

use super::role::Role;

/// Serves with a handler, which is called on the reactor thread.
pub(super) fn serve_by_handler(role: Role, port: u16) -> Result<()> {
    let mut received = 0_u64;
    let server = Server::start_with(config(port), move |event, hub| {
        let Event::MessageReceived { client, message } = event else { return };
        match (role, &message) {
            (Role::Echo, _) | (Role::Mixed, Message::Text(_)) => {
                hub.send(client, message).ok();
            }
            (Role::Fanout | Role::Mixed, _) => {
                hub.send_to_all(message).ok();
            }
            (Role::Sink, Message::Binary(_)) => received += 1,
            (Role::Sink, Message::Text(_)) => {
                hub.send(client, received.to_string()).ok();
            }
        }
    })?;
    for _ in server.events() {}
    Ok(())
}

/// Serves with events, which are received on this thread; each reply is a call.
pub(super) fn serve_by_events(role: Role, port: u16) -> Result<()> {
    let server = Server::start(config(port))?;
    let mut received = 0_u64;
    for event in server.events() {
        let Event::MessageReceived { client, message } = event else { continue };
        match (role, &message) {
            (Role::Echo, _) | (Role::Mixed, Message::Text(_)) => {
                server.send(client, message)?;
            }
            (Role::Fanout | Role::Mixed, _) => {
                server.send_to_all(message)?;
            }
            (Role::Sink, Message::Binary(_)) => received += 1,
            (Role::Sink, Message::Text(_)) => {
                server.send(client, received.to_string())?;
            }
        }
    }
    Ok(())
}

fn config(port: u16) -> Config {
    let mut config = Config::default();
    config.port = port;
    config.strict_port = true;
    // Nothing must reach the network, including announcements.
    config.bind = Some(Ipv4Addr::LOCALHOST.into());
    config
}
