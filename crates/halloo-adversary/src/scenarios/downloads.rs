//! Downloads of published files beside the messages of clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use socket2::SockRef;

use crate::baseline_load::BaselineLoad;
use crate::context::Context;
use crate::cores;
use crate::peer::Peer;
use crate::process::MemoryWatch;
use crate::random::Random;
use crate::scenario::{Finding, Run, Scenario};
use crate::site::{Content, LARGE, Response, Site, file_request};

pub(super) const DOWNLOADS: Scenario = Scenario {
    name: "download-beside-echo",
    attack: "with --www, 8 downloads of 100 MiB at full speed, 2 of random ranges and 64 slow readers, for 20 s",
    promised: "baseline load: nothing lost, p99 at most 20 ms; every download is complete; memory at most +8 MiB",
    run: Run::Own(downloads),
};

const FULL_SPEED: usize = 8;
const RANGES: usize = 2;
const SLOW: usize = 64;
/// How often a slow reader reads 4 KiB.
const SLOW_INTERVAL: Duration = Duration::from_millis(50);
const MAX_GROWTH_KIB: u64 = 8 * 1024;
const MIB: u64 = 1024 * 1024;

/// What the downloads share.
struct Downloads {
    port: u16,
    large: u64,
    content: Content,
    stop: AtomicBool,
    bytes: AtomicU64,
    /// Complete responses.
    complete: AtomicU64,
}

fn downloads(context: &Context) -> Result<Finding> {
    let site = Site::create(context.size(100, 20) as u64 * MIB)?;
    let mut server = context.server(&["--www", site.path()?])?;
    let load = BaselineLoad::start(&mut server)?;
    // Until all buffers have the size that the load needs.
    std::thread::sleep(Duration::from_secs(2));
    let (before, watch) = (server.usage()?.memory_kib, MemoryWatch::start(server.pid()));
    let shared = Arc::new(Downloads {
        port: server.port,
        large: site.large,
        content: Content::new(),
        stop: AtomicBool::new(false),
        bytes: AtomicU64::new(0),
        complete: AtomicU64::new(0),
    });
    let mut threads = Vec::new();
    let mut start = |download: fn(&Downloads, u64) -> Result<()>, seed: u64| {
        let shared = Arc::clone(&shared);
        threads.push(std::thread::spawn(move || {
            cores::lower_priority();
            let outcome = download(&shared, seed);
            // The others need not go on.
            shared.stop.fetch_or(outcome.is_err(), Ordering::SeqCst);
            outcome
        }));
    };
    (0..FULL_SPEED as u64).for_each(|number| start(Downloads::at_full_speed, number));
    (0..RANGES as u64).for_each(|number| start(Downloads::ranges, number));
    start(Downloads::slowly, 0);
    let seconds = context.seconds(20, 3);
    for _ in 0..10 * seconds {
        std::thread::sleep(Duration::from_millis(100));
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
    }
    shared.stop.store(true, Ordering::SeqCst);
    for thread in threads {
        thread.join().map_err(|_| anyhow!("a download panicked"))??;
    }
    let growth = watch.stop().saturating_sub(before);
    server.check_alive()?;
    let report = load.stop(&mut server)?;
    let (bytes, complete) = (shared.bytes.load(Ordering::SeqCst), shared.complete.load(Ordering::SeqCst));
    let measured = format!(
        "{} MB in {complete} complete responses at {} MB/s; {SLOW} slow readers stayed; +{growth} KiB; {}",
        bytes / 1_000_000,
        bytes / 1_000_000 / seconds,
        report.summary()
    );
    Ok(Finding { measured, held: report.held(context) && growth <= MAX_GROWTH_KIB && complete > 0 })
}

impl Downloads {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn request(&self, peer: &mut Peer, headers: &str) -> Result<Response> {
        peer.write(file_request("GET", LARGE, headers).as_bytes())?;
        let response = Response::read(peer)?;
        ensure!([200, 206].contains(&response.status), "a download was refused: {}", response.head);
        Ok(response)
    }

    /// Reads the response up to its end, or until the downloads stop.
    fn read(&self, peer: &mut Peer, mut response: Response) -> Result<()> {
        let mut buffer = vec![0; 256 * 1024];
        while response.left > 0 && !self.is_stopped() {
            let count = response.read_some(peer, &self.content, &mut buffer)?.context("no progress within 20 s")?;
            self.bytes.fetch_add(count, Ordering::SeqCst);
        }
        self.complete.fetch_add(u64::from(response.left == 0), Ordering::SeqCst);
        Ok(())
    }

    fn at_full_speed(&self, _: u64) -> Result<()> {
        let mut peer = Peer::open(self.port)?;
        while !self.is_stopped() {
            let response = self.request(&mut peer, "")?;
            ensure!(response.left == self.large, "a download of {} bytes", response.left);
            self.read(&mut peer, response)?;
        }
        Ok(())
    }

    fn ranges(&self, seed: u64) -> Result<()> {
        let (mut peer, mut random) = (Peer::open(self.port)?, Random::new(seed));
        while !self.is_stopped() {
            let first = random.below(self.large);
            let length = (1 + random.below(300_000)).min(self.large - first);
            let response = self.request(&mut peer, &format!("Range: bytes={first}-{}\r\n", first + length - 1))?;
            ensure!(response.left == length, "a range of {} bytes instead of {length}", response.left);
            let closes = response.head.contains("\r\nConnection: close\r\n");
            self.read(&mut peer, response)?;
            if closes {
                peer = Peer::open(self.port)?;
            }
        }
        Ok(())
    }

    /// Reads all responses so slowly that none is complete in time.
    fn slowly(&self, _: u64) -> Result<()> {
        let mut readers = Vec::new();
        for _ in 0..SLOW {
            let mut peer = Peer::open(self.port)?;
            SockRef::from(&peer.stream).set_recv_buffer_size(64 * 1024)?;
            let response = self.request(&mut peer, "")?;
            peer.stream.set_nonblocking(true)?;
            readers.push((peer, response));
        }
        let mut buffer = vec![0; 4096];
        while !self.is_stopped() {
            for (peer, response) in &mut readers {
                let count = response.read_some(peer, &self.content, &mut buffer).context("a slow reader")?;
                self.bytes.fetch_add(count.unwrap_or(0), Ordering::SeqCst);
            }
            std::thread::sleep(SLOW_INTERVAL);
        }
        Ok(())
    }
}
