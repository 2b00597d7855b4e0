//! Processes that are suspended or killed, as phones and laptops do it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{RECOVERY, Scene, fault, survived};
use crate::context::{Finding, Row, Stage};
use crate::native;
use crate::peer::Peer;
use crate::server::{Server, signal};

pub(super) const SERVER_STOPPED: Row = fault(
    "server-suspended",
    "the server is suspended for 20 s (SIGSTOP)",
    "20 of 20 idle clients are there afterwards, within 16 s; who waits keeps his connection",
    |stage| suspended_server(stage, stage.size(20, 2) as u64),
);
pub(super) const CLIENT_STOPPED: Row =
    fault("client-suspended", "ten clients are suspended for 10 s", "10 of 10 keep their connection", |stage| {
        suspended_clients(stage, stage.size(10, 2) as u64, 0)
    });
pub(super) const CLIENT_STOPPED_LONG: Row = fault(
    "client-suspended-long",
    "ten clients are suspended for 20 s",
    "all are counted out by then; 10 of 10 come back within 16 s",
    |stage| suspended_clients(stage, 20, 10),
);
pub(super) const SERVER_KILLED: Row = fault(
    "server-killed",
    "the server is killed, and started again 2 s later",
    "10 of 10 come back within 16 s, with what they said meanwhile",
    killed,
);

fn suspended_server(stage: &Stage, seconds: u64) -> Result<Finding> {
    let mut scene = Scene::new(stage)?;
    scene.connect(&stage.halloo, scene.server.port, 10)?;
    // Ours notice a server that is dead for 15 s and come back; these wait for it.
    let mut patient = (0..10).map(|_| Peer::join(scene.server.port)).collect::<Result<Vec<_>>>()?;
    signal(scene.server.pid(), "STOP")?;
    std::thread::sleep(Duration::from_secs(seconds));
    signal(scene.server.pid(), "CONT")?;
    let heard = scene.exchange(RECOVERY)?;
    patient.iter_mut().try_for_each(|peer| peer.round_trip(b"there").map(drop)).context("a patient client")?;
    scene.server.wait_for_clients(20, RECOVERY)?;
    Ok(survived(20, heard, &format!("; {} of our own ten came back, the others stayed", scene.came_back())))
}

fn suspended_clients(stage: &Stage, seconds: u64, lost: usize) -> Result<Finding> {
    let mut scene = Scene::new(stage)?;
    scene.connect(&stage.halloo, scene.server.port, 10)?;
    let all = |scene: &Scene, name| scene.clients.iter().try_for_each(|client| signal(client.pid(), name));
    all(&scene, "STOP")?;
    std::thread::sleep(Duration::from_secs(seconds));
    let counted = scene.server.status()?["connected_clients"].as_u64().context("no count")?;
    ensure!(counted as usize == 10 - lost, "{counted} are counted");
    let begin = Instant::now();
    all(&scene, "CONT")?;
    scene.server.wait_for_clients(10, RECOVERY)?;
    let back = begin.elapsed();
    // Those who find out only by saying something have lost that: what counts is what is said afterwards.
    scene.exchange(RECOVERY)?;
    let total = scene.server.status()?["halloo"]["clients_total"].as_u64().context("no count")?;
    ensure!(total as usize == 10 + lost, "{total} joined in all");
    Ok(survived(10, back, &format!("; {total} joined in all")))
}

fn killed(stage: &Stage) -> Result<Finding> {
    let mut scene = Scene::new(stage)?;
    let port = scene.server.port;
    scene.connect(&stage.halloo, port, 10)?;
    scene.server.kill();
    std::thread::sleep(Duration::from_secs(2));
    let texts: Vec<String> = (0..10).map(|number| format!("said meanwhile by {number}")).collect();
    for (client, text) in scene.clients.iter_mut().zip(&texts) {
        client.send(text)?;
    }
    scene.server = Server::start(&stage.halloo, &["--strict-port", "--port", &port.to_string()])?;
    scene.lines = native::lines(scene.server.take_output()?);
    let back = native::all_arrive(&scene.lines, &texts, RECOVERY).context("not all came back")?;
    Ok(survived(10, back, ""))
}
