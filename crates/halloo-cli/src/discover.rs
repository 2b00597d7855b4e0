//! `halloo discover`: lists the servers on the network.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use anyhow::Context;
use halloo::{Browser, BrowserEvent, Search, ServerInfo};
use halloo_proto::text::escape;
use serde_json::{Value, json};

use crate::args::DiscoverArgs;
use crate::hangup::wait_for_stdout_hangup;
use crate::output::Output;
use crate::{json, signals, table};

/// How long to search by default: nearly all servers answer within this time, also on bad Wi-Fi.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long to wait for the network address of a server on this machine, which is found over loopback first.
const SETTLE_TIME: Duration = Duration::from_millis(50);

/// How long to search for names: a completion must not take longer, and on a good network all servers answer.
const NAMES_TIMEOUT: Duration = Duration::from_millis(300);

/// Prints the servers as they are found. Returns whether there was any.
pub(crate) fn run(arguments: &DiscoverArgs, output: &Output) -> anyhow::Result<bool> {
    if arguments.names {
        return print_names(arguments, output);
    }
    let browser = Browser::start(arguments.search_options.config()).context("cannot search the network")?;
    if arguments.watch {
        // Each line is flushed, so no output is lost.
        signals::set_handler(|_| std::process::exit(0))?;
        std::thread::spawn(|| wait_for_stdout_hangup().then(|| std::process::exit(0)));
    }
    let timeout = arguments.timeout.or((!arguments.watch).then_some(DEFAULT_TIMEOUT));
    let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let found = print_events(&browser, arguments, end, output)?;
    if !found {
        arguments.search_options.report_not_found(None, &[]);
    }
    Ok(found)
}

/// Prints each name in a line. A name that a line cannot show is left out.
fn print_names(arguments: &DiscoverArgs, output: &Output) -> anyhow::Result<bool> {
    let search = Search::default().browser(arguments.search_options.config()).timeout(NAMES_TIMEOUT);
    let names: BTreeSet<String> = search.run()?.into_iter().map(|server| server.name).collect();
    for name in names.iter().filter(|name| !name.is_empty() && escape(name, usize::MAX) == **name) {
        output.write(format!("{name}\n").as_bytes())?;
    }
    output.flush()?;
    Ok(!names.is_empty())
}

fn print_events(
    browser: &Browser,
    arguments: &DiscoverArgs,
    end: Option<Instant>,
    output: &Output,
) -> io::Result<bool> {
    let mut printed = false;
    loop {
        let timeout = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        let Some(event) = browser.wait_event(timeout) else { return Ok(printed) };
        let kind = match &event {
            BrowserEvent::Found(server) => {
                let wait_for_network = !arguments.first && !arguments.search_options.local;
                if wait_for_network && server.addresses.first().is_some_and(|addr| addr.ip().is_loopback()) {
                    std::thread::sleep(SETTLE_TIME);
                }
                "found"
            }
            BrowserEvent::Updated(_) if arguments.watch => "updated",
            BrowserEvent::Lost(_) if arguments.watch => "lost",
            _ => continue,
        };
        let current = browser.servers().into_iter().find(|server| kind == "found" && server.id == event.server().id);
        let server = current.as_ref().unwrap_or(event.server());
        if arguments.json {
            json::emit(output, &object(kind, server))?;
        } else {
            let columns = if arguments.watch { table::SHORT_NAME_COLUMNS } else { table::NAME_COLUMNS };
            let mut lines = String::new();
            if !printed {
                lines = line(arguments, "", &table::heading(columns));
            }
            lines.push_str(&line(arguments, kind, &table::row(server, columns)));
            if kind != "lost" {
                let details = table::details(server, if arguments.watch { 11 } else { 2 });
                details.into_iter().for_each(|details| lines += &format!("{details}\n"));
            }
            output.write(lines.as_bytes())?;
            output.flush()?;
        }
        printed = true;
        if arguments.first {
            return Ok(true);
        }
    }
}

fn line(arguments: &DiscoverArgs, kind: &str, row: &str) -> String {
    if arguments.watch { format!("{kind:<8} {row}\n") } else { format!("{row}\n") }
}

fn object(kind: &str, server: &ServerInfo) -> Value {
    let ServerInfo { id, name, url, addresses, clients, via, auth, tls, app, cluster, meta, .. } = server;
    let mut object = json!({
        "event": kind, "id": id, "name": name, "url": url, "addresses": addresses, "clients": clients, "via": via,
        "auth": auth, "tls": tls, "app": app, "meta": meta,
    });
    if let Some(cluster) = cluster {
        object["cluster"] = cluster.as_str().into();
    }
    object
}
