//! `halloo connect`: a server between standard input and standard output.

mod telling;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail};
use halloo::{Client, ClientConfig, ClientEvent, CloseCode, ServerInfo, Target};
use halloo_proto::text::escape;
use serde::Deserialize;

use crate::advice;
use crate::args::ConnectArgs;
use crate::input::{self, Line, next_line};
use crate::json;
use crate::output::Output;

/// After the first server, how long to wait for others, to report them.
const OTHERS: Duration = Duration::from_millis(250);

/// A command line.
#[derive(Debug, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    Send { text: Option<String>, binary: Option<String> },
    Close { code: Option<u16>, reason: Option<String> },
}

/// Connects and runs until the end; returns whether a server was found.
pub(crate) fn run(arguments: &ConnectArgs, output: &Arc<Output>) -> anyhow::Result<bool> {
    let given = arguments.target.as_deref().map(Target::from);
    let (target, name) = match given {
        Some(target) if target.as_name().is_none() => (target, None),
        wanted => match find(arguments, wanted.as_ref().and_then(Target::as_name))? {
            Some(server) => (Target::from(&server), Some(server.name)),
            None => return Ok(false),
        },
    };
    let mut config = ClientConfig::new(target);
    config.reconnect = !arguments.once;
    config.token = arguments.keys.token();
    config.fingerprint = arguments.keys.fingerprint;
    config.search = arguments.search();
    let running = Arc::new(OnceLock::new());
    stop_on_signal(&running)?;
    let client = Arc::new(Client::start(config)?);
    let _ = running.set(Arc::clone(&client));
    let (of_input, to_output) = (Arc::clone(&client), Arc::clone(output));
    let (in_json, stay) = (arguments.json, arguments.stay);
    // Never joined: a read of standard input cannot be interrupted, and the process ends without it.
    std::thread::spawn(move || {
        read_input(&of_input, &to_output, in_json);
        if !stay {
            finish(&of_input);
        }
    });
    let outcome = tell_events(&client, name.as_deref(), in_json, output);
    // When standard output is gone, the server is still told that this is the end.
    client.stop();
    client.events().for_each(drop);
    outcome.map(|()| true)
}

/// The first signal closes cleanly; the second, or one before the start, exits at once.
fn stop_on_signal(running: &Arc<OnceLock<Arc<Client>>>) -> anyhow::Result<()> {
    let (running, stopping) = (Arc::clone(running), AtomicBool::new(false));
    let handler = move || match running.get().filter(|_| !stopping.swap(true, Ordering::Relaxed)) {
        Some(client) => client.stop(),
        None => std::process::exit(1),
    };
    ctrlc::set_handler(handler).context("cannot watch for Ctrl-C")
}

/// Reports each event until the last one.
fn tell_events(client: &Client, name: Option<&str>, in_json: bool, output: &Output) -> anyhow::Result<()> {
    let watched = output.is_watched();
    loop {
        let event = match client.try_event() {
            Some(event) => event,
            None => {
                output.flush()?;
                let Some(event) = client.events().next() else { return Ok(()) };
                event
            }
        };
        if in_json {
            for object in telling::in_json(&event, name) {
                output.data(json::line(&object).as_bytes())?;
            }
        } else {
            telling::in_words(&event, name);
        }
        match event {
            ClientEvent::MessageReceived { message } if !in_json => output.data(&telling::line(&message, watched))?,
            ClientEvent::Disconnected { code: CloseCode::Abnormal, reason, retry_in: None } => {
                bail!("{}", escape(&reason, 200))
            }
            ClientEvent::GaveUp { reason, status } => bail!("{}", advice::gave_up(reason, status)),
            _ => {}
        }
    }
}

/// Returns the server called `wanted`, or the first one, and logs the others.
fn find(arguments: &ConnectArgs, wanted: Option<&str>) -> anyhow::Result<Option<ServerInfo>> {
    let mut search = arguments.search();
    let found = match wanted {
        Some(name) => search.find(name)?,
        None => {
            search.first = true;
            let mut found = search.run()?;
            if let Some(first) = found.first().map(|server| server.id.clone()) {
                (search.first, search.timeout) = (false, OTHERS);
                found.truncate(1);
                found.extend(search.run()?.into_iter().filter(|server| server.id != first));
            }
            found
        }
    };
    let Some((server, others)) = found.split_first() else {
        match wanted {
            Some(name) => {
                eprintln!("halloo: no server is called {name:?}; `halloo discover` lists the servers that answer")
            }
            None => eprintln!("halloo: {}", arguments.place.advice()),
        }
        return Ok(None);
    };
    for other in others {
        tracing::info!("using `{}` at {}; there is also `{}` at {}", server.name, server.url, other.name, other.url);
    }
    Ok(Some(server.clone()))
}

/// Lines are messages, or commands.
fn read_input(client: &Client, output: &Output, in_json: bool) {
    let mut input = io::stdin().lock();
    let complain = |text: &str| {
        if in_json {
            // When standard output is gone, the next event finds out.
            let _ = json::answer(output, &json::error(text));
        } else {
            tracing::warn!("{text}");
        }
    };
    loop {
        match next_line(&mut input) {
            Ok(Line::Text(line)) if in_json => {
                if let Err(error) = obey(client, &line) {
                    complain(&error);
                }
            }
            Ok(Line::Text(line)) => {
                // Nothing is lost for being read too fast: whoever writes to the pipe waits.
                client.wait_room(Duration::MAX);
                if client.send(&line).is_err() {
                    return;
                }
            }
            Ok(Line::NotText) => complain("skipped a line of the input that is not UTF-8"),
            Ok(Line::TooLong) => {
                complain(&format!("skipped a line of the input of more than {} bytes", input::LONGEST));
            }
            Ok(Line::End) => return,
            Err(error) => return complain(&format!("cannot read the input: {error}")),
        }
    }
}

fn obey(client: &Client, line: &str) -> Result<(), String> {
    if line.trim().is_empty() {
        return Ok(());
    }
    match serde_json::from_str(line).map_err(|error| format!("not a command: {error}"))? {
        Command::Send { text, binary } => json::told(client.send(json::message(text, binary)?)),
        Command::Close { code, reason } => {
            let code = code.unwrap_or(1000);
            if !CloseCode::from(code).is_sendable() {
                return Err(format!("the code {code} may not be sent; use 1000, or 3000 to 4999"));
            }
            client.close(code, &reason.unwrap_or_default());
            Ok(())
        }
    }
}

/// Closes once there was a connection and everything is sent: a refusal must be reported even when nothing is sent.
fn finish(client: &Client) {
    client.wait_connected(Duration::MAX);
    client.close(1000, "");
}
