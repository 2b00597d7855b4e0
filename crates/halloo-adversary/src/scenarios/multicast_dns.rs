//! A flood of multicast DNS: records that a cache would keep for decades, queries, and malformed packets.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

use crate::baseline_load::{BaselineLoad, MAX_P99};
use crate::context::Context;
use crate::flooder::Sent;
use crate::latency::millis;
use crate::namespaces::{Device, run_in_namespace};
use crate::peer::TIMEOUT;
use crate::process::{MemoryWatch, usage};
use crate::scenario::{Finding, Run, Scenario};
use crate::server::Server;

pub(super) const FLOOD: Scenario = Scenario {
    name: "multicast-dns-flood",
    attack: "20 MB/s of multicast DNS: records with a TTL of 2^31, many records under one name, queries, malformed packets",
    promised: "memory at most +1 MiB, of `discover --watch` as well; CPU at most 2 % of a core; at most 1 packet out for 1 \
               in; baseline load: nothing lost, p99 at most 20 ms; found by a query",
    run: Run::Own(run),
};

/// Bytes that are sent in a second, in millions.
const MEGABYTES: &str = "20";
const SERVER: &str = "10.67.0.1";
const QUERIER: &str = "10.67.0.100";
/// The attacker's addresses.
const SOURCES: u8 = 32;
/// The longest time for which the baseline load runs.
const MAX_LOAD: u64 = 30;
/// The promised growth of the memory.
const MAX_GROWTH_KIB: u64 = 1024;
const MAX_CPU_PERCENT: f64 = 2.0;
/// Statistics of the interface, which count every packet.
const PACKETS_OUT: &str = "/sys/class/net/first/statistics/tx_packets";

fn run(context: &Context) -> Result<Finding> {
    let seconds = context.seconds(20, 2).to_string();
    let line = run_in_namespace(&context.halloo, &["multicast-dns-flood", &seconds])?;
    let mut finding = Finding::from_line(&line)?;
    if let Some(rest) = finding.measured.strip_prefix("late: ") {
        (finding.held, finding.measured) = (!context.timed, rest.to_owned());
    }
    Ok(finding)
}

/// Runs in the namespace: floods an idle server, and then one with the baseline load. A result whose times alone are too
/// long begins with `late: `.
pub(crate) fn flood(halloo: &Path, seconds: &str) -> Result<Finding> {
    let sources: Vec<String> = (2..2 + SOURCES).map(|host| format!("10.67.0.{host}")).collect();
    let addresses: Vec<String> =
        sources.iter().map(String::as_str).chain([QUERIER]).map(|ip| format!("{ip}/24")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut device = Device::new("first", &format!("{SERVER}/24"), &addresses)?;
    device.shell("ip route add 224.0.0.0/4 dev eth0")?;
    // Mounted again, so that it shows the interfaces of this namespace.
    crate::namespaces::shell("mount -t sysfs none /sys")?;
    let responses = device.start_helper(&["querier", QUERIER, SERVER])?;
    let mut server = Server::start(halloo, &["--bind", "::", "--discovery-port", "8766", "--name", "flooded"])?;
    responses.line(TIMEOUT).context("the server is not found before the flood")?;
    let watcher = Watcher::start(halloo)?;
    // Until both have sent their first packets, and everything has the size that it needs.
    std::thread::sleep(Duration::from_secs(3));

    let flood = |device: &mut Device, seconds: &str| -> Result<Sent> {
        let arguments: Vec<&str> =
            ["multicast-dns", seconds, MEGABYTES].into_iter().chain(sources.iter().map(String::as_str)).collect();
        let output = device.start_helper(&arguments)?;
        let time = Duration::from_secs(seconds.parse()?);
        Sent::from_line(&output.line(time + TIMEOUT).context("the flooder did not finish")?)
    };
    let (memory, watcher_memory) = (MemoryWatch::start(server.pid()), MemoryWatch::start(watcher.pid()));
    let (before, watcher_before, out, start) = (server.usage()?, usage(watcher.pid())?, packets_out()?, Instant::now());
    responses.skip();
    let sent = flood(&mut device, seconds)?;
    let cpu = |before: Duration, after: Duration| {
        100.0 * after.saturating_sub(before).as_secs_f64() / start.elapsed().as_secs_f64()
    };
    let (server_cpu, watcher_cpu) =
        (cpu(before.cpu, server.usage()?.cpu), cpu(watcher_before.cpu, usage(watcher.pid())?.cpu));
    let out = packets_out()?.saturating_sub(out);
    let during = responses.skip();
    let growth = memory.stop().saturating_sub(before.memory_kib);
    let watcher_growth = watcher_memory.stop().saturating_sub(watcher_before.memory_kib);
    drop(watcher);

    let load = BaselineLoad::start(&mut server)?;
    std::thread::sleep(Duration::from_secs(1));
    flood(&mut device, &seconds.parse::<u64>()?.min(MAX_LOAD).to_string())?;
    responses.skip();
    let found = Instant::now();
    let is_found = responses.line(TIMEOUT).is_some();
    let found = found.elapsed();
    server.check_alive()?;
    let report = load.stop(&mut server)?;

    let held = growth <= MAX_GROWTH_KIB
        && watcher_growth <= MAX_GROWTH_KIB
        && out <= sent.packets
        && is_found
        && report.lost == 0;
    let late = server_cpu > MAX_CPU_PERCENT || report.p99 > MAX_P99;
    let mut measured = if held && late { "late: ".to_owned() } else { String::new() };
    write!(
        measured,
        "{}; {out} packets out; memory +{growth} KiB, of `discover --watch` +{watcher_growth} KiB; CPU {server_cpu:.1} %, of \
         `discover` {watcher_cpu:.1} %; {}; found {during} times meanwhile, and {} afterwards",
        sent.summary(),
        report.summary(),
        if is_found { millis(found) } else { "not".into() }
    )?;
    Ok(Finding { measured, held: held && !late })
}

fn packets_out() -> Result<u64> {
    std::fs::read_to_string(PACKETS_OUT)?.trim().parse().map_err(|error| anyhow!("no number in {PACKETS_OUT}: {error}"))
}

/// A running `halloo discover --watch`.
struct Watcher(Child);

impl Watcher {
    fn start(halloo: &Path) -> Result<Watcher> {
        let mut command = Command::new(halloo);
        command.args(["discover", "--watch", "--json"]).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Watcher(command.spawn()?))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
