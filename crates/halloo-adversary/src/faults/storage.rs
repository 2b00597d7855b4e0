//! A disk that is full, in a namespace.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{RECOVERY, fault, inside, survived};
use crate::context::{Finding, Row};
use crate::lab::shell;
use crate::native::Native;
use crate::server::Server;

pub(super) const FULL: Row = fault(
    "full-disk",
    "the disk is full on which is recorded what ten clients say; then there is room again",
    "10 of 10 stay; what is lost is told; recorded again within 16 s, in whole lines",
    |stage| inside(stage, "full-disk"),
);

/// Kilobytes of the disk.
const ROOM: usize = 64;
const CLIENTS: usize = 10;

pub(crate) fn full_disk(halloo: &Path, _: &str) -> Result<Finding> {
    let disk = std::env::temp_dir().join(format!("halloo-adversary-{}", std::process::id()));
    std::fs::create_dir(&disk)?;
    // Only this namespace sees it, so it is gone with it; the directory is not.
    let outcome = shell(&format!("mount -t tmpfs -o size={ROOM}k tmpfs {}", disk.display()))
        .and_then(|()| on_disk(halloo, &disk.join("record")));
    let _ = shell(&format!("umount {0} && rmdir {0}", disk.display()));
    outcome
}

fn on_disk(halloo: &Path, record: &Path) -> Result<Finding> {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" \"$@\" >>{}", record.display())]).arg(halloo);
    let mut server = Server::start_by(command, &[])?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Native::start(halloo, &[&format!("ws://127.0.0.1:{}", server.port)])?);
    }
    // Twice as much as there is room for.
    let line = ".".repeat(1000);
    let begin = Instant::now();
    for _ in 0..2 * ROOM / CLIENTS {
        clients.iter_mut().try_for_each(|client| client.send(&line))?;
    }
    while !server.log().contains("is lost until there is room again") {
        ensure!(begin.elapsed() < RECOVERY, "nobody was told: {}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    // The system gives the room back; the server appends.
    std::fs::File::options().write(true).truncate(true).open(record)?;
    let begin = Instant::now();
    let again: Vec<String> = (0..CLIENTS).map(|number| format!("{number} again")).collect();
    loop {
        for (client, text) in clients.iter_mut().zip(&again) {
            client.send(text)?;
        }
        std::thread::sleep(Duration::from_millis(50));
        let recorded = std::fs::read_to_string(record).context("what is recorded is not text")?;
        let whole = |text: &str| text.is_empty() || text == line || again.iter().any(|again| again == text);
        ensure!(recorded.lines().skip(1).all(whole), "a line is torn: {recorded}");
        if again.iter().all(|text| recorded.lines().any(|line| line == text)) {
            break;
        }
        ensure!(begin.elapsed() < RECOVERY, "nothing is recorded again: {}", server.log());
    }
    let (back, joined) = (begin.elapsed(), server.status()?["halloo"]["clients_total"].as_u64());
    server.check_alive()?;
    ensure!(joined == Some(CLIENTS as u64), "{joined:?} joined in all");
    Ok(survived(CLIENTS, back, ""))
}
