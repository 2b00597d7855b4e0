//! The scenarios of the benchmark.

use std::time::Duration;

use crate::load::roundtrip::Beside;

/// A load on a server in a role.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// The name for `--only`, which selects by prefix.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) role: &'static str,
    pub(crate) measure: Measure,
    /// Whether it is part of the quick run.
    pub(crate) quick: bool,
    /// Whether messages go to other clients or to the application, so that it matters on which thread the application
    /// handles them.
    pub(crate) through_application: bool,
    /// Whether it is a point on the growth curves, which only the peers of a quick run have.
    pub(crate) growth: bool,
    /// Whether it is over TLS, and only for the peers that have it.
    pub(crate) secure: bool,
}

/// The kinds of measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Echo {
        clients: usize,
        size: usize,
        in_flight: usize,
    },
    FanOut {
        clients: usize,
        in_flight: usize,
    },
    Ingest {
        clients: usize,
    },
    Handshakes,
    RoundTrip {
        others: usize,
        beside: Beside,
    },
    Memory {
        clients: usize,
    },
    /// CPU time of all servers at the same time, unless it is a point on a curve: idle servers hardly use a core.
    IdleCpu {
        clients: usize,
    },
    /// Memory per client, round trips beside idle clients, and an echo with the same number of clients.
    Growth {
        clients: usize,
    },
    Start,
    SystemCalls {
        clients: usize,
        in_flight: usize,
    },
}

impl Scenario {
    fn new(name: &'static str, title: &'static str, role: &'static str, measure: Measure, quick: bool) -> Scenario {
        Scenario { name, title, role, measure, quick, through_application: false, growth: false, secure: false }
    }

    /// Returns how many descriptors the generator needs, which is at least as many as a server needs.
    pub(crate) fn open_files(&self) -> u64 {
        const OTHERS: u64 = 100;
        let sockets = match self.measure {
            Measure::Echo { clients, .. } | Measure::FanOut { clients, .. } | Measure::Growth { clients } => clients,
            Measure::Memory { clients } | Measure::SystemCalls { clients, .. } => clients,
            // Two descriptors each.
            Measure::Ingest { clients } => 2 * clients,
            Measure::IdleCpu { clients } if self.growth => clients,
            // All servers at the same time.
            Measure::IdleCpu { clients } => 10 * clients,
            Measure::RoundTrip { others, .. } => others,
            Measure::Handshakes | Measure::Start => 0,
        };
        sockets as u64 + OTHERS
    }
}

/// Returns every scenario, in the order of the report.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (name, title, clients, size, in_flight, quick) in ECHOES {
        all.push(Scenario::new(name, title, "echo", Measure::Echo { clients, size, in_flight }, quick));
    }
    for (secure, rows) in [(false, &OTHERS[..]), (true, &SECURE)] {
        for &(name, title, role, measure, quick) in rows {
            let through_application = matches!(measure, Measure::FanOut { .. } | Measure::Ingest { .. });
            let scenario = Scenario::new(name, title, role, measure, quick);
            all.push(Scenario { through_application, secure, ..scenario });
        }
    }
    for (name, title, measure) in GROWTH {
        all.push(Scenario { growth: true, ..Scenario::new(name, title, "echo", measure, false) });
    }
    all
}

type EchoRow = (&'static str, &'static str, usize, usize, usize, bool);

const ECHOES: [EchoRow; 8] = [
    ("echo-64-100-1", "echo, 64 B, 100 clients, 1 in flight", 100, 64, 1, true),
    ("echo-64-1000-1", "echo, 64 B, 1000 clients, 1 in flight", 1000, 64, 1, true),
    ("echo-64-100-16", "echo, 64 B, 100 clients, 16 in flight", 100, 64, 16, false),
    ("echo-64-1000-16", "echo, 64 B, 1000 clients, 16 in flight", 1000, 64, 16, true),
    ("echo-1024-100-1", "echo, 1 KiB, 100 clients, 1 in flight", 100, 1024, 1, false),
    ("echo-1024-1000-1", "echo, 1 KiB, 1000 clients, 1 in flight", 1000, 1024, 1, false),
    ("echo-1024-100-16", "echo, 1 KiB, 100 clients, 16 in flight", 100, 1024, 16, false),
    ("echo-1024-1000-16", "echo, 1 KiB, 1000 clients, 16 in flight", 1000, 1024, 16, true),
];

type Row = (&'static str, &'static str, &'static str, Measure, bool);

const OTHERS: [Row; 15] = [
    ("fanout-1", "fan-out to 1000, 64 B, 1 in flight", "fanout", fan_out(1), true),
    ("fanout-16", "fan-out to 1000, 64 B, 16 in flight", "fanout", fan_out(16), true),
    ("ingest-1", "ingest, 64 B, 1 client at full speed", "sink", Measure::Ingest { clients: 1 }, true),
    ("ingest-100", "ingest, 64 B, 100 clients at full speed", "sink", Measure::Ingest { clients: 100 }, true),
    ("handshakes", "handshakes", "echo", Measure::Handshakes, true),
    ("roundtrip-idle", "round trip beside 1000 idle", "mixed", round_trip(Beside::Idle), true),
    ("roundtrip-sender", "round trip beside a sender at full speed", "mixed", round_trip(Beside::Sender), false),
    ("roundtrip-fanout", "round trip beside a fan-out to 1000", "mixed", round_trip(Beside::FanOut), false),
    ("memory-1000", "memory, 1000 idle clients", "echo", Measure::Memory { clients: 1000 }, true),
    ("memory-10000", "memory, 10,000 idle clients", "echo", Measure::Memory { clients: 10_000 }, false),
    ("processor", "processor, 1000 idle clients", "echo", Measure::IdleCpu { clients: 1000 }, true),
    ("start", "start", "echo", Measure::Start, true),
    ("calls-echo-1", "system calls, echo, 100 clients, 1 in flight", "echo", calls(1), false),
    ("calls-echo-16", "system calls, echo, 100 clients, 16 in flight", "echo", calls(16), false),
    ("calls-fanout", "system calls, fan-out to 100, 16 in flight", "fanout", calls(16), false),
];

const SECURE: [Row; 5] = [
    ("wss-echo-1", "echo over TLS, 64 B, 100 clients, 1 in flight", "echo", secure_echo(1), false),
    ("wss-echo-16", "echo over TLS, 64 B, 100 clients, 16 in flight", "echo", secure_echo(16), true),
    ("wss-fanout-1", "fan-out over TLS to 1000, 64 B, 1 in flight", "fanout", fan_out(1), false),
    ("wss-fanout-16", "fan-out over TLS to 1000, 64 B, 16 in flight", "fanout", fan_out(16), true),
    ("wss-memory-1000", "memory, 1000 idle clients over TLS", "echo", Measure::Memory { clients: 1000 }, true),
];

const GROWTH: [(&str, &str, Measure); 8] = [
    ("growth-10", "growth, 10 clients", Measure::Growth { clients: 10 }),
    ("growth-100", "growth, 100 clients", Measure::Growth { clients: 100 }),
    ("growth-1000", "growth, 1000 clients", Measure::Growth { clients: 1000 }),
    ("growth-10000", "growth, 10,000 clients", Measure::Growth { clients: 10_000 }),
    ("growth-idle-10", "processor, 10 idle clients", Measure::IdleCpu { clients: 10 }),
    ("growth-idle-100", "processor, 100 idle clients", Measure::IdleCpu { clients: 100 }),
    ("growth-idle-1000", "processor, 1000 idle clients, shorter", Measure::IdleCpu { clients: 1000 }),
    ("growth-idle-10000", "processor, 10,000 idle clients", Measure::IdleCpu { clients: 10_000 }),
];

const fn fan_out(in_flight: usize) -> Measure {
    Measure::FanOut { clients: 1000, in_flight }
}

const fn secure_echo(in_flight: usize) -> Measure {
    Measure::Echo { clients: 100, size: 64, in_flight }
}

const fn round_trip(beside: Beside) -> Measure {
    Measure::RoundTrip { others: 1000, beside }
}

const fn calls(in_flight: usize) -> Measure {
    Measure::SystemCalls { clients: 100, in_flight }
}

/// How long the parts of a run take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The number of runs of every server in every scenario.
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
    /// The time for [`Measure::IdleCpu`], which covers whole heartbeats.
    pub(crate) idle_time: Duration,
    /// The same for a point on a growth curve.
    pub(crate) idle_time_of_growth: Duration,
    /// The time after which a run is late: the remaining scenarios then get fewer rounds.
    pub(crate) late_after: Duration,
    /// How long to wait for an idle machine before the first scenario.
    pub(crate) first_idle_timeout: Duration,
    /// How long to wait for an idle machine before each scenario.
    pub(crate) idle_timeout: Duration,
}

impl Pace {
    pub(crate) fn new(full: bool) -> Pace {
        let millis = Duration::from_millis;
        let (warm_up, time, idle_time) = if full { (100, 400, 30_000) } else { (50, 200, 5_000) };
        let (first_idle_timeout, idle_timeout) = if full { (60_000, 5_000) } else { (5_000, 1_000) };
        Pace {
            rounds: 5,
            warm_up: millis(warm_up),
            time: millis(time),
            idle_time: millis(idle_time),
            idle_time_of_growth: Duration::from_secs(5),
            late_after: Duration::from_secs(if full { 15 * 60 } else { 90 }),
            first_idle_timeout: millis(first_idle_timeout),
            idle_timeout: millis(idle_timeout),
        }
    }
}
