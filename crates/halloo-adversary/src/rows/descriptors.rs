//! A process that may open few files.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::context::{Finding, Row, Run, Stage};
use crate::peer::Peer;
use crate::server::Server;

pub(super) const DESCRIPTORS: Row = Row {
    name: "descriptors",
    attack: "`ulimit -n 64`, 200 connects that stay",
    promised: "CPU below 5 %; accepting again within 2 s of release",
    run: Run::Alone(run),
};

fn run(stage: &Stage) -> Result<Finding> {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(&stage.halloo);
    let mut server = Server::start_by(command, &[])?;
    server.drain_output()?;
    let peers = (0..200).map(|_| Peer::open(server.port)).collect::<Result<Vec<_>, _>>()?;
    std::thread::sleep(Duration::from_millis(500));
    // Those who say nothing for a second make room for one who does.
    let knock = Instant::now();
    let honest = Peer::join(server.port);
    let meanwhile = match &honest {
        Ok(_) => format!("a client is let in after {} ms", knock.elapsed().as_millis()),
        Err(error) => format!("a client is not let in: {error:#}"),
    };
    // With so few descriptors there is a place for one client only.
    drop(honest);
    let (before, begin) = (server.vitals()?, Instant::now());
    // Renewed as the server closes them, so that it is short of descriptors all the while.
    let mut peers = peers;
    while begin.elapsed() < Duration::from_secs(stage.size(8, 2) as u64) {
        std::thread::sleep(Duration::from_millis(100));
        peers.extend((0..10).filter_map(|_| Peer::open(server.port).ok()));
    }
    let after = server.vitals()?;
    let share = 100.0 * (after.cpu - before.cpu).as_secs_f64() / begin.elapsed().as_secs_f64();
    drop(peers);
    let release = Instant::now();
    while Peer::join(server.port).is_err() {
        if release.elapsed() > Duration::from_secs(10) {
            bail!("nobody is let in 10 s after the release: {}", server.log());
        }
    }
    let again = release.elapsed();
    server.check_alive()?;
    let held = (share < 5.0 || !stage.timed) && stage.in_time(again, Duration::from_secs(2));
    let measured = format!(
        "{} of 64 descriptors; {meanwhile}; CPU {share:.1} %; another {} ms after the release",
        after.descriptors,
        again.as_millis()
    );
    Ok(Finding { measured, held })
}
