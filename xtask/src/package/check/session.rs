//! A session with an installed program: a server, a message from a client, a search, and the doctor.

use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::package::packer::VERSION;

/// Returns how long the first message takes from the start of the server.
pub(super) fn run(program: &Path) -> Result<Duration> {
    // Free for now; if not, the server uses the next one and says so.
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    // No other program of this name can be found.
    let halloo = |arguments: &[&str]| {
        let mut command = Command::new(program);
        command.env_remove("HALLOO_PROGRAM").args(arguments);
        command
    };
    let start = Instant::now();
    let options = ["serve", "--json", "--bind", "127.0.0.1", "--port", "0", "--no-mdns", "--name", "packed"];
    let mut serve = halloo(&options);
    serve.args(["--quiet", "--exit-with-stdin", "--discovery-port", &port]);
    let (mut server, mut events) = started(&mut serve)?;
    let mut commands = server.stdin.take().context("a pipe")?;
    let ready = event(&mut events, "ready")?;
    let port = ready["discovery_port"].to_string();

    let search = ["--local", "--no-mdns", "--timeout", "20s", "--discovery-port", &port];
    let (mut client, _output) = started(halloo(&["connect", "packed", "--quiet"]).args(search))?;
    client.stdin.take().context("a pipe")?.write_all(b"hello\n")?;
    let message = event(&mut events, "message")?;
    let until_message = start.elapsed();
    ensure!(message["text"] == "hello", "the server received {message}");
    let status = client.wait()?;
    ensure!(status.success(), "`halloo connect` ended with {status}");

    let found = halloo(&["discover", "--json", "--first"]).args(search).output()?;
    let found: Value = serde_json::from_slice(&found.stdout).context("`halloo discover` found nothing")?;
    ensure!(found["name"] == "packed" && found["url"] == ready["urls"][0], "`halloo discover` found {found}");
    // Whether this machine is healthy does not matter.
    let diagnosis: Value = serde_json::from_slice(&halloo(&["doctor", "--json"]).output()?.stdout)?;
    ensure!(diagnosis["findings"].is_array(), "`halloo doctor` printed {diagnosis}");
    let version = halloo(&["--version"]).output()?;
    ensure!(String::from_utf8_lossy(&version.stdout).contains(VERSION), "it has another version");

    commands.write_all(b"{\"cmd\":\"stop\"}\n")?;
    let status = server.wait()?;
    ensure!(status.success(), "`halloo serve` ended with {status}");
    Ok(until_message)
}

fn started(command: &mut Command) -> Result<(Child, BufReader<ChildStdout>)> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start it")?;
    let output = child.stdout.take().context("a pipe")?;
    Ok((child, BufReader::new(output)))
}

/// Returns the next event with this name.
fn event(events: &mut impl BufRead, name: &str) -> Result<Value> {
    for line in events.lines() {
        let event: Value = serde_json::from_str(&line?).context("an event is not JSON")?;
        if event["event"] == name {
            return Ok(event);
        }
    }
    Err(anyhow::anyhow!("`halloo serve` ended before the event {name}"))
}
