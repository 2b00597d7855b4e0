//! A server that echoes.

use halloo::{Config, Event, Hub, Server};

/// Starts a server that sends every message back to its sender.
pub fn echo_server(config: Config) -> Server {
    let handler = |event: Event<'_>, hub: &mut Hub<'_>| {
        if let Event::MessageReceived { client, message } = event {
            let _ = hub.send(client, message);
        }
    };
    Server::start_with(config, handler).expect("a free port")
}
