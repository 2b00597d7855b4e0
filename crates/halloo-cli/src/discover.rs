//! `halloo discover`: who is there?

use std::io::Write;

use halloo::Search;
use serde_json::json;

use crate::args::DiscoverArgs;

/// Prints what is found, and answers whether anything was.
pub(crate) fn run(arguments: &DiscoverArgs) -> anyhow::Result<bool> {
    let mut search = Search::default();
    (search.timeout, search.first, search.local) = (arguments.timeout, arguments.first, arguments.local);
    search.discovery_port = arguments.discovery_port;
    let found = search.run()?;
    let mut out = std::io::stdout();
    for server in &found {
        if arguments.json {
            let mut object = json!({"event": "found"});
            if let (Some(object), serde_json::Value::Object(keys)) =
                (object.as_object_mut(), serde_json::to_value(server)?)
            {
                object.extend(keys);
            }
            writeln!(out, "{object}")?;
        } else {
            let clients = server.clients.map_or_else(|| "?".to_owned(), |clients| clients.to_string());
            writeln!(out, "{:<24} {:<28} {clients} clients", server.name, server.url)?;
        }
    }
    if found.is_empty() {
        eprintln!(
            "halloo: nobody answered on UDP port {}; is a server running, and is the port let through the firewall?",
            arguments.discovery_port
        );
    }
    Ok(!found.is_empty())
}
