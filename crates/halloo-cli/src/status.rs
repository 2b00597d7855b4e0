//! `halloo status`: prints the status of a running server.

use std::io::Write;
use std::net::IpAddr;

use anyhow::bail;
use halloo::{ClientConfig, ServerInfo, SettingNames, Target};

use crate::args::StatusArgs;
use crate::table;

/// Prints the status of a server, and returns whether it was found.
pub(crate) fn run(arguments: &StatusArgs) -> anyhow::Result<bool> {
    let found = match arguments.server.as_deref() {
        Some(server) if is_address(server) => return print(server, arguments).map(|()| true),
        Some(name) => arguments.search().find(name)?,
        None => arguments.search().run()?,
    };
    match (found.as_slice(), &arguments.server) {
        ([server], _) => print(server, arguments).map(|()| true),
        ([], name) => {
            arguments.search_options.report_not_found(name.as_deref());
            Ok(false)
        }
        (servers, _) => bail!("{}", ambiguous_name(servers)),
    }
}

/// Returns whether `text` is an address rather than a name: a URL, an IP address, or a host with a port.
fn is_address(text: &str) -> bool {
    let with_port =
        text.rsplit_once(':').is_some_and(|(host, port)| !host.contains(' ') && port.parse::<u16>().is_ok());
    text.contains("://") || with_port || text.parse::<IpAddr>().is_ok()
}

fn ambiguous_name(servers: &[ServerInfo]) -> String {
    let line = |server: &ServerInfo| format!("\n  {}\n    id {}", table::row(server, table::NAME_COLUMNS), server.id);
    let lines: String = servers.iter().map(line).collect();
    format!("{} servers have this name; use an id or an address instead:{lines}", servers.len())
}

/// Prints the status of the server at `target`.
fn print(target: impl Into<Target>, arguments: &StatusArgs) -> anyhow::Result<()> {
    let mut config = ClientConfig::new(target);
    config.setting_names = SettingNames::CommandLine;
    config.token = arguments.credentials.token();
    config.fingerprint = arguments.credentials.fingerprint;
    println(&serde_json::to_string_pretty(&halloo::status_of(&config)?)?)?;
    Ok(())
}

fn println(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses_are_distinguished_from_names() {
        for address in
            ["ws://host:1", "http://10.0.0.1:8765/", "10.0.0.1", "10.0.0.1:8765", "host:8765", "::1", "[::1]:1"]
        {
            assert!(is_address(address), "{address}");
        }
        for name in ["den", "Living room", "Anna: phone", "5f0c9a3be1d24477", "table 5:30"] {
            assert!(!is_address(name), "{name}");
        }
    }
}
