//! A full disk, in a mount namespace.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::recovery::{MAX_RECOVERY, fault, in_namespace, recovered};
use crate::halloo_client::HallooClient;
use crate::namespaces::shell;
use crate::scenario::{Finding, Scenario};
use crate::server::Server;

pub(super) const FULL_DISK: Scenario = fault(
    "full-disk",
    "the disk that records the messages of ten clients is full, then has free space again",
    "10 of 10 stay; the loss is logged; messages are recorded again within 16 s, in complete lines",
    |context| in_namespace(context, "full-disk"),
);

/// What the system calls the fault in the log of the server (ENOSPC).
const NO_SPACE: &str = "No space left on device";
/// Size of the disk in KiB.
const DISK_KIB: usize = 64;
const CLIENTS: usize = 10;

pub(crate) fn full_disk(halloo: &Path, _: &str) -> Result<Finding> {
    let disk = std::env::temp_dir().join(format!("halloo-adversary-{}", std::process::id()));
    std::fs::create_dir(&disk)?;
    // The mount ends with this namespace; the directory does not.
    let outcome = shell(&format!("mount -t tmpfs -o size={DISK_KIB}k tmpfs {}", disk.display()))
        .and_then(|()| on_disk(halloo, &disk.join("record")));
    let _ = shell(&format!("umount {0} && rmdir {0}", disk.display()));
    outcome
}

fn on_disk(halloo: &Path, record: &Path) -> Result<Finding> {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" \"$@\" >>{}", record.display())]).arg(halloo);
    let mut server = Server::start_with(command, &[])?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(HallooClient::start(halloo, &[&format!("ws://127.0.0.1:{}", server.port)])?);
    }
    // Twice as much as fits on the disk.
    let line = ".".repeat(1000);
    let start = Instant::now();
    for _ in 0..2 * DISK_KIB / CLIENTS {
        clients.iter_mut().try_for_each(|client| client.send(&line))?;
    }
    while !server.log().contains(NO_SPACE) {
        ensure!(start.elapsed() < MAX_RECOVERY, "the server did not log the loss: {}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    // Frees the space; the server appends to the file.
    std::fs::File::options().write(true).truncate(true).open(record)?;
    let start = Instant::now();
    let again: Vec<String> = (0..CLIENTS).map(|number| format!("{number} again")).collect();
    loop {
        for (client, text) in clients.iter_mut().zip(&again) {
            client.send(text)?;
        }
        std::thread::sleep(Duration::from_millis(50));
        let recorded = std::fs::read_to_string(record).context("the record is not text")?;
        let complete = |text: &str| text.is_empty() || text == line || again.iter().any(|again| again == text);
        ensure!(recorded.lines().skip(1).all(complete), "a line is incomplete: {recorded}");
        if again.iter().all(|text| recorded.lines().any(|line| line == text)) {
            break;
        }
        ensure!(start.elapsed() < MAX_RECOVERY, "the server did not record again: {}", server.log());
    }
    let (recovery, joined) = (start.elapsed(), server.status()?["halloo"]["clients_total"].as_u64());
    server.check_alive()?;
    ensure!(joined == Some(CLIENTS as u64), "{joined:?} clients joined in total");
    Ok(recovered(CLIENTS, recovery, ""))
}
