//! `halloo serve`: the server between standard input and standard output.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anstyle::Style;
use anyhow::{Context, bail};
use halloo::{Delivery, Event, Server};
use halloo_proto::announcement::MAX_NAME_CHARS;

use crate::args::ServeArgs;
use crate::input::{self, Line, next_line};
use crate::message_line::shown;
use crate::output::{Output, colours_on_stderr, colours_on_stdout, size};
use crate::status_line::StatusLine;
use crate::{banner, json};

/// Time between two redraws of the status line.
const REDRAW: Duration = Duration::from_millis(250);
/// How long stopping may take, also when nothing reads standard output.
const END_TIME: Duration = Duration::from_millis(1800);
/// Time between two attempts to send a line while too much waits.
const RETRY: Duration = Duration::from_millis(1);

/// Serves until it is stopped. With `quiet`, a person sees messages and errors only.
pub(crate) fn run(arguments: &ServeArgs, quiet: bool, output: &Arc<Output>) -> anyhow::Result<()> {
    #[cfg(unix)]
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::debug!("cannot raise the limit of open files: {error}");
    }
    let (watched, in_json) = (output.is_watched(), arguments.json);
    let with_banner = !quiet && !in_json && (watched || io::stderr().is_terminal());
    if with_banner {
        output.hold_log();
    }
    warn_about(arguments);
    let running = Arc::new(OnceLock::new());
    end_on_signal(&running, output)?;
    if arguments.wants_random_token() && !with_banner && !in_json {
        bail!("nobody would see a random token; give one with HALLOO_TOKEN or `--token TOKEN`, or use --json");
    }
    let server = Arc::new(Server::start(arguments.config()?)?);
    let _ = running.set(Arc::clone(&server));
    if with_banner {
        output.show(&greeting(&server, &arguments.settings.config.name, watched));
    }
    let (of_input, to_output) = (Arc::clone(&server), Arc::clone(output));
    // Never joined: a read of standard input cannot be interrupted, and the process ends without it.
    std::thread::spawn(move || read_input(&of_input, &to_output, in_json));
    let outcome = if in_json {
        pass_on_json(&server, output)
    } else {
        // The status line ends when `_alive` does.
        let _alive = (with_banner && watched).then(|| keep_status_line(&server, output));
        pass_on_text(&server, output, watched)
    };
    // When standard output is gone, the clients are still told that this is the end.
    server.stop();
    for _ in server.events() {}
    outcome?.map_or(Ok(()), |message| Err(anyhow::anyhow!(message)))
}

/// Events of the log that are seen elsewhere.
pub(crate) fn seen(arguments: &ServeArgs, output: &Output) -> &'static [&'static str] {
    // A failure is how the process ends, with the same words.
    match (arguments.json, output.is_watched(), io::stderr().is_terminal()) {
        (false, true, _) => &["server failed", "server started", "message received"],
        (false, false, true) => &["server failed", "server started"],
        _ => &["server failed"],
    }
}

/// Returns what a person sees first.
fn greeting(server: &Server, name: &str, watched: bool) -> String {
    let colours = if watched { colours_on_stdout() } else { colours_on_stderr() };
    // Behind a pipe the width is not known; all but the QR code fits into the usual one.
    let columns = size().map_or(80, |size| size.columns);
    let mut text = banner::banner(server, name, columns, colours);
    if io::stdin().is_terminal() {
        text += "  Lines that you type are sent to all clients. Ctrl-C stops the server.\n\n";
    }
    text
}

fn warn_about(arguments: &ServeArgs) {
    if arguments.settings.config.access.allowed_origins.iter().any(|origin| origin == "*") {
        tracing::warn!("`--allowed-origins '*'` lets every web page connect to this server");
    }
    if arguments.settings.config.name.chars().count() > MAX_NAME_CHARS {
        tracing::warn!("the name is longer than {MAX_NAME_CHARS} characters; other programs see it cut");
    }
}

/// The first signal stops cleanly; the second, one before the start, or a stop that takes too long exits at once.
fn end_on_signal(running: &Arc<OnceLock<Arc<Server>>>, output: &Arc<Output>) -> anyhow::Result<()> {
    let (running, output, stopping) = (Arc::clone(running), Arc::clone(output), AtomicBool::new(false));
    let end_now = |output: &Output| {
        output.abandon();
        std::process::exit(1)
    };
    let handler = move || {
        let Some(server) = running.get().filter(|_| !stopping.swap(true, Ordering::Relaxed)) else { end_now(&output) };
        server.stop();
        let output = Arc::clone(&output);
        std::thread::spawn(move || {
            std::thread::sleep(END_TIME);
            end_now(&output)
        });
    };
    ctrlc::set_handler(handler).context("cannot watch for Ctrl-C")
}

/// Passes events on until the server stops; returns why it failed, if it did.
fn pass_on_json(server: &Server, output: &Output) -> io::Result<Option<String>> {
    json::answer(output, &json::ready(server))?;
    let mut failure = None;
    pass_on(server, output, |event| {
        output.data(json::line(&json::event(&event)).as_bytes())?;
        if let Event::ServerFailed { message } = event {
            failure = Some(message);
        }
        Ok(())
    })?;
    json::answer(output, &json::stopped())?;
    Ok(failure)
}

fn pass_on_text(server: &Server, output: &Output, watched: bool) -> io::Result<Option<String>> {
    let dim = if colours_on_stdout() { Style::new().dimmed() } else { Style::new() };
    let mut failure = None;
    pass_on(server, output, |event| match event {
        Event::MessageReceived { client, message } if watched => {
            output.data(format!("{dim}client {client}:{dim:#} {}\n", shown(&message)).as_bytes())
        }
        Event::MessageReceived { message, .. } => output.data(&[message.bytes(), b"\n"].concat()),
        Event::ServerFailed { message } => {
            failure = Some(message);
            Ok(())
        }
        _ => Ok(()),
    })?;
    Ok(failure)
}

/// Calls `handle` for every event, and flushes the output as soon as no other event waits.
fn pass_on(
    server: &Server,
    output: &Output,
    mut handle: impl FnMut(Event<'static>) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let event = match server.try_event() {
            Some(event) => event,
            None => {
                output.flush()?;
                let Some(event) = server.events().next() else { return Ok(()) };
                event
            }
        };
        handle(event)?;
    }
}

/// Draws the status line until the returned sender is dropped.
fn keep_status_line(server: &Arc<Server>, output: &Arc<Output>) -> mpsc::Sender<()> {
    let (alive, dropped) = mpsc::channel();
    let (server, output, start) = (Arc::clone(server), Arc::clone(output), Instant::now());
    std::thread::spawn(move || {
        let (mut line, colours) = (StatusLine::default(), colours_on_stdout());
        loop {
            output.set_status(line.line(&server.summary(), start.elapsed(), colours));
            if dropped.recv_timeout(REDRAW) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    });
    alive
}

/// Sends lines to all clients, or executes them as commands. The end of the input does not stop the server.
fn read_input(server: &Server, output: &Output, in_json: bool) {
    let (mut input, typed) = (io::stdin().lock(), io::stdin().is_terminal());
    let complain = |text: &str| {
        if in_json {
            // When standard output is gone, the next event finds out.
            let _ = json::answer(output, &json::error(text));
        } else {
            tracing::warn!("{text}");
        }
    };
    let mut heard = true;
    loop {
        let line = next_line(&mut input);
        if typed {
            output.entered();
        }
        match line {
            Ok(Line::Text(line)) if in_json => {
                if let Err(error) = json::obey(server, &line, output) {
                    complain(&error);
                }
            }
            Ok(Line::Text(line)) => {
                let anybody = server.summary().connected_clients > 0;
                if heard && !anybody {
                    tracing::info!("no client is connected, so your message was not sent");
                }
                heard = anybody;
                // Nothing is lost for being read too fast: whoever writes to the pipe waits.
                while server.send_to_all(&line) == Ok(Delivery::Backpressure) {
                    std::thread::sleep(RETRY);
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
