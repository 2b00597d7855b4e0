//! Peers whose cable is pulled: no FIN, no RST, only silence.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::context::{Finding, Row, Run, Stage};
use crate::lab::{self, Neighbour, time_until};
use crate::peer::PATIENCE;
use crate::server::Server;

pub(super) const LINKS: Row = Row {
    name: "links",
    attack: "100 peers whose link dies without FIN",
    promised: "all gone within 16 s; a beacon within 2 s after",
    run: Run::Alone(run),
};

fn run(stage: &Stage) -> Result<Finding> {
    let each = if stage.quick { "5" } else { "25" };
    let told = lab::inside(&stage.halloo, &["inside", "links", each])?;
    let (held, measured) = told.trim().split_once(' ').context("no finding")?;
    let sometime = !measured.contains("still counted") && !measured.contains("no beacon");
    Ok(Finding { measured: measured.to_owned(), held: held == "held" || (!stage.timed && sometime) })
}

/// What runs in the namespace.
pub(crate) fn cut(halloo: &Path, each: &str) -> Result<Finding> {
    let sources = ["10.66.0.2", "10.66.0.3", "10.66.0.4", "10.66.0.5"];
    let mut first =
        Neighbour::new("first", "10.66.0.1/16", &sources.map(|ip| format!("{ip}/16")).each_ref().map(|ip| &**ip))?;
    let mut second = Neighbour::new("second", "192.168.66.1/24", &["192.168.66.2/24"])?;
    let ears = second.play(&["ears", "8766"])?;
    let mut server = Server::start(halloo, &["--bind", "0.0.0.0", "--no-mdns", "--discovery-port", "8766"])?;
    server.drain_output()?;
    let url = format!("10.66.0.1:{}", server.port);
    let arguments = [&["clients", &url, each][..], &sources].concat();
    let _clients = first.play(&arguments)?;
    let count = 4 * each.parse::<u64>()?;
    server.wait_for_clients(count, PATIENCE)?;
    ears.skip();
    first.shell("ip link set eth0 down")?;
    let gone = time_until(Duration::from_secs(20), || Ok(server.status()?["connected_clients"] == 0))?;
    let Some(gone) = gone else {
        return Ok(Finding { measured: "they are still counted after 20 s".into(), held: false });
    };
    let beacon = time_until(Duration::from_secs(5), || Ok(ears.line(Duration::ZERO).is_some()))?;
    let told = beacon.map_or("no beacon".into(), |after| format!("a beacon {:.1} s after", after.as_secs_f64()));
    let held = gone <= Duration::from_secs(16) && beacon.is_some_and(|after| after <= Duration::from_secs(2));
    Ok(Finding { measured: format!("{count} gone after {:.1} s; {told}", gone.as_secs_f64()), held })
}
