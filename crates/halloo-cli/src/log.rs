//! The log, one line for each thing that happened, on standard error.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::Arc;

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

/// Longest line of the log in bytes; the parts that come from the network are cut before.
const LINE: usize = 2000;

/// Starts the log. What a person has seen already, by the `name` of the event, is `seen` and left out.
pub(crate) fn start(quiet: bool, verbose: u8, output: &Arc<Output>, seen: &'static [&'static str]) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::INFO,
        (_, 1) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let lines = Lines { colours: output::colours_on_stderr(), seen };
    let writer = ToOutput(Arc::clone(output));
    tracing_subscriber::fmt().with_max_level(level).with_writer(writer).event_format(lines).init();
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

/// The sentence of an event, and after it whatever else it has.
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

/// Lines for the log, on their way through the gate.
struct ToOutput(Arc<Output>);

impl<'a> MakeWriter<'a> for ToOutput {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

struct Line<'a>(&'a Output);

impl io::Write for Line<'_> {
    /// Called once for each event, with the whole line, which is empty when there is nothing to tell.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !line.is_empty() {
            self.0.log(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
