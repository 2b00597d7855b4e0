//! The log on standard error, one line per event.
//!
//! A separate thread writes the lines, so that a paused terminal or a full pipe does not block the server.

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

/// Bytes of the longest log line; longer ones are truncated.
const MAX_LINE_BYTES: usize = 2000;

/// Lines that are queued at most; further ones are dropped and counted.
const MAX_QUEUED_LINES: usize = 1024;
/// How long the program waits for the last lines before it exits.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// A job of the writer thread.
enum Job {
    Write(Vec<u8>),
    /// Send when all lines before are written.
    Acknowledge(SyncSender<()>),
}

/// The running log.
pub(crate) struct Log(SyncSender<Job>);

impl Log {
    /// Waits until all lines are written, for at most [`FLUSH_TIMEOUT`].
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        // A full queue means that its lines are not being written, so that waiting is useless.
        if self.0.try_send(Job::Acknowledge(done)).is_ok() {
            let _ = written.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

/// Starts the log, without the events whose name is in `hidden`.
pub(crate) fn start(quiet: bool, verbose: u8, output: &Arc<Output>, hidden: &'static [&'static str]) -> Log {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::INFO,
        (_, 1) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let format = LineFormat { colours: output::colours_on_stderr(), hidden };
    let ((jobs, queue), dropped) = (sync_channel(MAX_QUEUED_LINES), Arc::new(AtomicU64::new(0)));
    let writer = QueueWriter { jobs: jobs.clone(), dropped: Arc::clone(&dropped) };
    let output = Arc::clone(output);
    std::thread::spawn(move || write_lines(&output, &queue, &dropped));
    tracing_subscriber::fmt().with_max_level(level).with_writer(writer).event_format(format).init();
    Log(jobs)
}

fn write_lines(output: &Output, jobs: &Receiver<Job>, dropped: &AtomicU64) {
    for job in jobs {
        match job {
            Job::Write(line) => output.log(&line),
            // The receiver may have timed out.
            Job::Acknowledge(done) => _ = done.send(()),
        }
        let count = dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            output.log(format!("warning: {count} log lines were dropped because the queue was full\n").as_bytes());
        }
    }
}

/// The format of a line: `12:34:56 client 1 joined …`, with the level if it is a warning or an error.
struct LineFormat {
    colours: bool,
    hidden: &'static [&'static str],
}

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if self.hidden.contains(&event.metadata().name()) {
            return Ok(());
        }
        let (level, style) = level(*event.metadata().level());
        let (dim, style) = if self.colours { (Style::new().dimmed(), style) } else { (Style::new(), Style::new()) };
        let mut text = Text(String::new());
        event.record(&mut text);
        let now = chrono::Local::now();
        let (hour, minute, second) = (now.hour(), now.minute(), now.second());
        let text = escape(&text.0, MAX_LINE_BYTES);
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

/// Queues lines for the writer thread.
struct QueueWriter {
    jobs: SyncSender<Job>,
    dropped: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for QueueWriter {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter(self)
    }
}

/// Queues one line.
struct LineWriter<'a>(&'a QueueWriter);

impl io::Write for LineWriter<'_> {
    /// Called once for each event with the whole line, which is empty for a hidden event.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !line.is_empty() && self.0.jobs.try_send(Job::Write(line.to_vec())).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
