//! What the crate logs, printed by the engine: lines are collected on whatever thread they arise, and printed on the
//! main one.

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

/// Stands before every line in the console.
const PREFIX: &str = "[halloo] ";
/// Lines that wait to be printed; a flood beyond is counted and left out, since printing costs the game its frames.
const WAITING: usize = 1024;
/// Lines printed in one frame: about a millisecond's worth.
const PER_FRAME: usize = 32;

static VERBOSITY: AtomicU8 = AtomicU8::new(1);
static LINES: Mutex<VecDeque<(Level, String)>> = Mutex::new(VecDeque::new());
static LEFT_OUT: AtomicUsize = AtomicUsize::new(0);

/// Collects from now on what is logged anywhere in this library, the messages of panics on its threads included.
pub(crate) fn install() {
    // A second set in the same process keeps the first subscriber, which is this one.
    let _ = tracing::subscriber::set_global_default(Lines);
    let on_main_thread = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // The engine is not to be touched from a thread it does not know; what failed is told by an event.
        if !std::thread::current().name().is_some_and(|name| name.starts_with("halloo")) {
            on_main_thread(panic);
        }
    }));
}

/// How much is printed: 0 errors, 1 also the start, joins and leaves, 2 also beacons and traffic.
pub(crate) fn set_verbosity(verbosity: u8) {
    VERBOSITY.store(verbosity, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Whether traffic is printed.
pub(crate) fn is_verbose() -> bool {
    VERBOSITY.load(Ordering::Relaxed) >= 2
}

/// Whether there is anything to print.
pub(crate) fn is_waiting() -> bool {
    LEFT_OUT.load(Ordering::Relaxed) > 0 || !lines().is_empty()
}

/// Prints what waits. To be called on the main thread, once a frame.
pub(crate) fn print_waiting() {
    for _ in 0..PER_FRAME {
        // The lock is not held while printing, for a logger of the project may call back.
        let Some((level, line)) = lines().pop_front() else { break };
        print_line(level, &line);
    }
    match LEFT_OUT.swap(0, Ordering::Relaxed) {
        0 => {}
        count => print_line(Level::INFO, &format!("{count} lines left out: more happened than can be printed")),
    }
}

/// Prints everything that waits, when no further frame will come.
pub(crate) fn print_rest() {
    while !lines().is_empty() {
        print_waiting();
    }
}

/// Says what went wrong on the main thread, with where in the project's scripts.
pub(crate) fn complain(sentence: &str) {
    print_line(Level::ERROR, sentence);
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
        let mut sentence = Sentence::default();
        event.record(&mut sentence);
        let mut lines = lines();
        if lines.len() < WAITING {
            lines.push_back((*event.metadata().level(), sentence.0));
        } else {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
    }

    // There are no spans in these crates.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message of an event; these crates log whole sentences, without fields.
#[derive(Default)]
struct Sentence(String);

impl Visit for Sentence {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
