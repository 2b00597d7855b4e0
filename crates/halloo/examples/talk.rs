//! Connects to the first server it finds on the network, sends the lines from standard input and prints the messages it
//! receives. Start `halloo`, then `cargo run -p halloo --example talk`.

#![allow(clippy::print_stdout, reason = "messages are its output")]

use std::io::BufRead;
use std::sync::Arc;

use halloo::{Client, ClientEvent, Search};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let found = Search::default().first(true).run()?;
    let server = found.first().ok_or("no server was found; start one with `halloo`")?;
    let client = Arc::new(Client::connect(server)?);
    let sender = Arc::clone(&client);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            sender.send(line).ok();
        }
        sender.close(1000, "good night");
    });
    for event in client.events() {
        match event {
            ClientEvent::Connected { url, .. } => eprintln!("connected to {} at {url}", server.name),
            // Escaped, because text from the network could control the terminal.
            ClientEvent::MessageReceived { message } => println!("{}", message.to_string().escape_debug()),
            ClientEvent::Disconnected { retry_in: Some(pause), .. } => {
                eprintln!("disconnected; reconnecting in {pause:.1?}")
            }
            ClientEvent::GaveUp { reason, .. } => return Err(reason.into()),
            _ => {}
        }
    }
    Ok(())
}
