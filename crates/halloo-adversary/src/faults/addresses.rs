//! Cables and addresses, in namespaces.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{RECOVERY, Scene, fault, inside, survived};
use crate::context::{Finding, Row};
use crate::lab::{Neighbour, shell};
use crate::native::Native;

pub(super) const DEAD_LINK: Row = fault(
    "dead-link",
    "the cable of ten clients is out for 3 s, then for 20 s",
    "10 of 10 stay, then come back within 16 s of its return",
    |stage| inside(stage, "dead-link"),
);
pub(super) const ADDRESS: Row = fault(
    "address",
    "the server's machine gets another address; the clients know it by its name",
    "10 of 10 notice it by the silence, and find it again within 16 s",
    |stage| inside(stage, "address"),
);

fn scene(halloo: &Path, neighbour: &Neighbour, to: impl Fn(u16) -> String) -> Result<Scene> {
    let mut scene =
        Scene::with(halloo, &["--bind", "0.0.0.0", "--no-mdns", "--name", "lab", "--discovery-port", "8766"])?;
    let target = to(scene.server.port);
    for _ in 0..10 {
        scene.clients.push(Native::start_by(neighbour.enter(halloo), &["--no-mdns", &target])?);
    }
    scene.exchange(RECOVERY).context("before the fault")?;
    Ok(scene)
}

pub(crate) fn dead_link(halloo: &Path, size: &str) -> Result<Finding> {
    let neighbour = Neighbour::new("first", "10.66.0.1/16", &["10.66.0.2/16"])?;
    let mut scene = scene(halloo, &neighbour, |port| format!("ws://10.66.0.1:{port}"))?;
    let mut well = Vec::new();
    for seconds in if size == "quick" { &[2][..] } else { &[3, 20] } {
        neighbour.shell("ip link set eth0 down")?;
        std::thread::sleep(Duration::from_secs(*seconds));
        neighbour.shell("ip link set eth0 up")?;
        let begin = Instant::now();
        // What a broken connection had taken is lost; what counts is that they are there and heard.
        scene.server.wait_for_clients(10, RECOVERY)?;
        while scene.exchange(Duration::from_secs(2)).is_err() && begin.elapsed() < RECOVERY {}
        scene.exchange(RECOVERY)?;
        well.push((begin.elapsed(), scene.came_back()));
    }
    let told: Vec<String> =
        well.iter().map(|(after, back)| format!("{:.1} s ({back} came back)", after.as_secs_f64())).collect();
    let worst = well.iter().map(|(after, _)| *after).max().unwrap_or_default();
    Ok(survived(10, worst, &format!(": {}", told.join(", then "))))
}

pub(crate) fn address_change(halloo: &Path, _: &str) -> Result<Finding> {
    let neighbour = Neighbour::new("first", "10.66.0.1/16", &["10.66.0.2/16"])?;
    let mut scene = scene(halloo, &neighbour, |_| "lab".into())?;
    shell("ip addr add 10.66.0.9/16 dev first; ip addr del 10.66.0.1/16 dev first")?;
    shell("ip addr add 10.66.0.9/16 dev first 2>/dev/null || true")?;
    let begin = Instant::now();
    for client in &scene.clients {
        client.wait_for("\"connected\"")?;
    }
    let back = begin.elapsed();
    scene.exchange(RECOVERY)?;
    Ok(survived(10, back, " from the change on"))
}
