//! `halloo discover`: who is there?

use std::io;
use std::time::{Duration, Instant};

use anyhow::Context;
use halloo::{Browser, BrowserEvent, ServerInfo};
use serde_json::{Value, json};

use crate::args::DiscoverArgs;
use crate::output::Output;
use crate::{json, table};

/// How long to search by default: nearly every server has answered by then, also on bad Wi-Fi.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A server on this machine is heard over loopback first; its address on the network is known this much later.
const SETTLE: Duration = Duration::from_millis(50);

/// Prints the servers as they are found, and returns whether there was any.
pub(crate) fn run(arguments: &DiscoverArgs, output: &Output) -> anyhow::Result<bool> {
    let browser = Browser::start(arguments.place.config()).context("cannot search the network")?;
    if arguments.watch {
        // Every line is out already, so nothing is lost.
        ctrlc::set_handler(|| std::process::exit(0)).context("cannot watch for Ctrl-C")?;
    }
    let timeout = arguments.timeout.or((!arguments.watch).then_some(TIMEOUT));
    let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let found = print(&browser, arguments, end, output)?;
    if !found {
        eprintln!("halloo: {}", arguments.place.advice());
    }
    Ok(found)
}

fn print(browser: &Browser, arguments: &DiscoverArgs, end: Option<Instant>, output: &Output) -> io::Result<bool> {
    let mut printed = false;
    loop {
        let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        let Some(event) = browser.wait_event(left) else { return Ok(printed) };
        let what = match &event {
            BrowserEvent::Found(server) => {
                let whole = !arguments.first && !arguments.place.local;
                if whole && server.addresses.iter().all(|addr| addr.ip().is_loopback()) {
                    std::thread::sleep(SETTLE);
                }
                "found"
            }
            BrowserEvent::Updated(_) if arguments.watch => "updated",
            BrowserEvent::Lost(_) if arguments.watch => "lost",
            _ => continue,
        };
        let known = browser.servers().into_iter().find(|server| what == "found" && server.id == event.server().id);
        let server = known.as_ref().unwrap_or(event.server());
        if arguments.json {
            json::answer(output, &object(what, server))?;
        } else {
            let columns = if arguments.watch { table::SHORT_NAME } else { table::NAME };
            let mut lines = String::new();
            if !printed {
                lines = line(arguments, "", &table::heading(columns));
            }
            lines.push_str(&line(arguments, what, &table::row(server, columns)));
            output.data(lines.as_bytes())?;
            output.flush()?;
        }
        printed = true;
        if arguments.first {
            return Ok(true);
        }
    }
}

fn line(arguments: &DiscoverArgs, what: &str, row: &str) -> String {
    if arguments.watch { format!("{what:<8} {row}\n") } else { format!("{row}\n") }
}

fn object(what: &str, server: &ServerInfo) -> Value {
    let ServerInfo { id, name, url, addresses, clients, via, auth, tls, .. } = server;
    json!({
        "event": what, "id": id, "name": name, "url": url, "addresses": addresses, "clients": clients, "via": via,
        "auth": auth, "tls": tls,
    })
}
