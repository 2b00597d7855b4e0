//! The pages of the server: a few in each turn, in the order in which they were asked for, so that a flood of requests
//! does not hold up the clients.

use halloo_proto::defaults::TURN_PAGES;
use halloo_proto::http::respond;

use super::Reactor;
use super::connection::{PageRequest, Phase};
use super::reading::TEXT;
use crate::http::{self, Route};

impl Reactor {
    /// A request was read whose answer is a page.
    pub(super) fn await_page(&mut self, slot: usize, request: PageRequest) {
        if let Phase::Handshake(handshake) = &mut self.connections.table[slot].phase {
            handshake.page = Some(request);
            self.pages.push_back(slot);
        }
    }

    /// Makes and sends those whose turn it is.
    pub(super) fn make_pages(&mut self) {
        let mut made = 0;
        while made < TURN_PAGES
            && let Some(slot) = self.pages.pop_front()
        {
            // Whoever asked may be gone, and another in his place. That costs nothing, and is passed over.
            let phase = self.connections.table.get_mut(slot).map(|connection| &mut connection.phase);
            let Some(Phase::Handshake(handshake)) = phase else { continue };
            let Some(PageRequest { path, head_only, origin }) = handshake.page.take() else { continue };
            let response = self.page(&path, head_only, origin.as_deref());
            self.last_words(slot, &response);
            self.look_for_the_end(slot);
            made += 1;
        }
    }

    fn page(&mut self, path: &str, head_only: bool, origin: Option<&str>) -> Vec<u8> {
        let json = "application/json; charset=utf-8";
        let readable = [("Access-Control-Allow-Origin", origin.unwrap_or("*")), ("Vary", "Origin")];
        // Only an origin that passed the rules may read the answer.
        let cors = if origin.is_some() { &readable[..] } else { &[] };
        match http::route(path) {
            Route::Console => respond(200, "text/html; charset=utf-8", http::PAGE_HEADERS, http::PAGE, head_only),
            Route::Status => {
                let body = serde_json::to_vec_pretty(&self.status()).unwrap_or_default();
                respond(200, json, cors, &body, head_only)
            }
            Route::Discovery => {
                let reply = self.announcing.reply(self.connections.shared.clients());
                respond(200, json, cors, &serde_json::to_vec(&reply).unwrap_or_default(), head_only)
            }
            Route::NotFound => {
                let body = b"nothing here; try /, /status or /discovery.json, or connect with ws://\n";
                respond(404, TEXT, &[], body, head_only)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpStream};
    use std::sync::Arc;

    use super::*;
    use crate::Config;
    use crate::event_queue::EventQueue;
    use crate::reactor::Sink;

    #[test]
    fn a_turn_makes_a_few_in_the_order_in_which_they_were_asked_for() {
        let sink = Sink::Queue(Arc::new(EventQueue::new(crate::EventQueueLimits { max_events: 10, max_bytes: 10 })));
        let (mut reactor, _, shared) = Reactor::bind(Config::local(), sink, 1).unwrap();
        let ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", shared.port)).unwrap();
            stream.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            // Some say at once that this was all; they are answered none the less.
            stream.shutdown(Shutdown::Write).unwrap();
            stream
        };
        let mut asked: Vec<TcpStream> = (0..3 * TURN_PAGES).map(|_| ask()).collect();
        reactor.accept();
        let slots: Vec<usize> = reactor.connections.table.iter().map(|(slot, _)| slot).collect();
        assert_eq!(slots.len(), asked.len());
        slots.iter().for_each(|&slot| reactor.handle_readable(slot));
        // One who is gone, and whose place nobody has taken.
        reactor.connections.remove(slots[1], crate::LeaveReason::TimedOut);
        for left in [2 * TURN_PAGES - 1, TURN_PAGES - 1, 0] {
            // Their end is looked at only after the answer.
            slots.iter().for_each(|&slot| reactor.handle_readable(slot));
            reactor.make_pages();
            let waiting = reactor.connections.table.iter().filter(|(_, connection)| connection.waits_for_page());
            assert_eq!(waiting.count(), left);
        }
        drop(reactor);
        asked.remove(1);
        for mut stream in asked {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}
