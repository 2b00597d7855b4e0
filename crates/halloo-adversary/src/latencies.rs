//! The latency of the baseline load under each attack from the network, and under all of them at once, on the core of the
//! server.

use std::net::UdpSocket;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

use crate::baseline_load::{BaselineLoad, CLIENTS, MAX_P99};
use crate::context::{Context, Target};
use crate::cores;
use crate::latency::millis;
use crate::namespaces::{Device, run_in_namespace};
use crate::peer::TIMEOUT;
use crate::process::Usage;
use crate::random::Random;
use crate::scenario::{Finding, Run};
use crate::scenarios::{self, shares, tls};
use crate::server::Server;
use crate::tls_server::{TlsProbe, TlsServer};

/// The name of the measurement for the process in the namespace.
pub(crate) const NAME: &str = "latency";
pub(crate) const PROMISED: &str = "nothing lost, p99 at most 20 ms";

/// An attack, and what is done. It takes [`Stage::time`], or has a size of its own.
type Attack = (&'static str, fn(&Stage) -> Result<()>);

const DATAGRAMS: [Attack; 3] = [
    ("5,000/s probes of 36 bytes from 200 addresses", small_probes),
    ("20 MB/s of multicast DNS", multicast_dns),
    ("random datagrams to the discovery port, 20,000/s", random_datagrams),
];
const PLAIN: [Attack; 2] = [
    ("a client that sends messages of 100 kB as fast as they are read", |stage| {
        shares::send_flood(stage.port()?, stage.time)
    }),
    ("messages of 1 KB that inflate to 1 MiB, 200 kB/s", |stage| {
        shares::send_bombs(stage.port()?, stage.time).map(drop)
    }),
];
const TLS: [Attack; 3] = [
    ("TLS: empty and padded records", |stage| tls::send_records(stage.port()?, stage.time / 2).map(drop)),
    ("TLS: ClientHellos whose handshakes are not completed", |stage| {
        tls::send_hellos(stage.port()?, stage.time).map(drop)
    }),
    ("TLS: unfinished ClientHellos of 64 KiB, opened again", unfinished),
];

/// The attacker's device, and what it attacks.
struct Stage {
    device: Arc<Mutex<Device>>,
    target: Option<Target>,
    time: Duration,
}

impl Stage {
    fn port(&self) -> Result<u16> {
        self.target.as_ref().map(|target| target.port).context("there is no server")
    }

    fn against(&self, target: Target) -> Stage {
        Stage { device: Arc::clone(&self.device), target: Some(target), time: self.time }
    }

    /// Runs a flood on the device.
    fn flood(&self, arguments: &[&str]) -> Result<()> {
        let output = self.device.lock().unwrap_or_else(PoisonError::into_inner).start_helper(arguments)?;
        output.line(self.time + TIMEOUT).context("the flooder did not finish").map(drop)
    }
}

/// Runs the measurement in a namespace of its own, and returns each attack with its result.
pub(crate) fn run(context: &Context) -> Result<Vec<(String, Finding)>> {
    let size = format!("{}{}", context.seconds(10, 1), if context.quick { " quick" } else { "" });
    let lines = run_in_namespace(&context.halloo, &[NAME, &size])?;
    let row = |line: &str| {
        let (attack, finding) = line.split_once('\t').context("the process in the namespace reported no row")?;
        let mut finding = Finding::from_line(finding)?;
        // Of a broken promise, only a loss counts where times are not judged.
        finding.held |= !context.timed && finding.measured.contains(", 0 lost");
        Ok((attack.to_owned(), finding))
    };
    lines.lines().map(row).collect()
}

/// Runs in the namespace, and prints a line for each attack.
pub(crate) fn measure(halloo: &Path, size: &str) -> Result<()> {
    let seconds = size.split(' ').next().unwrap_or_default().parse()?;
    let quick = size.ends_with("quick");
    let context = Context { halloo: halloo.to_owned(), quick, timed: true, seconds: Some(seconds) };
    let sources: Vec<String> = (0..200).map(|host| format!("10.69.1.{}/16", host + 1)).collect();
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let device = Device::new("first", "10.69.0.1/16", &sources)?;
    device.shell("ip route add 224.0.0.0/4 dev eth0")?;
    let time = Duration::from_secs(seconds);
    let stage = Stage { device: Arc::new(Mutex::new(device)), target: None, time };

    print_row("none", plain(&context, &stage, &[("none", rest)], &[]));
    let shared: Vec<_> = scenarios::ALL
        .iter()
        .filter_map(|scenario| match scenario.run {
            Run::Shared(attack) => Some((scenario.attack, attack)),
            Run::Own(_) => None,
        })
        .collect();
    for one in &shared {
        print_row(one.0, plain(&context, &stage, &[], &[*one]));
    }
    let own = [&PLAIN[..], &DATAGRAMS].concat();
    for one in &own {
        print_row(one.0, plain(&context, &stage, &[*one], &[]));
    }
    let together = format!("all {} of these at once", own.len() + shared.len());
    print_row(&together, plain(&context, &stage, &own, &shared));
    print_row("TLS: none", encrypted(&context, &stage, &[("none", rest)]));
    for one in &TLS {
        print_row(one.0, encrypted(&context, &stage, &[*one]));
    }
    let all = [&TLS[..], &DATAGRAMS].concat();
    print_row("the three attacks with TLS and those with datagrams at once", encrypted(&context, &stage, &all));
    Ok(())
}

fn print_row(attack: &str, outcome: Result<Finding>) {
    let failed = |error| Finding { measured: format!("FAILED: {error:#}"), held: false };
    println!("{attack}\t{}", outcome.unwrap_or_else(failed).to_line());
}

type SharedAttack = (&'static str, fn(&Target) -> Result<Finding>);

/// Runs attacks beside the baseline load on a server without TLS.
fn plain(context: &Context, stage: &Stage, own: &[Attack], shared: &[SharedAttack]) -> Result<Finding> {
    let mut server = start(context)?;
    let load = BaselineLoad::start(&mut server)?;
    // Until all buffers have the size that the load needs.
    std::thread::sleep(Duration::from_secs(2));
    let before = server.usage()?;
    let begin = Instant::now();
    let target = Target::new(&server, context).beside_others();
    let mut attackers = start_attacks(stage, &target, own);
    attackers.extend(shared.iter().map(|&(name, attack)| {
        let target = target.clone();
        let time = stage.time;
        let run = move || {
            cores::lower_priority();
            // Some take a moment only. Whether they keep their own promise is judged elsewhere.
            while begin.elapsed() < time {
                attack(&target)?;
            }
            Ok(())
        };
        (name, std::thread::spawn(run))
    }));
    join(attackers)?;
    let cpu = cpu_percent(&server, before, begin)?;
    server.check_alive()?;
    let report = load.stop(&mut server)?;
    let measured = format!(
        "p99 {}; {} messages of {CLIENTS} clients, {} lost; CPU {cpu:.0} %",
        millis(report.p99),
        report.sent,
        report.lost
    );
    Ok(Finding { measured, held: report.held(context) })
}

/// Runs attacks beside a client that measures the latency of its messages, on a server with TLS.
fn encrypted(context: &Context, stage: &Stage, attacks: &[Attack]) -> Result<Finding> {
    let mut server = TlsServer::start(context)?;
    let probe = TlsProbe::start(&mut server)?;
    std::thread::sleep(Duration::from_secs(2));
    let (before, begin) = (server.server.usage()?, Instant::now());
    let target = Target::new(&server.server, context);
    join(start_attacks(stage, &target, attacks))?;
    let cpu = cpu_percent(&server.server, before, begin)?;
    let (p99, lost) = probe.stop(&mut server)?;
    Ok(Finding {
        measured: format!("p99 {} of a client with TLS, {lost} lost; CPU {cpu:.0} %", millis(p99)),
        held: lost == 0 && p99 <= MAX_P99,
    })
}

/// Returns the share of a core that the server has used since `begin`.
fn cpu_percent(server: &Server, before: Usage, begin: Instant) -> Result<f64> {
    let used = server.usage()?.cpu.saturating_sub(before.cpu);
    Ok(100.0 * used.as_secs_f64() / begin.elapsed().as_secs_f64())
}

fn start(context: &Context) -> Result<Server> {
    context.server(&["--bind", "::", "--discovery-port", "8766", "--compression"])
}

type Attacker = (&'static str, std::thread::JoinHandle<Result<()>>);

fn start_attacks(stage: &Stage, target: &Target, attacks: &[Attack]) -> Vec<Attacker> {
    let start = |&(name, attack): &Attack| {
        let stage = stage.against(target.clone());
        let run = move || {
            cores::lower_priority();
            attack(&stage)
        };
        (name, std::thread::spawn(run))
    };
    attacks.iter().map(start).collect()
}

fn join(attackers: Vec<Attacker>) -> Result<()> {
    for (name, attacker) in attackers {
        // A server that defends itself may disconnect an attacker.
        if let Err(error) = attacker.join().map_err(|_| anyhow!("{name} panicked"))? {
            eprintln!("{name}: {error:#}");
        }
    }
    Ok(())
}

fn rest(stage: &Stage) -> Result<()> {
    std::thread::sleep(stage.time);
    Ok(())
}

fn small_probes(stage: &Stage) -> Result<()> {
    let seconds = stage.time.as_secs().to_string();
    let sources: Vec<String> = (0..200).map(|host| format!("10.69.1.{}", host + 1)).collect();
    let arguments = ["small-probes", &seconds, "5000", "10.69.255.255:8766"].into_iter();
    stage.flood(&arguments.chain(sources.iter().map(String::as_str)).collect::<Vec<_>>())
}

fn multicast_dns(stage: &Stage) -> Result<()> {
    stage.flood(&["multicast-dns", &stage.time.as_secs().to_string(), "20", "10.69.1.1", "10.69.1.2", "10.69.1.3"])
}

fn random_datagrams(stage: &Stage) -> Result<()> {
    let (socket, mut random, start, mut sent) = (UdpSocket::bind("10.69.0.1:0")?, Random::new(5), Instant::now(), 0.0);
    while start.elapsed() < stage.time {
        if sent > start.elapsed().as_secs_f64() * 20_000.0 {
            std::thread::sleep(Duration::from_micros(500));
            continue;
        }
        let length = random.below(1400) as usize;
        // Fails while the buffer is full.
        let _ = socket.send_to(&random.bytes(length), "10.69.0.1:8766");
        sent += 1.0;
    }
    Ok(())
}

fn unfinished(stage: &Stage) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < stage.time {
        let peers = tls::open_unfinished(stage.port()?, 200)?;
        std::thread::sleep(Duration::from_millis(200));
        drop(peers);
    }
    Ok(())
}
