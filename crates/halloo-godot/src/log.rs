//! Prints the log of the library in the engine's console. Lines are collected on any thread and printed on the main thread.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use godot::global::{print, push_error, push_warning};
use godot::prelude::*;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// The prefix of each line.
const PREFIX: &str = "[halloo] ";
/// The number of lines that can wait to be printed. Further lines are dropped and counted: printing takes time of the frame.
const MAX_LINES: usize = 1024;
/// The number of lines printed in one frame, which takes about a millisecond.
const LINES_PER_FRAME: usize = 32;

static VERBOSITY: AtomicU8 = AtomicU8::new(1);
static LINES: Mutex<VecDeque<(Level, String)>> = Mutex::new(VecDeque::new());
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// Starts to collect the log of this library, and suppresses the panic messages of its threads.
pub(crate) fn install() {
    // Fails only if the library is loaded again in the same process; then this subscriber is set already.
    let _ = tracing::subscriber::set_global_default(Lines);
    let on_main_thread = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // The engine must not be called on a thread of this library, whose failure is reported by an event instead.
        if !std::thread::current().name().is_some_and(|name| name.starts_with("halloo")) {
            on_main_thread(panic);
        }
    }));
}

/// Sets what is printed: 0 for errors, 1 also for starts, joins and leaves, 2 also for beacons and messages.
pub(crate) fn set_verbosity(verbosity: u8) {
    VERBOSITY.store(verbosity, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Returns whether messages are printed.
pub(crate) fn is_verbose() -> bool {
    VERBOSITY.load(Ordering::Relaxed) >= 2
}

/// Returns whether there are lines to print.
pub(crate) fn has_lines() -> bool {
    DROPPED.load(Ordering::Relaxed) > 0 || !lines().is_empty()
}

/// Prints some of the waiting lines. Called on the main thread, once per frame.
pub(crate) fn print_some() {
    for _ in 0..LINES_PER_FRAME {
        // The lock is not held while printing, because a logger of the project may call this library.
        let Some((level, line)) = lines().pop_front() else { break };
        print_line(level, &line);
    }
    match DROPPED.swap(0, Ordering::Relaxed) {
        0 => {}
        count => print_line(Level::INFO, &format!("{count} log lines were dropped because they came too fast")),
    }
}

/// Prints all waiting lines, before the node leaves the tree.
pub(crate) fn print_all() {
    while !lines().is_empty() {
        print_some();
    }
}

/// Prints an error at once. Called on the main thread, so that the engine adds the line of the project's script.
pub(crate) fn error(text: &str) {
    print_line(Level::ERROR, text);
}

fn print_line(level: Level, line: &str) {
    let line = format!("{PREFIX}{line}").to_variant();
    match level {
        Level::ERROR => push_error(&[line]),
        Level::WARN => push_warning(&[line]),
        _ => print(&[line]),
    }
}

fn lines() -> MutexGuard<'static, VecDeque<(Level, String)>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Lines;

impl Subscriber for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with("halloo")
            && self.max_level_hint() >= Some((*metadata.level()).into())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match VERBOSITY.load(Ordering::Relaxed) {
            0 => LevelFilter::ERROR,
            1 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        })
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let mut lines = lines();
        if lines.len() < MAX_LINES {
            lines.push_back((*event.metadata().level(), text.0));
        } else {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    // The library has no spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Formats the message of an event, followed by its other fields.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.0.insert_str(0, &format!("{value:?}")),
            name => self.0.push_str(&format!(" {name}={value:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_level_the_message_and_its_fields() {
        tracing::subscriber::with_default(Lines, || {
            tracing::warn!(error = "no route", attempts = 2, "cannot send");
            tracing::info!("sent again");
        });
        let collected: Vec<_> = lines().drain(..).collect();
        let expected = [(Level::WARN, "cannot send error=no route attempts=2"), (Level::INFO, "sent again")];
        assert_eq!(collected, expected.map(|(level, line)| (level, line.to_owned())));
    }
}
