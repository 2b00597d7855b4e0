//! A bad road between client and server: late, slow, in crumbs, or leading nowhere.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;

/// What the road does to bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Road {
    Good,
    /// Each piece arrives so much later.
    Late(Duration),
    /// So many bytes at a time, each piece a packet of its own, with a pause behind it.
    Crumbs(usize, Duration),
}

/// Forwards every connection to its own port to that of a server.
pub(crate) struct Forwarder {
    pub(crate) port: u16,
    /// Connections that came before this one lead nowhere any more.
    blind: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Forwarder {
    pub(crate) fn start(server: u16, road: Road) -> Result<Forwarder> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let forwarder =
            Forwarder { port: listener.local_addr()?.port(), blind: Arc::default(), accepted: Arc::default() };
        let (blind, accepted) = (Arc::clone(&forwarder.blind), Arc::clone(&forwarder.accepted));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                    let blind = Arc::clone(&blind);
                    std::thread::spawn(move || carry(from, to, road, || number < blind.load(Ordering::SeqCst)));
                }
            }
        });
        Ok(forwarder)
    }

    /// From now on nothing gets through on the connections there are: no byte, no end, no reset.
    pub(crate) fn lose_all(&self) {
        self.blind.store(self.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, road: Road, is_blind: impl Fn() -> bool) {
    let _ = to.set_nodelay(true);
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        if is_blind() {
            // Both sockets stay open, so that neither side learns anything.
            std::thread::sleep(Duration::from_secs(600));
        }
        if count == 0 {
            break;
        }
        let (piece, pause) = match road {
            Road::Good => (count, Duration::ZERO),
            Road::Late(delay) => {
                std::thread::sleep(delay);
                (count, Duration::ZERO)
            }
            Road::Crumbs(size, pause) => (size, pause),
        };
        for crumb in buffer[..count].chunks(piece) {
            if to.write_all(crumb).is_err() {
                return;
            }
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
