//! The log on standard error, one line per event.
//!
//! A separate thread writes the lines, so that a paused terminal or a full pipe does not block the server.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use chrono::Timelike;
use halloo_proto::text::escape;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::log_budget::{LINES_PER_SECOND, LogBudget};
use crate::output::{self, Output};

/// Bytes of the longest log line; longer ones are truncated.
const MAX_LINE_BYTES: usize = 2000;

/// Lines that are queued at most; further ones are dropped and counted.
const MAX_QUEUED_LINES: usize = 1024;
/// How long the program waits for the last lines before it exits.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// The time after which the log says how many lines are missing.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Lines that are not in the log, since the last report.
#[derive(Debug, Default)]
struct Missing {
    /// The queue was full.
    dropped: AtomicU64,
    /// There were too many at once.
    left_out: AtomicU64,
}

impl Missing {
    fn report(&self, output: &Output) {
        match self.dropped.swap(0, Ordering::Relaxed) {
            0 => {}
            count => {
                output.log(format!("warning: {count} log lines were dropped because the queue was full\n").as_bytes())
            }
        }
        match self.left_out.swap(0, Ordering::Relaxed) {
            0 => {}
            count => output.log(
                format!(
                    "warning: {count} log lines were left out, because there were more than {LINES_PER_SECOND} a \
                     second; -v writes all of them\n"
                )
                .as_bytes(),
            ),
        }
    }
}

/// A job of the writer thread.
enum Job {
    Write(Vec<u8>),
    /// Notice that lines were left out.
    Report,
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
    let (jobs, queue) = sync_channel(MAX_QUEUED_LINES);
    let missing = Arc::new(Missing::default());
    // Only the default level is limited: -v writes every line.
    let budget = (level == LevelFilter::INFO).then(Mutex::default);
    let writer = QueueWriter { jobs: jobs.clone(), missing: Arc::clone(&missing) };
    let (colours, dependencies) = (output::colours_on_stderr(), level == LevelFilter::TRACE);
    let format = LineFormat { colours, hidden, dependencies, budget, queue: writer.clone() };
    let output = Arc::clone(output);
    std::thread::spawn(move || write_lines(&output, &queue, &missing));
    tracing_subscriber::fmt().with_max_level(level).with_writer(writer).event_format(format).init();
    Log(jobs)
}

fn write_lines(output: &Output, jobs: &Receiver<Job>, missing: &Missing) {
    let mut report_at: Option<Instant> = None;
    loop {
        let job = match report_at {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(time) => jobs.recv_timeout(time.saturating_duration_since(Instant::now())),
        };
        match job {
            Ok(Job::Write(line)) => output.log(&line),
            // For the check below.
            Ok(Job::Report) => {}
            Ok(Job::Acknowledge(done)) => {
                missing.report(output);
                // The receiver may have timed out.
                let _ = done.send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if report_at.is_none() && missing.left_out.load(Ordering::Relaxed) > 0 {
            report_at = Instant::now().checked_add(REPORT_INTERVAL);
        }
        if missing.dropped.load(Ordering::Relaxed) > 0 || report_at.is_some_and(|time| time <= Instant::now()) {
            report_at = None;
            missing.report(output);
        }
    }
}

/// The format of a line: `12:34:56 client 1 joined …`, with the level if it is a warning or an error.
struct LineFormat {
    colours: bool,
    hidden: &'static [&'static str],
    /// Whether dependencies log, too.
    dependencies: bool,
    /// Limits the lines, except errors.
    budget: Option<Mutex<LogBudget>>,
    queue: QueueWriter,
}

impl LineFormat {
    fn may_write(&self, level: Level) -> bool {
        let Some(budget) = &self.budget else { return true };
        level == Level::ERROR || budget.lock().unwrap_or_else(PoisonError::into_inner).spend(Instant::now())
    }
}

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let is_of_dependency = !event.metadata().target().starts_with("halloo");
        if self.hidden.contains(&event.metadata().name()) || (is_of_dependency && !self.dependencies) {
            return Ok(());
        }
        if !self.may_write(*event.metadata().level()) {
            self.queue.leave_out();
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
#[derive(Clone)]
struct QueueWriter {
    jobs: SyncSender<Job>,
    missing: Arc<Missing>,
}

impl QueueWriter {
    /// Counts a line that is not written.
    fn leave_out(&self) {
        if self.missing.left_out.fetch_add(1, Ordering::Relaxed) == 0 {
            // If the queue is full, the writer notices it by the next line.
            let _ = self.jobs.try_send(Job::Report);
        }
    }
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
    /// Called once for each event with the whole line, which is empty for one that is not written.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !line.is_empty() && self.0.jobs.try_send(Job::Write(line.to_vec())).is_err() {
            self.0.missing.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
