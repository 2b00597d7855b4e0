//! Probes that are too small to be answered, at a server with many interfaces.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::baseline_load::{BaselineLoad, MAX_P99, Report};
use crate::context::Context;
use crate::flooder::Sent;
use crate::latency::millis;
use crate::namespaces::{Device, run_in_namespace, shell, time_until};
use crate::peer::TIMEOUT;
use crate::scenario::{Finding, Run, Scenario};
use crate::server::Server;

pub(super) const PROBES: Scenario = Scenario {
    name: "small-probes",
    attack: "5,000/s probes of 36 bytes from one address, then from 200, at a server with 50 interfaces",
    promised: "baseline load: nothing lost, p99 at most 20 ms; a new address is announced within 1 s",
    run: Run::Own(run),
};

const PER_SECOND: &str = "5000";
const INTERFACES: usize = 50;
const SERVER: &str = "10.68.0.1";
const NEW_ADDRESS: &str = "10.99.0.1";

fn run(context: &Context) -> Result<Finding> {
    let seconds = context.seconds(10, 1).to_string();
    let mut finding = Finding::from_line(&run_in_namespace(&context.halloo, &["small-probes", &seconds])?)?;
    if let Some(rest) = finding.measured.strip_prefix("late: ") {
        (finding.held, finding.measured) = (!context.timed, rest.to_owned());
    }
    Ok(finding)
}

/// Runs in the namespace. A result whose times alone are too long begins with `late: `.
pub(crate) fn flood(halloo: &Path, seconds: &str) -> Result<Finding> {
    let sources: Vec<String> = (0..200).map(|number| format!("10.68.1.{}", number + 1)).collect();
    let addresses: Vec<String> = sources.iter().map(|ip| format!("{ip}/16")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut device = Device::new("first", &format!("{SERVER}/16"), &addresses)?;
    // The device itself is one; each cable has two ends.
    for number in 0..INTERFACES / 2 {
        shell(&format!(
            "ip link add a{number} type veth peer name b{number}; ip link set a{number} up; ip link set b{number} up
             ip addr add 10.70.{number}.1/24 dev a{number}; ip addr add 10.71.{number}.1/24 dev b{number}"
        ))?;
    }
    let mut server = Server::start(halloo, &["--bind", "::", "--discovery-port", "8766"])?;
    let load = BaselineLoad::start(&mut server)?;
    std::thread::sleep(Duration::from_secs(2));
    let before = server.usage()?;
    let (mut sent, mut found) = (Vec::new(), None);
    for sources in [&sources[..1], &sources[..]] {
        let to = "10.68.255.255:8766";
        let arguments = ["small-probes", seconds, PER_SECOND, to].into_iter().chain(sources.iter().map(String::as_str));
        let output = device.start_helper(&arguments.collect::<Vec<_>>())?;
        if found.is_none() {
            shell(&format!("ip addr add {NEW_ADDRESS}/24 dev first"))?;
            found = time_until(TIMEOUT, || Ok(server.announced_addresses()?.contains(NEW_ADDRESS)))?;
        }
        let time = Duration::from_secs(seconds.parse()?);
        sent.push(Sent::from_line(&output.line(time + TIMEOUT).context("the flooder did not finish")?)?);
    }
    let cpu = server.usage()?.cpu.saturating_sub(before.cpu);
    server.check_alive()?;
    let report: Report = load.stop(&mut server)?;
    let announced = found.context("a new address was not announced")?;
    let late = report.p99 > MAX_P99 || announced > Duration::from_secs(1);
    let prefix = if late && report.lost == 0 { "late: " } else { "" };
    let sent: Vec<String> = sent.into_iter().map(Sent::summary).collect();
    let measured = format!(
        "{prefix}{}; {}; CPU {} ms with the load; a new address was announced after {}",
        sent.join(", then "),
        report.summary(),
        cpu.as_millis(),
        millis(announced)
    );
    Ok(Finding { measured, held: report.lost == 0 && !late })
}
