//! Bad roads.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{RECOVERY, Scene, fault, survived};
use crate::context::{Finding, Row, Stage};
use crate::forwarder::{Forwarder, Road};
use crate::peer::{Peer, TEXT};

pub(super) const LATE: Row =
    fault("late", "every piece 200 ms late, both ways", "10 of 10 are let in, heard and stay", late);
pub(super) const SLOW: Row =
    fault("slow", "a road of 64 KiB/s, and 256 KiB on it", "10 of 10 arrive whole; nobody is cut off", slow);
pub(super) const CRUMBS: Row =
    fault("crumbs", "one byte in each packet, both ways", "10 of 10 are let in, heard and answered", crumbs);
pub(super) const NOWHERE: Row = fault(
    "nowhere",
    "established connections lead nowhere, without an end; new ones work",
    "10 of 10 come back within 16 s; nobody is counted twice for longer",
    nowhere,
);

fn late(stage: &Stage) -> Result<Finding> {
    let mut scene = Scene::new(stage)?;
    let road = Forwarder::start(scene.server.port, Road::Late(Duration::from_millis(200)))?;
    scene.connect(&stage.halloo, road.port, 10)?;
    // Longer than the heartbeat, so that everybody has been asked.
    std::thread::sleep(Duration::from_secs(stage.size(7, 1) as u64));
    let heard = scene.exchange(RECOVERY)?;
    Ok(survived(10, heard, &format!(", {} came back", scene.came_back())))
}

fn slow(stage: &Stage) -> Result<Finding> {
    let mut scene = Scene::new(stage)?;
    let road = Forwarder::start(scene.server.port, Road::Crumbs(640, Duration::from_millis(10)))?;
    let begin = Instant::now();
    let senders: Vec<_> = (0..10)
        .map(|number| {
            let (port, size) = (road.port, stage.size(256, 32) * 1024);
            std::thread::spawn(move || -> Result<Peer> {
                let mut peer = Peer::join(port)?;
                let mut text = format!("{number} ");
                text.extend(std::iter::repeat_n('x', size));
                peer.send(TEXT, text.as_bytes())?;
                peer.round_trip(b"behind it")?;
                Ok(peer)
            })
        })
        .collect();
    let peers: Vec<_> =
        senders.into_iter().map(|sender| sender.join().map_err(|_| anyhow::anyhow!("panicked"))?).collect();
    ensure!(peers.iter().all(Result::is_ok), "{peers:?}");
    for number in 0..10 {
        // The pong may overtake the line.
        let line = scene.lines.recv_timeout(RECOVERY).with_context(|| format!("{number} of 10 arrived"))?;
        ensure!(line.len() > stage.size(256, 32) * 1024, "{} bytes of one arrived", line.len());
    }
    scene.server.check_alive()?;
    Ok(Finding { measured: format!("10 of 10 whole after {:.1} s", begin.elapsed().as_secs_f64()), held: true })
}

fn crumbs(stage: &Stage) -> Result<Finding> {
    let mut scene = Scene::new(stage)?;
    let road = Forwarder::start(scene.server.port, Road::Crumbs(1, Duration::ZERO))?;
    scene.connect(&stage.halloo, road.port, 10)?;
    let heard = scene.exchange(RECOVERY)?;
    let mut peer = Peer::join(road.port)?;
    peer.send(TEXT, "ä".repeat(2000).as_bytes())?;
    peer.round_trip(b"behind it")?;
    Ok(survived(10, heard, ""))
}

fn nowhere(stage: &Stage) -> Result<Finding> {
    let mut scene = Scene::new(stage)?;
    let road = Forwarder::start(scene.server.port, Road::Good)?;
    scene.connect(&stage.halloo, road.port, 10)?;
    road.lose_all();
    let begin = Instant::now();
    // What is said into the void is lost, and known to be; what is said once they are back is heard.
    for client in &scene.clients {
        client.wait_for("\"connected\"")?;
    }
    let back = begin.elapsed();
    scene.exchange(RECOVERY)?;
    scene.server.wait_for_clients(10, RECOVERY)?;
    Ok(survived(10, back, &format!("; counted right after {:.1} s", begin.elapsed().as_secs_f64())))
}
