//! A TCP proxy that simulates a bad link between client and server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;

/// What the link does to the bytes, in both directions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Link {
    Good,
    /// Each read is delivered after this delay.
    Delayed(Duration),
    /// Delivers at most this many bytes at a time, each piece in a packet of its own and followed by a pause.
    Chunked(usize, Duration),
}

/// Forwards every connection to its own port to the port of a server.
pub(crate) struct Forwarder {
    pub(crate) port: u16,
    /// Connections with a lower number than this have become black holes.
    black_holes: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Forwarder {
    pub(crate) fn start(server: u16, link: Link) -> Result<Forwarder> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let forwarder =
            Forwarder { port: listener.local_addr()?.port(), black_holes: Arc::default(), accepted: Arc::default() };
        let (black_holes, accepted) = (Arc::clone(&forwarder.black_holes), Arc::clone(&forwarder.accepted));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                    let black_holes = Arc::clone(&black_holes);
                    std::thread::spawn(move || forward(from, to, link, || number < black_holes.load(Ordering::SeqCst)));
                }
            }
        });
        Ok(forwarder)
    }

    /// Turns the existing connections into black holes: no data, no FIN and no RST passes any more.
    pub(crate) fn drop_everything(&self) {
        self.black_holes.store(self.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, link: Link, is_black_hole: impl Fn() -> bool) {
    let _ = to.set_nodelay(true);
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        if is_black_hole() {
            // Both sockets stay open, so that neither side notices anything.
            std::thread::sleep(Duration::from_secs(600));
        }
        if count == 0 {
            break;
        }
        let (size, pause) = match link {
            Link::Good => (count, Duration::ZERO),
            Link::Delayed(delay) => {
                std::thread::sleep(delay);
                (count, Duration::ZERO)
            }
            Link::Chunked(size, pause) => (size, pause),
        };
        for piece in buffer[..count].chunks(size) {
            if to.write_all(piece).is_err() {
                return;
            }
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
