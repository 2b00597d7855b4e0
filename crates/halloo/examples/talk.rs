//! Finds the first server on the network, sends what is typed and prints what comes: `cargo run --example talk`, beside a
//! running `halloo`.

#![allow(clippy::print_stdout, reason = "what comes is printed")]

use std::io::BufRead;
use std::sync::Arc;

use halloo::{Client, ClientEvent, Search};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut search = Search::default();
    search.first = true;
    let found = search.run()?;
    let server = found.first().ok_or("no server answered; start one with `halloo`")?;
    let client = Arc::new(Client::connect(server)?);
    let typed = Arc::clone(&client);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            typed.send(line).ok();
        }
        typed.close(1000, "good night");
    });
    for event in client.events() {
        match event {
            ClientEvent::Connected { url } => eprintln!("talking to {} at {url}", server.name),
            // From the network: what could harm a terminal is shown and not obeyed.
            ClientEvent::MessageReceived { message } => println!("{}", message.to_string().escape_debug()),
            ClientEvent::Disconnected { retry_in: Some(pause), .. } => eprintln!("lost; again in {pause:.1?}"),
            ClientEvent::GaveUp { reason } => return Err(reason.into()),
            _ => {}
        }
    }
    Ok(())
}
