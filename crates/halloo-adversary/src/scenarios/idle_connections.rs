//! Connections that send nothing.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::context::Context;
use crate::peer::{Peer, Received};
use crate::scenario::{Finding, Run, Scenario};

pub(super) const IDLE: Scenario = Scenario {
    name: "idle-connections",
    attack: "50 idle TCP connections for 10 s",
    promised: "at least 4 beacons meanwhile; all closed within 6 s; never counted as clients",
    run: Run::Own(run),
};

fn run(context: &Context) -> Result<Finding> {
    // The server finds this port in use, receives probes on another one, and sends beacons to both.
    let beacon_socket = UdpSocket::bind("0.0.0.0:0")?;
    beacon_socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut server = context.server(&["--discovery-port", &beacon_socket.local_addr()?.port().to_string()])?;
    server.drain_output()?;
    let start = Instant::now();
    let mut idle = (0..50).map(|_| Peer::open(server.port)).collect::<Result<Vec<_>, _>>()?;
    let (mut beacons, mut counted, mut closed_after) = (0, 0, None);
    // The announcements at the start do not count: a server without clients sends beacons later, too.
    std::thread::sleep(Duration::from_millis(500));
    while beacon_socket.recv(&mut [0; 600]).is_ok() {}
    while start.elapsed() < Duration::from_secs(10) {
        beacons += usize::from(beacon_socket.recv(&mut [0; 600]).is_ok());
        counted += server.status()?["connected_clients"].as_u64().unwrap_or(0);
        idle.retain_mut(|peer| peer.next(Duration::from_millis(1)) != Received::Closed);
        if idle.is_empty() && closed_after.is_none() {
            closed_after = Some(start.elapsed());
        }
    }
    let closed =
        closed_after.map_or("not all closed".into(), |after| format!("all closed after {:.1} s", after.as_secs_f64()));
    let held = (beacons >= 4 || !context.timed)
        && closed_after.is_some_and(|after| context.in_time(after, Duration::from_secs(6)))
        && counted == 0;
    Ok(Finding { measured: format!("{beacons} beacons; {closed}; {counted} counted"), held })
}
