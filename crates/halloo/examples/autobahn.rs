//! An echo server with the limits that the Autobahn suite needs: `cargo run --release -p halloo --example autobahn -- 9001`.
//!
//! The suite sends 16 MiB in one message and 4 MiB in 65,537 fragments, which the default limits rightly refuse.

#![allow(clippy::print_stdout, reason = "its address is its output")]

use halloo::{Config, Event, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::local();
    config.port = std::env::args().nth(1).unwrap_or_else(|| "9001".into()).parse()?;
    config.strict_port = true;
    config.compression = true;
    config.messages.max_message_bytes = 16 * 1024 * 1024;
    config.messages.max_fragments = 65_537;
    config.outbox.max_bytes = 48 * 1024 * 1024;
    let server = Server::start_with(config, |event, hub| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    })?;
    println!("{}", server.url());
    for _ in server.events() {}
    Ok(())
}
