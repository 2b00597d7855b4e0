//! The log on standard error, one line per event.
//!
//! Lines are written by a thread of their own: a terminal that is paused, or a full pipe, must not stop the server.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use chrono::Timelike;
use halloo_proto::text::escape;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::output::{self, Output};

/// Bytes of the longest log line; parts from the network are cut before.
const LINE: usize = 2000;

/// Lines that wait to be written; beyond, lines are dropped and counted.
const WAITING: usize = 1024;
/// How long the exit waits for the last lines.
const PATIENCE: Duration = Duration::from_millis(500);

/// A job of the thread that writes.
enum Job {
    Write(Vec<u8>),
    /// Answer when everything before is written.
    Answer(SyncSender<()>),
}

/// The running log.
pub(crate) struct Log(SyncSender<Job>);

impl Log {
    /// Waits until everything is written, for a limited time.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        // When the queue is full, its lines are not being written, and there is nothing to wait for.
        if self.0.try_send(Job::Answer(done)).is_ok() {
            let _ = written.recv_timeout(PATIENCE);
        }
    }
}

/// Starts the log. Events with a `name` in `seen` are left out, because they are shown elsewhere.
pub(crate) fn start(quiet: bool, verbose: u8, output: &Arc<Output>, seen: &'static [&'static str]) -> Log {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::INFO,
        (_, 1) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let lines = Lines { colours: output::colours_on_stderr(), seen };
    let ((jobs, waiting), lost) = (sync_channel(WAITING), Arc::new(AtomicU64::new(0)));
    let (output, counted) = (Arc::clone(output), Arc::clone(&lost));
    std::thread::spawn(move || write_lines(&output, &waiting, &counted));
    let writer = ToThread { jobs: jobs.clone(), lost };
    tracing_subscriber::fmt().with_max_level(level).with_writer(writer).event_format(lines).init();
    Log(jobs)
}

fn write_lines(output: &Output, jobs: &Receiver<Job>, lost: &AtomicU64) {
    for job in jobs {
        match job {
            Job::Write(line) => output.log(&line),
            // Whoever asked may not have waited.
            Job::Answer(done) => _ = done.send(()),
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            output.log(format!("warning: {lost} log lines were dropped because they came too fast\n").as_bytes());
        }
    }
}

/// `12:34:56 client 1 joined …`; the level only where it is not the usual one.
struct Lines {
    colours: bool,
    seen: &'static [&'static str],
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if self.seen.contains(&event.metadata().name()) {
            return Ok(());
        }
        let (level, style) = level(*event.metadata().level());
        let (dim, style) = if self.colours { (Style::new().dimmed(), style) } else { (Style::new(), Style::new()) };
        let mut text = Text(String::new());
        event.record(&mut text);
        let now = chrono::Local::now();
        let (hour, minute, second) = (now.hour(), now.minute(), now.second());
        let text = escape(&text.0, LINE);
        writeln!(out, "{dim}{hour:02}:{minute:02}:{second:02}{dim:#} {style}{level}{style:#}{text}")
    }
}

fn level(level: Level) -> (&'static str, Style) {
    match level {
        Level::ERROR => ("error: ", AnsiColor::Red.on_default().bold()),
        Level::WARN => ("warning: ", AnsiColor::Yellow.on_default().bold()),
        _ => ("", Style::new()),
    }
}

/// Formats the message of an event, followed by its other fields.
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => {
                let fields = std::mem::take(&mut self.0);
                write!(self.0, "{value:?}{fields}")
            }
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

/// Lines on their way to the thread that writes them.
struct ToThread {
    jobs: SyncSender<Job>,
    lost: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for ToThread {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

struct Line<'a>(&'a ToThread);

impl io::Write for Line<'_> {
    /// Called once for each event, with the whole line, which is empty when there is nothing to tell.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !line.is_empty() && self.0.jobs.try_send(Job::Write(line.to_vec())).is_err() {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
