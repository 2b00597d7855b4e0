//! `halloo serve`: the server between standard input and standard output.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use anyhow::Context;
use halloo::{Event, Server};

use crate::args::ServeArgs;
use crate::{banner, json};

pub(crate) fn run(arguments: &ServeArgs) -> anyhow::Result<()> {
    #[cfg(unix)]
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::debug!(%error, "cannot raise the limit of open files");
    }
    if arguments.allow_origin.iter().any(|origin| origin == "*") {
        tracing::warn!("`--allow-origin '*'` lets every web page talk to this server");
    }
    let server = Arc::new(Server::start(arguments.config())?);
    let on_signal = Arc::clone(&server);
    ctrlc::set_handler(move || on_signal.stop()).context("cannot watch for Ctrl-C")?;
    let of_input = Arc::clone(&server);
    let in_json = arguments.json;
    // Never joined: a read of standard input cannot be interrupted, and the process ends without it.
    std::thread::spawn(move || read_input(&of_input, in_json));
    let mut out = io::stdout();
    if in_json {
        json::write(&mut out, &json::ready(&server))?;
    } else if out.is_terminal() {
        write!(out, "{}", banner::banner(&server, &arguments.name))?;
    }
    let mut failure = None;
    for event in server.events() {
        if in_json {
            json::write(&mut out, &json::event(&event))?;
        } else if let Event::MessageReceived { message, .. } = &event {
            out.write_all(message.bytes())?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
        if let Event::ServerFailed { message } = event {
            failure = Some(message);
        }
    }
    if in_json {
        json::write(&mut out, &json::stopped())?;
    }
    failure.map_or(Ok(()), |message| Err(anyhow::anyhow!(message)))
}

/// Lines go to all clients, or are commands. The end of the input stops nothing.
fn read_input(server: &Server, in_json: bool) {
    for line in io::stdin().lock().lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let told = "a line of the input is not UTF-8 and was left out";
                if !in_json {
                    tracing::error!("{told}");
                } else if let Err(error) = json::write(&mut io::stdout(), &json::error(told)) {
                    return tracing::error!(%error, "cannot write an answer");
                }
                continue;
            }
            Err(error) => return tracing::error!(%error, "cannot read the input any more"),
        };
        if in_json {
            if let Err(error) = json::obey(server, &line)
                && let Err(error) = json::write(&mut io::stdout(), &json::error(&error))
            {
                return tracing::error!(%error, "cannot write an answer");
            }
        } else if server.send_to_all(&line) == Ok(halloo::Delivery::Backpressure) {
            tracing::warn!("a line was dropped: too much waits to be sent");
        }
    }
}
