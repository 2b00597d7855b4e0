//! The line at the bottom of the screen: how busy is the server?

use std::collections::VecDeque;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use halloo::Status;

/// Over which rates are averaged: short enough to follow what happens, long enough to be read.
const WINDOW: Duration = Duration::from_secs(1);

/// Makes the line out of what the server counts.
#[derive(Default)]
pub(crate) struct StatusLine {
    /// When, and how many messages had come in and gone out by then; the oldest is at least [`WINDOW`] old.
    samples: VecDeque<(Duration, u64, u64)>,
}

impl StatusLine {
    /// The line at `now`, counted from any fixed moment.
    pub(crate) fn line(&mut self, status: &Status, now: Duration, colours: bool) -> String {
        let extras = &status.extras;
        self.samples.push_back((now, extras.messages_received, extras.messages_sent));
        while self.samples.get(1).is_some_and(|&(then, ..)| now - then >= WINDOW) {
            self.samples.pop_front();
        }
        let (then, received, sent) = self.samples[0];
        // Before the window is full there is no reason to multiply up what came in the first moments.
        let milliseconds = (now - then).max(WINDOW).as_millis() as u64;
        let (incoming, outgoing) = (extras.messages_received - received, extras.messages_sent - sent);
        let (discovery, colour) = match (status.discovery_active, status.discovery_enabled) {
            (true, _) => ("announcing", AnsiColor::Green),
            (false, true) => ("silent", AnsiColor::Cyan),
            (false, false) => ("discovery off", AnsiColor::Yellow),
        };
        let clients = match status.connected_clients {
            0 => "no clients".to_owned(),
            1 => "1 client".to_owned(),
            clients => format!("{} clients", grouped(clients as u64)),
        };
        let rate = |messages: u64| grouped(messages.saturating_mul(1000) / milliseconds);
        let mut line = format!("{clients} · {}/s in · {}/s out", rate(incoming), rate(outgoing));
        if extras.outbox_bytes > 0 {
            line += &format!(" · {} KiB waiting", grouped(extras.outbox_bytes.div_ceil(1024) as u64));
        }
        if extras.messages_dropped > 0 {
            line += &format!(" · {} dropped", grouped(extras.messages_dropped));
        }
        let (colour, dim) =
            if colours { (colour.on_default(), Style::new().dimmed()) } else { (Style::new(), Style::new()) };
        format!("{colour}{discovery}{colour:#}{dim} · {line}{dim:#}")
    }
}

/// Digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let server = halloo::Server::start(halloo::Config::local()).expect("a free port");
        server.summary()
    }

    #[test]
    fn rates_are_those_of_the_last_second() {
        let (mut line, mut status) = (StatusLine::default(), status());
        let mut at = |milliseconds: u64, received: u64, sent: u64| {
            (status.extras.messages_received, status.extras.messages_sent) = (received, sent);
            line.line(&status, Duration::from_millis(milliseconds), false)
        };
        assert_eq!(at(0, 0, 0), "discovery off · no clients · 0/s in · 0/s out");
        assert_eq!(at(250, 10, 20), "discovery off · no clients · 10/s in · 20/s out");
        assert_eq!(at(1000, 1000, 2000), "discovery off · no clients · 1,000/s in · 2,000/s out");
        assert_eq!(at(1250, 1000, 2000), "discovery off · no clients · 990/s in · 1,980/s out");
        assert_eq!(at(60_000, 1000, 2000), "discovery off · no clients · 0/s in · 0/s out");
    }

    #[test]
    fn what_waits_and_what_was_dropped_are_seen() {
        let mut status = status();
        (status.connected_clients, status.discovery_enabled) = (1, true);
        (status.extras.outbox_bytes, status.extras.messages_dropped) = (2048, 1_234_567);
        let line = StatusLine::default().line(&status, Duration::ZERO, false);
        assert_eq!(line, "silent · 1 client · 0/s in · 0/s out · 2 KiB waiting · 1,234,567 dropped");
    }
}
