//! A client of the soak, which mixes valid traffic with violations of the protocol.

use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::peer::{BINARY, CLOSE, FIN, PING, PONG, Peer, TEXT, frame};
use crate::random::Random;

/// A thread that acts as a client until the program ends.
pub(super) struct SoakClient {
    address: Arc<Mutex<Option<SocketAddr>>>,
}

/// What all clients did.
#[derive(Debug, Default)]
pub(super) struct Counters {
    joined: AtomicU64,
    messages: AtomicU64,
    faults: AtomicU64,
    refused: AtomicU64,
}

impl Counters {
    pub(super) fn summary(&self) -> String {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        format!(
            "{} joined, {} messages, {} faults, {} refused",
            get(&self.joined),
            get(&self.messages),
            get(&self.faults),
            get(&self.refused)
        )
    }
}

impl SoakClient {
    pub(super) fn start(port: u16, random: Random, calm: &Arc<AtomicBool>, counters: &Arc<Counters>) -> SoakClient {
        let address: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        let mut behaviour = Behaviour {
            port,
            random,
            calm: Arc::clone(calm),
            counters: Arc::clone(counters),
            address: Arc::clone(&address),
            peer: None,
        };
        std::thread::spawn(move || {
            loop {
                behaviour.step();
            }
        });
        SoakClient { address }
    }

    /// Returns the local address of the connection; `None` while there is none.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Behaviour {
    port: u16,
    random: Random,
    calm: Arc<AtomicBool>,
    counters: Arc<Counters>,
    address: Arc<Mutex<Option<SocketAddr>>>,
    peer: Option<Peer>,
}

impl Behaviour {
    fn step(&mut self) {
        let Some(mut peer) = self.peer.take() else {
            return if self.calm.load(Ordering::SeqCst) { pause(50) } else { self.join() };
        };
        let stays = if self.calm.load(Ordering::SeqCst) {
            peer.answer_pings(Duration::from_millis(200))
        } else {
            self.act(&mut peer)
        };
        if stays {
            self.peer = Some(peer);
        } else {
            self.set_address(None);
        }
    }

    fn set_address(&self, address: Option<SocketAddr>) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    fn join(&mut self) {
        pause(self.random.below(2000));
        match Peer::join(self.port) {
            Ok(peer) => {
                self.counters.joined.fetch_add(1, Ordering::Relaxed);
                self.set_address(peer.stream.local_addr().ok());
                self.peer = Some(peer);
            }
            Err(_) => _ = self.counters.refused.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Does one random thing. Returns whether the client is still connected.
    fn act(&mut self, peer: &mut Peer) -> bool {
        let what = self.random.below(100);
        if what < 80 {
            return self.behave(peer, what);
        }
        self.counters.faults.fetch_add(1, Ordering::Relaxed);
        match what {
            // Reads nothing for a while, which the server tolerates.
            80..84 => {
                pause(self.random.below(4000));
                return peer.answer_pings(Duration::from_millis(10));
            }
            84..87 => drop(peer.write(&self.random.bytes(200))),
            87..89 => drop(peer.write(&frame(FIN | TEXT, &[0xff, 0xfe]))),
            89..91 => drop(peer.write(&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4])),
            91..93 => drop((0..1000).try_for_each(|_| peer.send(PING, b"flood"))),
            93..95 => drop((0..2000).try_for_each(|_| peer.write(&frame(0, b"")))),
            95..97 => {
                let _ = peer.stream.shutdown(Shutdown::Write);
                pause(self.random.below(500));
            }
            // Dropping the connection resets it.
            _ => return false,
        }
        // Mostly waits for the close frame before it leaves.
        while peer.answer_pings(Duration::from_millis(100)) {
            if self.calm.load(Ordering::SeqCst) || self.random.below(10) == 0 {
                return false;
            }
        }
        false
    }

    fn behave(&mut self, peer: &mut Peer, what: u64) -> bool {
        let sent = match what {
            0..40 => {
                let payload = vec![b'm'; self.random.below(400) as usize];
                self.counters.messages.fetch_add(1, Ordering::Relaxed);
                peer.send(TEXT, &payload)
            }
            40..45 => {
                let burst = frame(FIN | BINARY, &[7; 32]).repeat(500);
                self.counters.messages.fetch_add(500, Ordering::Relaxed);
                peer.write(&burst)
            }
            45..48 => {
                let payload = vec![b'b'; self.random.below(900_000) as usize];
                self.counters.messages.fetch_add(1, Ordering::Relaxed);
                peer.send(TEXT, &payload)
            }
            48..52 => self.fragments(peer),
            52..54 => {
                let _ = peer.send(CLOSE, &[0x03, 0xe8]);
                while peer.answer_pings(Duration::from_millis(100)) {}
                return false;
            }
            54..60 => peer.send(PONG, b"unsolicited"),
            _ => Ok(()),
        };
        sent.is_ok() && peer.answer_pings(Duration::from_millis(self.random.below(200)))
    }

    fn fragments(&mut self, peer: &mut Peer) -> std::io::Result<()> {
        let mut whole = frame(TEXT, b"begin");
        for _ in 0..self.random.below(50) {
            whole.extend(frame(0, b"middle"));
        }
        whole.extend(frame(FIN, b"end"));
        self.counters.messages.fetch_add(1, Ordering::Relaxed);
        let cut = self.random.below(whole.len() as u64) as usize;
        peer.write(&whole[..cut])?;
        pause(self.random.below(50));
        peer.write(&whole[cut..])
    }
}

fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}
