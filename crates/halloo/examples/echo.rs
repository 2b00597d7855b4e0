//! Sends every message back to its sender, on the reactor thread: `cargo run --release -p halloo --example echo -- 8765`.

use halloo::{Config, Event, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8765".into()).parse()?;
    let config = Config::default().port(port);
    let server = Server::start_with(config, |event, hub| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    })?;
    eprintln!("echo on {}", server.url());
    for _ in server.events() {}
    Ok(())
}
