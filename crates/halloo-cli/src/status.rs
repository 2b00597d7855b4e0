//! `halloo status`: how is a running server?

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use halloo::ServerInfo;
use halloo_proto::url::Url;

use crate::args::StatusArgs;
use crate::table;

/// For each step of the request: a server on the local network answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints the status of a server, and answers whether it was found.
pub(crate) fn run(arguments: &StatusArgs) -> anyhow::Result<bool> {
    let found = match arguments.server.as_deref() {
        Some(server) if is_address(server) => return print(server, arguments).map(|()| true),
        Some(name) => arguments.search().find(name)?,
        None => arguments.search().run()?,
    };
    match (found.as_slice(), &arguments.server) {
        ([server], _) => print(&server.url, arguments).map(|()| true),
        ([], None) => {
            eprintln!("halloo: {}", arguments.place.advice());
            Ok(false)
        }
        ([], Some(name)) => {
            eprintln!("halloo: no server is called {name:?}; `halloo discover` lists those that answer");
            Ok(false)
        }
        (several, _) => bail!("{}", choice(several)),
    }
}

/// Whether this is an address rather than a name: a URL, an IP address, or something with a port.
fn is_address(text: &str) -> bool {
    let with_port =
        text.rsplit_once(':').is_some_and(|(host, port)| !host.contains(' ') && port.parse::<u16>().is_ok());
    text.contains("://") || with_port || text.parse::<IpAddr>().is_ok()
}

fn choice(servers: &[ServerInfo]) -> String {
    let line = |server: &ServerInfo| format!("\n  {}\n    id {}", table::row(server, table::NAME), server.id);
    let lines: String = servers.iter().map(line).collect();
    format!("{} servers have this name; give an id or an address instead:{lines}", servers.len())
}

/// Prints the status of the server at `url`.
fn print(url: &str, arguments: &StatusArgs) -> anyhow::Result<()> {
    let url: Url = url.parse()?;
    let host = url.authority();
    let addr = (url.host().to_string().trim_matches(['[', ']']), url.port())
        .to_socket_addrs()
        .with_context(|| format!("cannot find the host {host}"))?;
    let addr = addr.into_iter().next().with_context(|| format!("{host} has no address"))?;
    let token = arguments.keys.token().or_else(|| url.token().cloned());
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {}\r\n", token.reveal()));
    let mut stream =
        TcpStream::connect_timeout(&addr, PATIENCE).with_context(|| format!("cannot connect to {addr}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /status HTTP/1.1\r\nHost: {host}\r\n{token}Connection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(16 * 1024 * 1024).read_to_string(&mut answer).context("the server did not answer in time")?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => println(body)?,
        Some((_, reason)) => bail!("the server refused: {}", reason.trim().escape_debug()),
        None => bail!("what answers at {addr} is no halloo server"),
    }
    Ok(())
}

fn println(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn an_address_is_told_from_a_name() {
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
