//! The application itself fails, or does not keep up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use halloo::{Config, Event, Server};

use crate::context::{Finding, Row, Run, Stage};
use crate::honest::{self, Honest};
use crate::peer::{Peer, TEXT};
use crate::server::Watch;

pub(super) const FAILURE: Row = Row {
    name: "panic",
    attack: "a panic on the reactor thread, 20 times",
    promised: "an event, the status says not running, clients are told 1011, a restart works",
    run: Run::Alone(failure),
};

pub(super) const STALL: Row = Row {
    name: "stall",
    attack: "the application stalls 30 s under the honest load",
    promised: "nothing lost, memory within the cap of the events (64 MiB) + 8 MiB, then drained",
    run: Run::Alone(stall),
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Against the library, since nothing that comes from the network makes the program panic.
fn failure(_: &Stage) -> Result<Finding> {
    // The panics are meant.
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = (0..20).try_for_each(|_| fail_once());
    let _ = std::panic::take_hook();
    outcome?;
    Ok(Finding { measured: "20 of 20: event, status, 1011, and a new server on the same port".into(), held: true })
}

fn fail_once() -> Result<()> {
    let mut config = Config::local();
    config.port = 0;
    let server = Server::start_with(config, |event, _| {
        if let Event::MessageReceived { .. } = event {
            panic!("a handler of the adversary fails");
        }
    })?;
    let port = server.port();
    let mut peer = Peer::join(port)?;
    peer.send(TEXT, b"fail")?;
    let event = server.wait_event(PATIENCE).context("no event tells of the failure")?;
    let Event::ServerFailed { message } = event else { bail!("{event:?} instead of a failure") };
    let (code, status) = (peer.close_code(PATIENCE), server.status());
    if !message.contains("a handler of the adversary fails") || status.server_running || status.connected_clients != 0 {
        bail!("{message}; {status:?}");
    }
    if code != Some(1011) {
        bail!("the client was told {code:?}");
    }
    drop(server);
    let mut config = Config::local();
    (config.port, config.strict_port) = (port, true);
    let again = Server::start(config).context("no restart on the same port")?;
    Peer::join(again.port())?;
    Ok(())
}

fn stall(stage: &Stage) -> Result<Finding> {
    let mut server = stage.server(&[])?;
    let honest = Honest::start(&mut server)?;
    std::thread::sleep(Duration::from_secs(2));
    let before = server.vitals()?.memory_kib;
    let watch = Watch::start(server.pid());
    honest.stall.store(true, Ordering::SeqCst);
    std::thread::sleep(Duration::from_secs(stage.size(30, 7) as u64));
    honest.stall.store(false, Ordering::SeqCst);
    std::thread::sleep(Duration::from_secs(2));
    let growth = watch.end().saturating_sub(before);
    server.check_alive()?;
    let report = honest.end(&mut server)?;
    let held = report.lost == 0 && growth <= (64 + 8) * 1024;
    let measured =
        format!("{} messages of {} clients, {} lost; +{growth} KiB", report.sent, honest::CLIENTS, report.lost);
    Ok(Finding { measured, held })
}
