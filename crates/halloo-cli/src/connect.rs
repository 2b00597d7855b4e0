//! `halloo connect`: sends lines of standard input to a server, and writes its messages to standard output.

mod format;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::bail;
use halloo::{Client, ClientConfig, ClientEvent, CloseCode, ServerInfo, SettingNames, Target};
use halloo_proto::text::escape;
use serde::Deserialize;

use crate::advice;
use crate::args::ConnectArgs;
use crate::hangup::wait_for_stdout_hangup;
use crate::input::{self, Line, next_line};
use crate::json;
use crate::named;
use crate::output::Output;
use crate::signals;

/// How long to search for further servers after the first one, in order to report them.
const OTHERS_TIMEOUT: Duration = Duration::from_millis(250);

/// The number of failed attempts in a row after which there is advice. A server that restarts misses one or two.
const ADVICE_AFTER: u32 = 3;

/// A command, read from one line.
#[derive(Debug, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    Send { text: Option<String>, binary: Option<String> },
    Close { code: Option<u16>, reason: Option<String> },
}

/// Connects and runs until the connection ends for good. Returns whether a server was found.
pub(crate) fn run(arguments: &ConnectArgs, output: &Arc<Output>) -> anyhow::Result<bool> {
    let in_json = arguments.json;
    // The reader of standard output learns it too.
    let report = |text: &str| if in_json { json::emit(output, &json::error(text)) } else { Ok(()) };
    let (target, name) = match arguments.target.as_deref().map(Target::from) {
        Some(address) if address.as_name().is_none() => (address, None),
        Some(target) => {
            let name = target.as_name().unwrap_or_default();
            match named::find(name, &arguments.search(), &arguments.search_options, report)? {
                // An id means this server also when it has stopped; one with the same name is another.
                Some(server) if server.id.eq_ignore_ascii_case(name.trim()) => (target, Some(server.name)),
                Some(server) => (Target::from(&server), Some(server.name)),
                None => return Ok(false),
            }
        }
        None => match find_first(arguments, report)? {
            Some(server) => (Target::from(&server), Some(server.name)),
            None => return Ok(false),
        },
    };
    let mut config = ClientConfig::new(target);
    config.setting_names = SettingNames::CommandLine;
    config.room = arguments.room.clone();
    config.subprotocols = arguments.subprotocols.clone();
    config.reconnect = !arguments.once;
    config.token = arguments.credentials.token()?;
    config.fingerprint = arguments.credentials.fingerprint;
    config.messages.max_message_bytes = arguments.max_message_bytes;
    config.search = arguments.search();
    let running = Arc::new(OnceLock::new());
    stop_on_signal(&running)?;
    let client = Arc::new(Client::start(config)?);
    let _ = running.set(Arc::clone(&client));
    let (input_client, input_output) = (Arc::clone(&client), Arc::clone(output));
    let stay = arguments.stay;
    // Never joined: a read of standard input cannot be interrupted, and the process ends without it.
    std::thread::spawn(move || {
        read_input(&input_client, &input_output, in_json);
        if !stay {
            close_when_sent(&input_client);
        } else if wait_for_stdout_hangup() {
            input_client.stop();
        }
    });
    let outcome = report_events(&client, name.as_deref(), in_json, output);
    // Closes the connection cleanly also when standard output was closed.
    client.stop();
    client.events().for_each(drop);
    outcome.map(|()| true)
}

/// Closes the connection on the first signal. A second signal, or one before the client started, exits immediately.
fn stop_on_signal(running: &Arc<OnceLock<Arc<Client>>>) -> anyhow::Result<()> {
    let (running, stopping) = (Arc::clone(running), AtomicBool::new(false));
    let handler = move |_| match running.get().filter(|_| !stopping.swap(true, Ordering::Relaxed)) {
        Some(client) => client.stop(),
        None => std::process::exit(1),
    };
    signals::set_handler(handler)
}

/// Reports each event until the last one.
fn report_events(client: &Client, name: Option<&str>, in_json: bool, output: &Output) -> anyhow::Result<()> {
    let to_terminal = output.is_terminal();
    let (mut was_connected, mut failed_attempts) = (false, 0);
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
            for object in format::to_json(&event, name) {
                output.write(json::line(&object).as_bytes())?;
            }
        } else {
            format::log(&event, name);
        }
        match event {
            ClientEvent::MessageReceived { message } if !in_json => {
                output.write(&format::message_line(&message, to_terminal))?
            }
            ClientEvent::Disconnected { code: CloseCode::Abnormal, reason, retry_in: None } => {
                bail!("{}", escape(&reason, 200))
            }
            ClientEvent::GaveUp { reason, status } => {
                bail!("{}", advice::add_to_reason(reason, status, was_connected))
            }
            ClientEvent::Connected { .. } => (was_connected, failed_attempts) = (true, 0),
            ClientEvent::AttemptFailed { .. } => {
                failed_attempts += 1;
                if failed_attempts == ADVICE_AFTER {
                    tracing::info!("still trying; {}", advice::DOCTOR);
                }
            }
            _ => {}
        }
    }
}

/// Finds the first server, and logs the others.
fn find_first(
    arguments: &ConnectArgs,
    report: impl FnOnce(&str) -> io::Result<()>,
) -> anyhow::Result<Option<ServerInfo>> {
    let mut search = arguments.search();
    search.first = true;
    let Some(server) = search.run()?.into_iter().next() else {
        report(&arguments.search_options.report_not_found(None, &[]))?;
        return Ok(None);
    };
    (search.first, search.timeout) = (false, OTHERS_TIMEOUT);
    for other in search.run()?.iter().filter(|other| other.id != server.id) {
        tracing::info!("using `{}` at {}; there is also `{}` at {}", server.name, server.url, other.name, other.url);
    }
    Ok(Some(server))
}

/// Sends lines of standard input as messages, or executes them as commands.
fn read_input(client: &Client, output: &Output, in_json: bool) {
    let mut input = io::stdin().lock();
    let report_error = |text: &str| input::report_error(output, in_json, text);
    loop {
        match next_line(&mut input) {
            Ok(Line::Text(line)) if in_json => {
                if let Err(error) = handle(client, &line) {
                    report_error(&error);
                }
            }
            Ok(Line::Text(line)) => {
                // Nothing is lost when the input is faster than the network: the writer of the pipe blocks.
                client.wait_room(Duration::MAX);
                if client.send(&line).is_err() {
                    return;
                }
            }
            Ok(Line::NotText) => report_error("skipped an input line that is not UTF-8"),
            Ok(Line::TooLong) => {
                report_error(&format!("skipped an input line of more than {} bytes", input::MAX_LINE_BYTES));
            }
            Ok(Line::End) => return,
            Err(error) => return report_error(&format!("cannot read standard input: {error}")),
        }
    }
}

fn handle(client: &Client, line: &str) -> Result<(), String> {
    if line.trim().is_empty() {
        return Ok(());
    }
    match json::parse(line)? {
        Command::Send { text, binary } => json::check_delivery(client.send(json::message(text, binary)?)),
        Command::Close { code, reason } => {
            client.close(json::close_code(code)?, &reason.unwrap_or_default());
            Ok(())
        }
    }
}

/// Closes the connection once all messages are sent. Waits for a connection first, so that a refusal is reported even
/// if there is nothing to send.
fn close_when_sent(client: &Client) {
    client.wait_connected(Duration::MAX);
    client.close(1000, "");
}
