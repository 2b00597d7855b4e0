//! A server with TLS, and the latency of a well-behaved client beside an attack on it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::ChildStdout;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use halloo::{Client, ClientConfig, Identity};

use crate::context::Context;
use crate::latency::p99;
use crate::peer::TIMEOUT;
use crate::server::Server;

/// Time between two messages of the client.
const INTERVAL: Duration = Duration::from_millis(5);
/// The first word of its messages.
const WORD: &str = "tls-probe";

/// A server with a certificate of its own.
pub(crate) struct TlsServer {
    pub(crate) server: Server,
    config: ClientConfig,
    directory: PathBuf,
}

impl TlsServer {
    pub(crate) fn start(context: &Context) -> Result<TlsServer> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("halloo-adversary-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory)?;
        let fingerprint = Identity::self_signed_in(&directory)?.fingerprint();
        let pem = directory.join("halloo.pem").display().to_string();
        let server = context.server(&["--cert", &pem, "--key", &pem])?;
        let mut config = ClientConfig::new(format!("wss://127.0.0.1:{}", server.port));
        config.fingerprint = fingerprint;
        Ok(TlsServer { server, config, directory })
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A client that sends a message every few milliseconds. Each must appear on the server's standard output.
pub(crate) struct TlsProbe {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<Result<u64>>,
    receiver: JoinHandle<Result<Vec<u32>>>,
}

impl TlsProbe {
    pub(crate) fn start(target: &mut TlsServer) -> Result<TlsProbe> {
        let (stop, epoch) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let (output, config) = (target.server.take_output()?, target.config.clone());
        let receiver = std::thread::spawn(move || receive(output, epoch));
        let client = Client::start(config)?;
        ensure!(client.wait_connected(TIMEOUT), "a well-behaved client cannot connect");
        let stopped = Arc::clone(&stop);
        let sender = std::thread::spawn(move || {
            let mut sent = 0;
            while !stopped.load(Ordering::SeqCst) {
                client.send(format!("{WORD} {}", epoch.elapsed().as_micros()))?;
                sent += 1;
                std::thread::sleep(INTERVAL);
            }
            client.close(1000, "");
            while client.wait_event(TIMEOUT).is_some() {}
            Ok(sent)
        });
        Ok(TlsProbe { stop, sender, receiver })
    }

    /// Stops the client and the server. Returns the 99th percentile of the latency, and the number of lost messages.
    pub(crate) fn stop(self, target: &mut TlsServer) -> Result<(Duration, u64)> {
        self.stop.store(true, Ordering::SeqCst);
        let sent = self.sender.join().map_err(|_| anyhow!("the probe client panicked"))??;
        target.server.check_alive()?;
        target.server.interrupt()?;
        let latencies = self.receiver.join().map_err(|_| anyhow!("the receiver panicked"))??;
        let lost = sent.saturating_sub(latencies.len() as u64);
        Ok((p99(latencies), lost))
    }
}

fn receive(output: ChildStdout, epoch: Instant) -> Result<Vec<u32>> {
    let mut latencies = Vec::new();
    for line in BufReader::new(output).lines() {
        if let Some(sent) = line?.strip_prefix(WORD).and_then(|sent| sent.trim().parse::<u64>().ok()) {
            latencies.push(u32::try_from((epoch.elapsed().as_micros() as u64).saturating_sub(sent))?);
        }
    }
    Ok(latencies)
}
