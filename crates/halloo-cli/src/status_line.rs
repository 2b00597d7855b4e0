//! The status line at the bottom of the screen: state of discovery, clients, message rates, backlog.

use std::collections::VecDeque;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use halloo::{ClusterState, ClusterStatus, Status};
use halloo_proto::text::escape;

/// The time over which rates are averaged: short enough to follow changes, long enough to be readable.
const WINDOW: Duration = Duration::from_secs(1);

/// Formats the status of a server as one line.
#[derive(Default)]
pub(crate) struct StatusLine {
    /// Time, messages received and messages sent; once there are enough, the oldest is at least [`WINDOW`] old.
    samples: VecDeque<(Duration, u64, u64)>,
}

impl StatusLine {
    /// Returns the line for `status` at the time `now`, which counts from any fixed moment.
    pub(crate) fn line(&mut self, status: &Status, now: Duration, colours: bool) -> String {
        let extras = &status.extras;
        self.samples.push_back((now, extras.messages_received, extras.messages_sent));
        while self.samples.get(1).is_some_and(|&(then, ..)| now - then >= WINDOW) {
            self.samples.pop_front();
        }
        let (then, received, sent) = self.samples[0];
        // A few messages in the first moments are not extrapolated to a whole window.
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
            clients => format!("{} clients", group_digits(clients as u64)),
        };
        let rate = |messages: u64| group_digits(messages.saturating_mul(1000) / milliseconds);
        let mut line = format!("{clients} · {}/s in · {}/s out", rate(incoming), rate(outgoing));
        if extras.outbox_bytes > 0 {
            line += &format!(" · {} KiB queued", group_digits(extras.outbox_bytes.div_ceil(1024) as u64));
        }
        if extras.messages_dropped > 0 {
            line += &format!(" · {} dropped", group_digits(extras.messages_dropped));
        }
        let cluster = extras.cluster.as_ref().map(|cluster| cluster_part(cluster, colours)).unwrap_or_default();
        let (colour, dim) =
            if colours { (colour.on_default(), Style::new().dimmed()) } else { (Style::new(), Style::new()) };
        format!("{colour}{discovery}{colour:#}{dim} · {line}{dim:#}{cluster}")
    }
}

/// Returns the state of the cluster; red unless messages are relayed.
fn cluster_part(cluster: &ClusterStatus, colours: bool) -> String {
    let name = escape(&cluster.name, 40);
    match cluster.state {
        ClusterState::Joined => {
            let nodes = if cluster.nodes == 1 { "1 node".into() } else { format!("{} nodes", cluster.nodes) };
            let clients = group_digits(cluster.clients);
            let dim = if colours { Style::new().dimmed() } else { Style::new() };
            let incomplete = if cluster.complete { "" } else { ", incomplete" };
            format!("{dim} · cluster {name}: {nodes}, {clients} clients{incomplete}{dim:#}")
        }
        state => {
            let red = if colours { AnsiColor::Red.on_default() } else { Style::new() };
            let state = if state == ClusterState::Connecting { "connecting" } else { "no broker" };
            format!(" · {red}cluster {name}: {state}{red:#}")
        }
    }
}

/// Returns a number with its digits in groups of three.
pub(crate) fn group_digits(number: u64) -> String {
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
    fn rates_are_averaged_over_the_last_second() {
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
    fn line_shows_queued_bytes_and_dropped_messages() {
        let mut status = status();
        (status.connected_clients, status.discovery_enabled) = (1, true);
        (status.extras.outbox_bytes, status.extras.messages_dropped) = (2048, 1_234_567);
        let line = StatusLine::default().line(&status, Duration::ZERO, false);
        assert_eq!(line, "silent · 1 client · 0/s in · 0/s out · 2 KiB queued · 1,234,567 dropped");
    }
}
