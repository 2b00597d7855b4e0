//! `halloo serve`: sends lines of standard input to all clients, and writes their messages to standard output.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anstyle::Style;
use anyhow::bail;
use halloo::{Delivery, Event, Identity, Server};
use halloo_proto::name::{MAX_NAME_CHARS, clean};

use crate::banner::Banner;
use crate::hangup::wait_for_stdout_hangup;
use crate::inherited_socket;
use crate::input::{self, Line, next_line};
use crate::json;
use crate::message_line::escape_message;
use crate::output::{Output, colours_on_stderr, colours_on_stdout, terminal_size};
use crate::pad_log::PadLog;
use crate::screen::Size;
use crate::serve_args::ServeArgs;
use crate::service_manager::{self, State};
use crate::signals::{self, Signal};
use crate::status_line::StatusLine;

/// Time between two redraws of the status line.
const REDRAW_INTERVAL: Duration = Duration::from_millis(250);
/// Time after which a stop is forced, also when nothing reads standard output.
const STOP_TIMEOUT: Duration = Duration::from_millis(1800);
/// Time between two attempts to send a line during backpressure.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);

/// Serves until the server stops. With `quiet`, a terminal shows messages and errors only.
pub(crate) fn run(arguments: &ServeArgs, quiet: bool, output: &Arc<Output>) -> anyhow::Result<()> {
    #[cfg(unix)]
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::debug!("cannot raise the limit on open files: {error}");
    }
    let (to_terminal, in_json) = (output.is_terminal(), arguments.json);
    let with_banner = !quiet && !in_json && (to_terminal || io::stderr().is_terminal());
    if with_banner {
        output.hold_log();
    }
    warn_about_settings(arguments);
    let running = Arc::new(OnceLock::new());
    let listener = inherited_socket::take()?.map(Arc::new);
    if let Some(address) = listener.as_ref().and_then(|listener| listener.local_addr().ok()) {
        tracing::info!("listening on the socket from systemd, {address}; `--port` and `--bind` have no effect");
    }
    let config = arguments.config().map(|config| config.listener(listener));
    let identity = config.as_ref().ok().and_then(|config| config.tls.clone());
    handle_signals(&running, identity, output)?;
    if arguments.wants_random_token() && !with_banner && !in_json {
        bail!(
            "a random token is shown only in the banner, which requires a terminal and no `--quiet`; set HALLOO_TOKEN, \
             or use `--token TOKEN`, `--token-file FILE` or `--json`"
        );
    }
    let server = Arc::new(Server::start(config?)?);
    // Left when this is dropped, before the last clients are closed.
    #[cfg(feature = "cluster")]
    let _cluster = arguments.cluster.join(&server, arguments.settings.config.cluster_name.as_deref())?;
    let _ = running.set(Arc::clone(&server));
    service_manager::notify(State::Ready(&server.url()));
    if with_banner {
        output.show_banner(&banner_text(&server, arguments, to_terminal));
    } else if let Some(notice) = notice(arguments) {
        tracing::info!("{notice}");
    }
    let (input_server, input_output, with_stdin) = (Arc::clone(&server), Arc::clone(output), arguments.exit_with_stdin);
    // Never joined: a read of standard input cannot be interrupted, and the process ends without it.
    std::thread::spawn(move || {
        read_input(&input_server, &input_output, in_json);
        // In JSON mode, nothing can reach a server whose input and output are both gone: its parent has ended.
        if with_stdin || in_json && wait_for_stdout_hangup() {
            stop(&input_server, &input_output);
        }
    });
    let outcome = if in_json {
        write_events(&server, output)
    } else {
        // Updated until this is dropped.
        let _status_line = (with_banner && to_terminal).then(|| start_status_line(&server, output));
        write_messages(&server, output, to_terminal, arguments.settings.config.pad.is_some())
    };
    service_manager::notify(State::Stopping);
    // Closes the connections cleanly also when standard output was closed.
    server.stop();
    for _ in server.events() {}
    outcome?.map_or(Ok(()), |message| Err(anyhow::anyhow!(message)))
}

/// Returns the names of log events that are hidden because they are shown elsewhere.
pub(crate) fn hidden_events(arguments: &ServeArgs, output: &Output) -> &'static [&'static str] {
    // The process prints the message of a failure when it exits.
    match (arguments.json, output.is_terminal(), io::stderr().is_terminal()) {
        (false, true, _) => &["server failed", "server started", "message received"],
        (false, false, true) => &["server failed", "server started"],
        _ => &["server failed"],
    }
}

/// Returns the banner, with hints if standard input is a terminal.
fn banner_text(server: &Server, arguments: &ServeArgs, to_terminal: bool) -> String {
    let colours = if to_terminal { colours_on_stdout() } else { colours_on_stderr() };
    // The size of standard error is not known.
    let size = terminal_size().unwrap_or(Size { columns: 80, rows: 24 });
    let notice = notice(arguments);
    let mut hints: Vec<&str> = notice.as_deref().into_iter().collect();
    if io::stdin().is_terminal() {
        hints.extend(["Lines you type go to all clients.", "Press Ctrl-C to stop the server."]);
    }
    let secure_invitation = server.secure_invitation();
    let banner = Banner {
        name: &arguments.settings.config.name,
        urls: &server.urls(),
        invitation: &server.invitation(),
        secure_invitation: secure_invitation.as_deref(),
        hints: &hints,
    };
    banner.render(size, colours)
}

/// Returns who can read the files that are published, if there are any.
fn notice(arguments: &ServeArgs) -> Option<String> {
    let has_token = arguments.token.is_some() || arguments.token_file.is_some();
    arguments.www.as_ref().map(|pages| pages.notice(has_token))
}

fn warn_about_settings(arguments: &ServeArgs) {
    if let Some(pages) = &arguments.www {
        pages.warn(arguments.settings.config.pad.is_some());
    }
    for origin in &arguments.settings.config.access.allowed_origins {
        let is_any_host = origin.contains("://*") && !origin.contains("://*.");
        if origin == "*" {
            tracing::warn!("`--allowed-origins '*'` lets all web pages connect to this server");
        } else if is_any_host {
            tracing::warn!("`--allowed-origins '{origin}'` lets pages of public sites connect to this server, too");
        }
    }
    let config = &arguments.settings.config;
    for (what, text) in [
        ("name", Some(&config.name)),
        ("application id", config.app.as_ref()),
        ("name of the cluster", config.cluster_name.as_ref()),
    ] {
        // Counted as it is announced: a text can have more characters in another form of Unicode.
        if text.is_some_and(|text| clean(text, usize::MAX).chars().count() > MAX_NAME_CHARS) {
            tracing::warn!("the {what} is longer than {MAX_NAME_CHARS} characters; other programs see it truncated");
        }
    }
}

/// Stops the server on the first signal that stops a program. A second one, one before the server started, or a stop that
/// exceeds [`STOP_TIMEOUT`] exits immediately. [`Signal::Reload`] reads the certificate of a server with TLS again. Without TLS it
/// stops the server, unless it is a service, which has nothing to read then.
fn handle_signals(
    running: &Arc<OnceLock<Arc<Server>>>,
    identity: Option<Identity>,
    output: &Arc<Output>,
) -> anyhow::Result<()> {
    let (running, output, stopping) = (Arc::clone(running), Arc::clone(output), AtomicBool::new(false));
    signals::set_handler(move |signal| {
        if signal == Signal::Reload && (identity.is_some() || service_manager::is_present()) {
            return reload(identity.as_ref(), running.get());
        }
        match running.get().filter(|_| !stopping.swap(true, Ordering::Relaxed)) {
            Some(server) => stop(server, &output),
            None => exit_now(&output),
        }
    })
}

/// Reads the certificate again, if there is one.
fn reload(identity: Option<&Identity>, server: Option<&Arc<Server>>) {
    service_manager::notify(State::Reloading);
    if let Some(Err(error)) = identity.map(Identity::reload) {
        tracing::warn!("the certificate in use is kept, because the new one cannot be used: {error}");
    }
    if let Some(server) = server {
        service_manager::notify(State::Ready(&server.url()));
    }
}

/// Stops the server. Exits after [`STOP_TIMEOUT`].
fn stop(server: &Server, output: &Arc<Output>) {
    service_manager::notify(State::Stopping);
    server.stop();
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        std::thread::sleep(STOP_TIMEOUT);
        exit_now(&output)
    });
}

fn exit_now(output: &Output) -> ! {
    output.try_clear();
    std::process::exit(1)
}

/// Writes events as JSON until the server stops. Returns why it failed, if it did.
fn write_events(server: &Server, output: &Output) -> io::Result<Option<String>> {
    json::emit(output, &json::ready(server))?;
    let mut failure = None;
    for_each_event(server, output, |event| {
        output.write(json::line(&json::event(&event)).as_bytes())?;
        if let Event::ServerFailed { message } = event {
            failure = Some(message);
        }
        Ok(())
    })?;
    json::emit(output, &json::stopped())?;
    Ok(failure)
}

/// Writes messages until the server stops. Returns why it failed, if it did.
fn write_messages(server: &Server, output: &Output, to_terminal: bool, with_pads: bool) -> io::Result<Option<String>> {
    let dim = if colours_on_stdout() { Style::new().dimmed() } else { Style::new() };
    let (mut failure, mut pads) = (None, PadLog::new(colours_on_stdout()));
    let with_pads = with_pads && to_terminal;
    for_each_event(server, output, |event| match event {
        Event::MessageReceived { client, message } if to_terminal => {
            let prefix = format!("{dim}client {client}:{dim:#}");
            let of_pad = message.text().filter(|_| with_pads).and_then(|text| pads.lines(client, text));
            let lines = of_pad.unwrap_or_else(|| vec![escape_message(&message)]);
            lines.iter().try_for_each(|line| output.write(format!("{prefix} {line}\n").as_bytes()))
        }
        Event::MessageReceived { message, .. } => output.write(&[message.bytes(), b"\n"].concat()),
        Event::ClientLeft { client, .. } => match pads.remove(client) {
            Some(name) => output.write(format!("{dim}client {client}:{dim:#} {name} left\n").as_bytes()),
            None => Ok(()),
        },
        Event::ServerFailed { message } => {
            failure = Some(message);
            Ok(())
        }
        _ => Ok(()),
    })?;
    Ok(failure)
}

/// Calls `handle` for each event, and flushes the output when no other event is queued.
fn for_each_event(
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

/// Updates the status line until the returned sender is dropped.
fn start_status_line(server: &Arc<Server>, output: &Arc<Output>) -> mpsc::Sender<()> {
    let (guard, dropped) = mpsc::channel();
    let (server, output, start) = (Arc::clone(server), Arc::clone(output), Instant::now());
    std::thread::spawn(move || {
        let (mut line, colours) = (StatusLine::default(), colours_on_stdout());
        loop {
            output.set_status(line.line(&server.summary(), start.elapsed(), colours));
            if dropped.recv_timeout(REDRAW_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    });
    guard
}

/// Sends lines of standard input to all clients, or executes them as commands, until the input ends.
fn read_input(server: &Server, output: &Output, in_json: bool) {
    let (mut input, from_terminal) = (io::stdin().lock(), io::stdin().is_terminal());
    let report_error = |text: &str| input::report_error(output, in_json, text);
    let mut had_clients = true;
    loop {
        let line = next_line(&mut input);
        if from_terminal {
            output.on_enter();
        }
        match line {
            Ok(Line::Text(line)) if in_json => {
                if let Err(error) = json::handle(server, &line, output) {
                    report_error(&error);
                }
            }
            Ok(Line::Text(line)) => {
                let has_clients = server.summary().connected_clients > 0;
                if had_clients && !has_clients {
                    tracing::info!("message not sent because no client is connected");
                }
                had_clients = has_clients;
                // Nothing is lost when the input is faster than the network: the writer of the pipe blocks.
                while server.send_to_all(&line) == Ok(Delivery::Backpressure) {
                    std::thread::sleep(RETRY_INTERVAL);
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
