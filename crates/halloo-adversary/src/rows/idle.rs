//! Sockets that say nothing at all.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::context::{Finding, Row, Run, Stage};
use crate::peer::{Got, Peer};

pub(super) const IDLE: Row = Row {
    name: "idle",
    attack: "50 idle TCP connections for 10 s",
    promised: "at least 4 beacons meanwhile; all closed within 6 s; never counted",
    run: Run::Alone(run),
};

fn run(stage: &Stage) -> Result<Finding> {
    // The server finds this port taken, takes another one for probes, and calls on both.
    let ears = UdpSocket::bind("0.0.0.0:0")?;
    ears.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut server = stage.server(&["--discovery-port", &ears.local_addr()?.port().to_string()])?;
    server.drain_output()?;
    let begin = Instant::now();
    let mut idle = (0..50).map(|_| Peer::open(server.port)).collect::<Result<Vec<_>, _>>()?;
    let (mut beacons, mut counted, mut closed_after) = (0, 0, None);
    // The calls of the start are none of a server that was left alone.
    std::thread::sleep(Duration::from_millis(500));
    while ears.recv(&mut [0; 600]).is_ok() {}
    while begin.elapsed() < Duration::from_secs(10) {
        beacons += usize::from(ears.recv(&mut [0; 600]).is_ok());
        counted += server.status()?["connected_clients"].as_u64().unwrap_or(0);
        idle.retain_mut(|peer| peer.next(Duration::from_millis(1)) != Got::End);
        if idle.is_empty() && closed_after.is_none() {
            closed_after = Some(begin.elapsed());
        }
    }
    let closed =
        closed_after.map_or("not all closed".into(), |after| format!("all closed after {:.1} s", after.as_secs_f64()));
    let held = (beacons >= 4 || !stage.timed)
        && closed_after.is_some_and(|after| stage.in_time(after, Duration::from_secs(6)))
        && counted == 0;
    Ok(Finding { measured: format!("{beacons} beacons; {closed}; {counted} counted"), held })
}
