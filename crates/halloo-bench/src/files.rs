//! The cost of published files: the start with many of them, messages beside downloads, the memory of slow readers.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::load::{Download, Pace, Steady, SteadyClients};
use crate::machine;
use crate::peer::{Peer, Running};
use crate::report::Summary;

/// How to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rounds, in each of which every row has its turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Milliseconds for each row in a round
    #[arg(long, default_value_t = 1000)]
    millis: u64,
}

/// The file to download, of 100 MiB.
const LARGE: &str = "/large.bin";
const LARGE_BYTES: u64 = 100 * 1024 * 1024;
/// Files in the directory from whose start the time is taken.
const MANY: usize = 10_000;
const SLOW_READERS: usize = 64;
/// The most that p99 may grow beside a download.
const TARGET: f64 = 1.1;
/// Bytes per second of a network with 1 Gbit/s.
const GIGABIT: u64 = 117_000_000;
/// How long downloads run before the messages beside them are measured.
const WARM_UP: Duration = Duration::from_millis(200);

/// The clients whose messages are measured.
const LOADS: [(&str, Steady); 3] = [
    ("1 client, 1 in flight", Steady { clients: 1, rate: None }),
    ("100 clients, 1 in flight", Steady { clients: 100, rate: None }),
    ("200 clients, 60 messages/s each", Steady { clients: 200, rate: Some(60) }),
];

/// What happens beside them. The first row is what the others are compared with.
const ROWS: [Row; 8] = [
    Row { name: "nothing", downloads: 0, pace: Pace::Full, of_another: false },
    Row { name: "1 download at 1 Gbit/s", downloads: 1, pace: Pace::Rate(GIGABIT), of_another: false },
    Row { name: "… from another server", downloads: 1, pace: Pace::Rate(GIGABIT), of_another: true },
    Row { name: "1 download", downloads: 1, pace: Pace::Full, of_another: false },
    Row { name: "… from another server", downloads: 1, pace: Pace::Full, of_another: true },
    Row { name: "4 downloads", downloads: 4, pace: Pace::Full, of_another: false },
    Row { name: "ranges of 100 KB", downloads: 1, pace: Pace::Ranges(100_000), of_another: false },
    Row { name: "64 slow readers", downloads: 1, pace: Pace::Slow(SLOW_READERS), of_another: false },
];

struct Row {
    name: &'static str,
    downloads: usize,
    pace: Pace,
    /// Whether the files are those of another process on the core of the server: what the machine alone causes.
    of_another: bool,
}

/// The figures of a row, one of each round.
#[derive(Default)]
struct Figures {
    p50: Vec<f64>,
    p99: Vec<f64>,
    messages: Vec<f64>,
    megabytes: Vec<f64>,
}

/// Measures and prints everything.
pub(crate) fn files(options: &Options) -> Result<()> {
    let site = Site::create()?;
    machine::pin(machine::cores().saturating_sub(1));
    if let Some(busy) = machine::wait_until_idle(Duration::from_secs(3)) {
        eprintln!("warning: other processes use {:.0} % of the machine; measuring anyway", 100.0 * busy);
    }
    start(&site)?;
    memory(&site)?;
    for (name, load) in LOADS {
        beside_downloads(&site, name, load, options)?;
    }
    Ok(())
}

/// Prints how long a server takes to start with no files and with many.
fn start(site: &Site) -> Result<()> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        without.push(1000.0 * serve(None)?.started_in.as_secs_f64());
        with.push(1000.0 * serve(Some(&site.many))?.started_in.as_secs_f64());
    }
    println!(
        "start to accepting: {} ms, with a directory of {MANY} files {} ms",
        show(&Summary::new(without), 2),
        show(&Summary::new(with), 2)
    );
    Ok(())
}

/// Prints the memory that downloads of slow readers take.
fn memory(site: &Site) -> Result<()> {
    let mut kib = Vec::new();
    for _ in 0..3 {
        let server = serve(Some(&site.large))?;
        let resident = || machine::resident(server.target.pid.unwrap_or_default()).context("the server has ended");
        let before = resident()?;
        let readers = Download::start(server.target.addr, LARGE, LARGE_BYTES, Pace::Slow(SLOW_READERS));
        std::thread::sleep(Duration::from_secs(2));
        kib.push(resident()?.saturating_sub(before) as f64 / 1024.0);
        readers.stop()?;
    }
    println!("{SLOW_READERS} slow readers of {LARGE_BYTES} bytes: {} KiB of memory", show(&Summary::new(kib), 0));
    Ok(())
}

fn beside_downloads(site: &Site, name: &str, load: Steady, options: &Options) -> Result<()> {
    let (server, other) = (serve(Some(&site.large))?, serve(Some(&site.large))?);
    let mut clients = SteadyClients::connect(&server.target, load)?;
    clients.run(WARM_UP)?;
    let mut all: [Figures; ROWS.len()] = Default::default();
    for number in 0..options.rounds {
        for index in 0..ROWS.len() {
            // So that a row does not always follow the same one.
            let index = (index + number) % ROWS.len();
            let row = &ROWS[index];
            let addr = if row.of_another { other.target.addr } else { server.target.addr };
            measure(row, addr, &mut clients, options, &mut all[index])?;
        }
    }
    println!("\n{name}, beside:");
    println!(
        "{:26}{:>24}{:>8}{:>24}{:>8}{:>12}{:>8}",
        "", "p50, us", "ratio", "p99, us", "ratio", "messages/s", "MB/s"
    );
    let [p50, p99] = [&all[0].p50, &all[0].p99].map(|values| Summary::new(values.clone()).median);
    for (row, figures) in ROWS.iter().zip(all) {
        let [half, most] = [figures.p50, figures.p99].map(Summary::new);
        println!(
            "{:26}{:>24}{:8.2}{:>24}{:8.2}{:12.0}{:8.0}",
            row.name,
            show(&half, 0),
            half.median / p50,
            show(&most, 0),
            most.median / p99,
            Summary::new(figures.messages).median,
            Summary::new(figures.megabytes).median,
        );
    }
    println!("target: p99 at most {TARGET} of that beside nothing");
    Ok(())
}

fn measure(
    row: &Row,
    addr: std::net::SocketAddr,
    clients: &mut SteadyClients,
    options: &Options,
    figures: &mut Figures,
) -> Result<()> {
    let downloads: Vec<Download> =
        (0..row.downloads).map(|_| Download::start(addr, LARGE, LARGE_BYTES, row.pace)).collect();
    clients.run(WARM_UP)?;
    let bytes = || downloads.iter().map(Download::bytes).sum::<u64>();
    let (before, time) = (bytes(), Duration::from_millis(options.millis));
    let mut latencies = clients.run(time)?;
    let megabytes = (bytes() - before) as f64 / 1e6 / time.as_secs_f64();
    downloads.into_iter().try_for_each(Download::stop)?;
    ensure!(!latencies.is_empty(), "no message arrived");
    latencies.sort_unstable();
    let at = |rank: f64| 1e6 * latencies[((latencies.len() - 1) as f64 * rank).round() as usize].as_secs_f64();
    figures.p50.push(at(0.5));
    figures.p99.push(at(0.99));
    figures.messages.push(latencies.len() as f64 / time.as_secs_f64());
    figures.megabytes.push(megabytes);
    Ok(())
}

/// Formats the median and the extremes.
fn show(summary: &Summary, digits: usize) -> String {
    format!("{:.digits$} ({:.digits$} to {:.digits$})", summary.median, summary.min, summary.max)
}

/// Starts an echo server that publishes a directory, on the first core.
fn serve(directory: Option<&Path>) -> Result<Running> {
    let program = std::env::current_exe()?.display().to_string();
    let mut command = vec![program, "serve".into()];
    command.extend(directory.iter().flat_map(|path| ["--www".into(), path.display().to_string()]));
    command.push("halloo".into());
    machine::pin(0);
    let server = Peer::new("halloo-files", command).start("echo", false);
    machine::pin(machine::cores().saturating_sub(1));
    server
}

/// The directories to publish, which are removed when this is dropped.
struct Site {
    root: PathBuf,
    large: PathBuf,
    many: PathBuf,
}

impl Site {
    fn create() -> Result<Site> {
        let root = std::env::temp_dir().join(format!("halloo-bench-{}", std::process::id()));
        let site = Site { large: root.join("large"), many: root.join("many"), root };
        fs::create_dir_all(&site.large).and_then(|()| fs::create_dir_all(&site.many)).context("no directory")?;
        let mut large = File::create(site.large.join("large.bin"))?;
        let piece: Vec<u8> = (0..1 << 20).map(|index: u32| (index / 251 + index) as u8).collect();
        for _ in 0..LARGE_BYTES / piece.len() as u64 {
            large.write_all(&piece)?;
        }
        for number in 0..MANY {
            fs::write(site.many.join(format!("{number}.html")), "a page")?;
        }
        Ok(site)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // What is left is in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.root);
    }
}
