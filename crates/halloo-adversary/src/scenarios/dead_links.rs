//! Clients whose link dies: no FIN, no RST, only silence.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::context::Context;
use crate::namespaces::{Device, run_in_namespace, time_until};
use crate::peer::TIMEOUT;
use crate::scenario::{Finding, Run, Scenario};
use crate::server::Server;

pub(super) const DEAD_LINKS: Scenario = Scenario {
    name: "dead-links",
    attack: "100 clients whose link dies without a FIN",
    promised: "all removed within 16 s; a beacon within 2 s after that",
    run: Run::Own(run),
};

fn run(context: &Context) -> Result<Finding> {
    let each = if context.quick { "5" } else { "25" };
    let mut finding = Finding::from_line(&run_in_namespace(&context.halloo, &["dead-links", each])?)?;
    let eventually = !finding.measured.contains("still counted") && !finding.measured.contains("no beacon");
    finding.held |= !context.timed && eventually;
    Ok(finding)
}

/// Runs in the namespace: cuts the link of `each` clients from each of four addresses.
pub(crate) fn cut(halloo: &Path, each: &str) -> Result<Finding> {
    let sources = ["10.66.0.2", "10.66.0.3", "10.66.0.4", "10.66.0.5"];
    let mut first =
        Device::new("first", "10.66.0.1/16", &sources.map(|ip| format!("{ip}/16")).each_ref().map(|ip| &**ip))?;
    let mut second = Device::new("second", "192.168.66.1/24", &["192.168.66.2/24"])?;
    let beacons = second.start_helper(&["listener", "8766"])?;
    let mut server = Server::start(halloo, &["--bind", "0.0.0.0", "--no-mdns", "--discovery-port", "8766"])?;
    server.drain_output()?;
    let url = format!("10.66.0.1:{}", server.port);
    let arguments = [&["clients", &url, each][..], &sources].concat();
    let _clients = first.start_helper(&arguments)?;
    let count = 4 * each.parse::<u64>()?;
    server.wait_for_clients(count, TIMEOUT)?;
    beacons.skip();
    first.shell("ip link set eth0 down")?;
    let gone = time_until(Duration::from_secs(20), || Ok(server.status()?["connected_clients"] == 0))?;
    let Some(gone) = gone else {
        return Ok(Finding { measured: "still counted after 20 s".into(), held: false });
    };
    let beacon = time_until(Duration::from_secs(5), || Ok(beacons.line(Duration::ZERO).is_some()))?;
    let heard = beacon.map_or("no beacon".into(), |after| format!("a beacon {:.1} s later", after.as_secs_f64()));
    let held = gone <= Duration::from_secs(16) && beacon.is_some_and(|after| after <= Duration::from_secs(2));
    Ok(Finding { measured: format!("{count} removed after {:.1} s; {heard}", gone.as_secs_f64()), held })
}
