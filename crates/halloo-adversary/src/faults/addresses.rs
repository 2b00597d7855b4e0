//! Links and addresses that change, in network namespaces.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::recovery::{MAX_RECOVERY, Setup, fault, in_namespace, recovered};
use crate::halloo_client::HallooClient;
use crate::namespaces::{Device, shell};
use crate::scenario::{Finding, Scenario};

pub(super) const LINK_DOWN: Scenario = fault(
    "link-down",
    "the link of ten clients is down for 3 s, then for 20 s",
    "10 of 10 stay connected, then reconnect within 16 s after the link is up",
    |context| in_namespace(context, "link-down"),
);
pub(super) const ADDRESS_CHANGE: Scenario = fault(
    "address-change",
    "the server's machine gets another address; the clients know the server by its name",
    "10 of 10 notice the silence and find the server again within 16 s",
    |context| in_namespace(context, "address-change"),
);

/// Starts a server and connects ten clients on another device to it. `url` returns its address for a port.
fn connect_clients(halloo: &Path, device: &Device, url: impl Fn(u16) -> String) -> Result<Setup> {
    let mut setup = Setup::with_arguments(
        halloo,
        &["--bind", "0.0.0.0", "--no-mdns", "--name", "lab", "--discovery-port", "8766"],
    )?;
    let url = url(setup.server.port);
    for _ in 0..10 {
        setup.clients.push(HallooClient::start_with(device.command(halloo), &["--no-mdns", &url])?);
    }
    setup.exchange(MAX_RECOVERY).context("before the fault")?;
    Ok(setup)
}

pub(crate) fn link_down(halloo: &Path, size: &str) -> Result<Finding> {
    let device = Device::new("first", "10.66.0.1/16", &["10.66.0.2/16"])?;
    let mut setup = connect_clients(halloo, &device, |port| format!("ws://10.66.0.1:{port}"))?;
    let mut recoveries = Vec::new();
    for seconds in if size == "quick" { &[2][..] } else { &[3, 20] } {
        device.shell("ip link set eth0 down")?;
        std::thread::sleep(Duration::from_secs(*seconds));
        device.shell("ip link set eth0 up")?;
        let start = Instant::now();
        // Messages that a broken connection had accepted are lost; the clients must be back and their messages arrive.
        setup.server.wait_for_clients(10, MAX_RECOVERY)?;
        while setup.exchange(Duration::from_secs(2)).is_err() && start.elapsed() < MAX_RECOVERY {}
        setup.exchange(MAX_RECOVERY)?;
        recoveries.push((start.elapsed(), setup.reconnected()));
    }
    let each: Vec<String> = recoveries
        .iter()
        .map(|(after, reconnected)| format!("{:.1} s ({reconnected} reconnected)", after.as_secs_f64()))
        .collect();
    let worst = recoveries.iter().map(|(after, _)| *after).max().unwrap_or_default();
    Ok(recovered(10, worst, &format!(": {}", each.join(", then "))))
}

pub(crate) fn address_change(halloo: &Path, _: &str) -> Result<Finding> {
    let device = Device::new("first", "10.66.0.1/16", &["10.66.0.2/16"])?;
    let mut setup = connect_clients(halloo, &device, |_| "lab".into())?;
    shell("ip addr add 10.66.0.9/16 dev first; ip addr del 10.66.0.1/16 dev first")?;
    shell("ip addr add 10.66.0.9/16 dev first 2>/dev/null || true")?;
    let start = Instant::now();
    for client in &setup.clients {
        client.wait_for("\"connected\"")?;
    }
    let recovery = start.elapsed();
    setup.exchange(MAX_RECOVERY)?;
    Ok(recovered(10, recovery, ""))
}
