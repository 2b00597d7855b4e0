//! halloo as an application uses it, with default limits, access rules and heartbeat.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Result;
use halloo::{Config, Event, Files, Message, Server};

use super::role::Role;
use crate::certificate;

/// Serves with a handler, which is called on the reactor thread.
pub(super) fn serve_by_handler(role: Role, config: Config) -> Result<()> {
    let mut received = 0_u64;
    let server = Server::start_with(config, move |event, hub| {
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
pub(super) fn serve_by_events(role: Role, config: Config) -> Result<()> {
    let server = Server::start(config)?;
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

/// Returns the configuration for a port on loopback.
pub(super) fn config(port: u16, certificate: Option<&Path>, www: Option<&Path>) -> Result<Config> {
    let mut config = Config::default();
    config.port = port;
    config.strict_port = true;
    // Nothing must reach the network, including announcements.
    config.bind = Some(Ipv4Addr::LOCALHOST.into());
    if let Some(certificate) = certificate {
        certificate::use_in(&mut config, certificate, false)?;
    }
    config.www = www.map(Files::directory).transpose()?;
    Ok(config)
}
