//! `halloo status`: how is a running server?

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use halloo::Search;

/// For each step of the request: a server on the local network answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints the status of the server at `url`, or of the first that is found; answers whether there was one.
pub(crate) fn run(url: Option<&str>) -> anyhow::Result<bool> {
    let url = match url {
        Some(url) => url.to_owned(),
        None => {
            let mut search = Search::default();
            search.first = true;
            let Some(server) = search.run()?.into_iter().next() else {
                eprintln!("halloo: no server found; give its address, like `halloo status ws://192.168.1.5:8765`");
                return Ok(false);
            };
            server.url
        }
    };
    let host = url.trim_start_matches("ws://").trim_start_matches("http://").trim_end_matches('/');
    let addr = host
        .to_socket_addrs()
        .with_context(|| format!("{host} is no address; it needs a port, like 192.168.1.5:8765"))?;
    let addr = addr.into_iter().next().with_context(|| format!("{host} has no address"))?;
    let mut stream =
        TcpStream::connect_timeout(&addr, PATIENCE).with_context(|| format!("cannot connect to {addr}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(16 * 1024 * 1024).read_to_string(&mut answer).context("the server did not answer in time")?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => println(body)?,
        Some((_, reason)) => bail!("the server refused: {}", reason.trim().escape_debug()),
        None => bail!("what answers at {addr} is no halloo server"),
    }
    Ok(true)
}

fn println(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{}", text.trim_end())
}
