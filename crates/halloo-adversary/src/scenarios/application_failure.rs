//! The application panics, or does not keep up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use halloo::{Config, Event, Server};

use crate::baseline_load::{BaselineLoad, CLIENTS};
use crate::context::Context;
use crate::peer::{Peer, TEXT};
use crate::process::MemoryWatch;
use crate::scenario::{Finding, Run, Scenario};

pub(super) const PANIC: Scenario = Scenario {
    name: "reactor-panic",
    attack: "a panic on the reactor thread, 20 times",
    promised: "an event; the status says that the server has stopped; clients get 1011; a restart works",
    run: Run::Own(panics),
};

pub(super) const STALL: Scenario = Scenario {
    name: "stalled-application",
    attack: "the application stalls for 30 s under the baseline load",
    promised: "nothing lost; memory at most the limit of the event queue (64 MiB) + 8 MiB; then drained",
    run: Run::Own(stall),
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Runs against the library, because nothing from the network makes the program panic.
fn panics(_: &Context) -> Result<Finding> {
    // The panics are intended and not printed.
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = (0..20).try_for_each(|_| panic_once());
    let _ = std::panic::take_hook();
    outcome?;
    Ok(Finding { measured: "20 of 20: event, status, 1011, and a new server on the same port".into(), held: true })
}

fn panic_once() -> Result<()> {
    let mut config = Config::local();
    config.port = 0;
    let server = Server::start_with(config, |event, _| {
        if let Event::MessageReceived { .. } = event {
            panic!("an intended panic");
        }
    })?;
    let port = server.port();
    let mut peer = Peer::join(port)?;
    peer.send(TEXT, b"panic")?;
    let event = server.wait_event(TIMEOUT).context("no event reported the failure")?;
    let Event::ServerFailed { message } = event else { bail!("{event:?} instead of ServerFailed") };
    let (code, status) = (peer.close_code(TIMEOUT), server.status());
    if !message.contains("an intended panic") || status.server_running || status.connected_clients != 0 {
        bail!("{message}; {status:?}");
    }
    if code != Some(1011) {
        bail!("the client was closed with {code:?} instead of 1011");
    }
    drop(server);
    let mut config = Config::local();
    (config.port, config.strict_port) = (port, true);
    let again = Server::start(config).context("cannot restart on the same port")?;
    Peer::join(again.port())?;
    Ok(())
}

fn stall(context: &Context) -> Result<Finding> {
    let mut server = context.server(&[])?;
    let load = BaselineLoad::start(&mut server)?;
    std::thread::sleep(Duration::from_secs(2));
    let before = server.usage()?.memory_kib;
    let watch = MemoryWatch::start(server.pid());
    load.stall.store(true, Ordering::SeqCst);
    std::thread::sleep(Duration::from_secs(context.size(30, 7) as u64));
    load.stall.store(false, Ordering::SeqCst);
    std::thread::sleep(Duration::from_secs(2));
    let growth = watch.stop().saturating_sub(before);
    server.check_alive()?;
    let report = load.stop(&mut server)?;
    let held = report.lost == 0 && growth <= (64 + 8) * 1024;
    let measured = format!("{} messages of {CLIENTS} clients, {} lost; +{growth} KiB", report.sent, report.lost);
    Ok(Finding { measured, held })
}
