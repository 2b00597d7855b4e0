//! An application that takes nothing for a while: what its clients notice, and what the server holds meanwhile.

use std::io::{BufRead, BufReader};
use std::process::ChildStdout;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use halloo::{Client, ClientConfig, ClientEvent, Delivery};
use serde_json::Value;

use crate::context::Context;
use crate::namespaces::time_until;
use crate::peer::{FIN, Peer, TEXT, TIMEOUT, frame};
use crate::process::MemoryWatch;
use crate::scenario::{Finding, Run, Scenario};
use crate::server::Server;

pub(super) const CLIENTS: Scenario = Scenario {
    name: "stalled-application-clients",
    attack: "the application stalls for 15 s, then for 30 s, while 50 halloo clients send 200 messages/s each",
    promised: "no client is disconnected or listed twice; nothing is lost",
    run: Run::Own(clients),
};

pub(super) const QUEUE: Scenario = Scenario {
    name: "event-queue-bound",
    attack: "an application that takes nothing, with an event queue of 8 MiB, and 100 clients that send as fast as they can",
    promised: "memory at most 8 MiB + one message of 1 MiB + 1 MiB",
    run: Run::Own(queue),
};

const COUNT: usize = 50;
/// Time between two messages of a client.
const INTERVAL: Duration = Duration::from_millis(5);
/// Bytes of a message.
const SIZE: usize = 256;
/// Bytes of a message. None is larger than what is read at once, so that partial messages do not
/// matter.
const QUEUED_SIZE: usize = 16 * 1024;

/// What the application has seen.
#[derive(Debug, Default)]
struct Seen {
    joined: usize,
    left: usize,
    /// The number of the next message of each client.
    next: Vec<u64>,
    /// The first message that was not the next of its client.
    unexpected: Option<String>,
}

fn clients(context: &Context) -> Result<Finding> {
    let mut server = context.server(&["--json"])?;
    let (seen, stalled) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
    seen.lock().unwrap_or_else(PoisonError::into_inner).next = vec![0; COUNT];
    let (output, shared, stall) = (server.take_output()?, Arc::clone(&seen), Arc::clone(&stalled));
    std::thread::spawn(move || take(output, &shared, &stall));
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let senders: Vec<_> = (0..COUNT)
        .map(|number| {
            let client = Client::start(ClientConfig::new(format!("ws://127.0.0.1:{}", server.port)))?;
            ensure!(client.wait_connected(TIMEOUT), "a client cannot connect");
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            Ok(std::thread::spawn(move || send(&client, number, &stop, &sent)))
        })
        .collect::<Result<_>>()?;
    let received = |seen: &Seen| seen.next.iter().sum::<u64>();
    let stalls = if context.quick { &[2][..] } else { &[15, 30] };
    for &seconds in stalls {
        std::thread::sleep(Duration::from_secs(1));
        stalled.store(true, Ordering::SeqCst);
        std::thread::sleep(Duration::from_secs(seconds));
        stalled.store(false, Ordering::SeqCst);
        let until = sent.load(Ordering::SeqCst);
        let is_drained = || Ok(received(&seen.lock().unwrap_or_else(PoisonError::into_inner)) >= until);
        time_until(TIMEOUT, is_drained)?.context("the messages of the stall did not arrive")?;
    }
    stop.store(true, Ordering::SeqCst);
    let mut disconnected = 0;
    for sender in senders {
        disconnected += sender.join().map_err(|_| anyhow!("a client panicked"))??;
    }
    let sent = sent.load(Ordering::SeqCst);
    // The clients have closed, so that the server has read everything when it counts none.
    server.wait_for_clients(0, TIMEOUT)?;
    time_until(TIMEOUT, || Ok(seen.lock().unwrap_or_else(PoisonError::into_inner).left >= COUNT))?;
    server.check_alive()?;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let lost = sent.saturating_sub(received(&seen));
    if let Some(line) = &seen.unexpected {
        bail!("out of order: {line}");
    }
    let held = (disconnected, lost, seen.joined, seen.left) == (0, 0, COUNT, COUNT);
    let measured = format!(
        "{sent} messages, {lost} lost; {disconnected} disconnected; {COUNT} clients joined {} times",
        seen.joined
    );
    Ok(Finding { measured, held })
}

/// Sends until it is stopped, and returns how often the client was disconnected before.
fn send(client: &Client, number: usize, stop: &AtomicBool, sent: &AtomicU64) -> Result<usize> {
    let (mut disconnected, mut next, start) = (0, 0_u32, Instant::now());
    let mut is_disconnection = |event: Option<ClientEvent>| {
        disconnected +=
            usize::from(matches!(event, Some(ClientEvent::Disconnected { .. } | ClientEvent::GaveUp { .. })));
    };
    while !stop.load(Ordering::SeqCst) {
        let text = format!("stall {number} {next} ");
        match client.send(format!("{text:.<SIZE$}"))? {
            Delivery::Queued => {}
            other => bail!("a message of a client was not queued: {other:?}"),
        }
        (next, _) = (next + 1, sent.fetch_add(1, Ordering::SeqCst));
        is_disconnection(client.try_event());
        std::thread::sleep((INTERVAL * next).saturating_sub(start.elapsed()));
    }
    while let Some(event) = client.try_event() {
        is_disconnection(Some(event));
    }
    client.close(1000, "");
    while client.wait_event(TIMEOUT).is_some() {}
    Ok(disconnected)
}

/// Takes the events of the server, except during a stall.
fn take(output: ChildStdout, seen: &Mutex<Seen>, stalled: &AtomicBool) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        while stalled.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event["event"].as_str() {
            Some("client_joined") => seen.joined += 1,
            Some("client_left") => seen.left += 1,
            Some("message") => {
                let mut words = event["text"].as_str().unwrap_or_default().split(' ').skip(1).map(str::parse::<u64>);
                let (Some(Ok(client)), Some(Ok(number))) = (words.next(), words.next()) else { continue };
                match seen.next.get_mut(client as usize).filter(|next| **next == number) {
                    Some(next) => *next += 1,
                    None => drop(seen.unexpected.get_or_insert(line)),
                }
            }
            _ => {}
        }
    }
}

fn queue(context: &Context) -> Result<Finding> {
    let (limit, message) = (8 << 20, 1 << 20);
    let mut server: Server = context.server(&["--event-queue-max-bytes", &limit.to_string()])?;
    // Taken and not read: the application stalls once the pipe is full.
    let _output = server.take_output()?;
    // Enough that their shares are more than the queue.
    let mut peers = (0..100).map(|_| Peer::join(server.port)).collect::<Result<Vec<_>>>()?;
    std::thread::sleep(Duration::from_millis(500));
    let before = server.usage()?.memory_kib;
    let watch = MemoryWatch::start(server.pid());
    let bytes = frame(FIN | TEXT, &[b'x'; QUEUED_SIZE]);
    peers.iter_mut().try_for_each(|peer| peer.stream.set_nonblocking(true))?;
    let (start, mut written) = (Instant::now(), 0_usize);
    let mut positions = vec![0; peers.len()];
    while start.elapsed() < Duration::from_secs(context.size(10, 2) as u64) {
        for (peer, position) in peers.iter_mut().zip(&mut positions) {
            // Fails while the server does not read.
            let count = std::io::Write::write(&mut peer.stream, &bytes[*position..]).unwrap_or(0);
            *position = (*position + count) % bytes.len();
            written += count;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let growth = watch.stop().saturating_sub(before);
    server.check_alive()?;
    let held = growth <= (limit + message + (1 << 20)) / 1024;
    Ok(Finding {
        measured: format!("{} KiB accepted from 100 clients, most of it by the system; +{growth} KiB", written / 1024),
        held,
    })
}
