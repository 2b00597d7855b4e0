//! Processes that are suspended, as phones and laptops do, or killed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::recovery::{MAX_RECOVERY, Setup, fault, recovered};
use crate::context::Context;
use crate::halloo_client;
use crate::peer::Peer;
use crate::process::signal;
use crate::scenario::{Finding, Scenario};
use crate::server::Server;

pub(super) const SERVER_SUSPENDED: Scenario = fault(
    "server-suspended",
    "the server is suspended for 20 s (SIGSTOP)",
    "20 of 20 idle clients are connected again within 16 s; clients that wait keep their connection",
    |context| suspended_server(context, context.size(20, 2) as u64),
);
pub(super) const CLIENT_SUSPENDED: Scenario =
    fault("client-suspended", "ten clients are suspended for 10 s", "10 of 10 keep their connection", |context| {
        suspended_clients(context, context.size(10, 2) as u64, 0)
    });
pub(super) const CLIENT_SUSPENDED_LONG: Scenario = fault(
    "client-suspended-long",
    "ten clients are suspended for 20 s",
    "all are removed by then; 10 of 10 reconnect within 16 s",
    |context| suspended_clients(context, 20, 10),
);
pub(super) const SERVER_KILLED: Scenario = fault(
    "server-killed",
    "the server is killed and started again 2 s later",
    "10 of 10 reconnect within 16 s and deliver what they sent meanwhile",
    killed,
);

fn suspended_server(context: &Context, seconds: u64) -> Result<Finding> {
    let mut setup = Setup::new(context)?;
    setup.connect(&context.halloo, setup.server.port, 10)?;
    // `halloo connect` reconnects when the server is silent for 15 s; these clients wait.
    let mut waiting = (0..10).map(|_| Peer::join(setup.server.port)).collect::<Result<Vec<_>>>()?;
    signal(setup.server.pid(), "STOP")?;
    std::thread::sleep(Duration::from_secs(seconds));
    signal(setup.server.pid(), "CONT")?;
    let exchange = setup.exchange(MAX_RECOVERY)?;
    waiting.iter_mut().try_for_each(|peer| peer.round_trip(b"there").map(drop)).context("a client that waited")?;
    setup.server.wait_for_clients(20, MAX_RECOVERY)?;
    Ok(recovered(
        20,
        exchange,
        &format!("; {} of the ten `halloo connect` clients reconnected, the others stayed", setup.reconnected()),
    ))
}

fn suspended_clients(context: &Context, seconds: u64, lost: usize) -> Result<Finding> {
    let mut setup = Setup::new(context)?;
    setup.connect(&context.halloo, setup.server.port, 10)?;
    let all = |setup: &Setup, name| setup.clients.iter().try_for_each(|client| signal(client.pid(), name));
    all(&setup, "STOP")?;
    std::thread::sleep(Duration::from_secs(seconds));
    let counted = setup.server.status()?["connected_clients"].as_u64().context("no count")?;
    ensure!(counted as usize == 10 - lost, "the server counts {counted} clients");
    let start = Instant::now();
    all(&setup, "CONT")?;
    setup.server.wait_for_clients(10, MAX_RECOVERY)?;
    let reconnected = start.elapsed();
    // A client may notice only when it sends a message, which is then lost; later messages must arrive.
    setup.exchange(MAX_RECOVERY)?;
    let total = setup.server.status()?["halloo"]["clients_total"].as_u64().context("no count")?;
    ensure!(total as usize == 10 + lost, "{total} clients joined in total");
    Ok(recovered(10, reconnected, &format!("; {total} joined in total")))
}

fn killed(context: &Context) -> Result<Finding> {
    let mut setup = Setup::new(context)?;
    let port = setup.server.port;
    setup.connect(&context.halloo, port, 10)?;
    setup.server.kill();
    std::thread::sleep(Duration::from_secs(2));
    let texts: Vec<String> = (0..10).map(|number| format!("sent meanwhile by {number}")).collect();
    for (client, text) in setup.clients.iter_mut().zip(&texts) {
        client.send(text)?;
    }
    setup.server = Server::start(&context.halloo, &["--strict-port", "--port", &port.to_string()])?;
    setup.lines = halloo_client::lines(setup.server.take_output()?);
    let reconnected = halloo_client::wait_for_lines(&setup.lines, &texts, MAX_RECOVERY)
        .context("not all clients reconnected and delivered their message")?;
    Ok(recovered(10, reconnected, ""))
}
