//! Who is counted is who is connected, in whatever order clients come, go, are thrown out or vanish.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use halloo::{ClientId, Config, Event, Server};
use halloo_proto::close::CloseCode;
use halloo_proto::frame::{Opcode, encode, encode_close};
use proptest::prelude::*;

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// So few that the scripts reach it.
const MAX_CLIENTS: usize = 4;
/// More than the system keeps for a socket that nobody reads.
const FLOOD: usize = 8 * 1024 * 1024;
const KEY: Option<[u8; 4]> = Some([1, 2, 3, 4]);

/// What happens to one of the sockets, chosen by its index.
#[derive(Clone, Debug)]
enum Step {
    Join,
    /// A connection that is no client: silent, with half a request, with garbage, with a plain request.
    Knock(&'static str),
    Speak(prop::sample::Index),
    /// Says goodbye and waits, or says it and is gone.
    Close(prop::sample::Index, bool),
    HangUp(prop::sample::Index),
    HalfClose(prop::sample::Index),
    Reset(prop::sample::Index),
    Violate(prop::sample::Index),
    Kick(prop::sample::Index),
    /// The server sends more than the client takes.
    Flood(prop::sample::Index),
    SendToAll,
}

fn step() -> impl Strategy<Value = Step> {
    let which = || any::<prop::sample::Index>();
    let knock = prop::sample::select(vec![
        "",
        "GET / HT",
        "\0\u{1}garbage\r\n\r\n",
        "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ]);
    prop_oneof![
        16 => Just(Step::Join),
        4 => knock.prop_map(Step::Knock),
        4 => which().prop_map(Step::Speak),
        4 => (which(), any::<bool>()).prop_map(|(index, stays)| Step::Close(index, stays)),
        3 => which().prop_map(Step::HangUp),
        3 => which().prop_map(Step::HalfClose),
        3 => which().prop_map(Step::Reset),
        3 => which().prop_map(Step::Violate),
        3 => which().prop_map(Step::Kick),
        1 => which().prop_map(Step::Flood),
        2 => Just(Step::SendToAll),
    ]
}

/// The server, and the sockets on the other side of it.
struct Stage {
    server: Server,
    open: Vec<TcpStream>,
    /// Sockets that are no clients, or none any more, and were not closed either.
    lingering: Vec<TcpStream>,
}

impl Stage {
    fn new(heartbeat: Duration) -> Stage {
        let mut config = Config::local();
        config.max_clients = Some(MAX_CLIENTS);
        config.heartbeat = heartbeat;
        config.outbox.max_bytes = 64 * 1024;
        Stage { server: Server::start(config).unwrap(), open: Vec::new(), lingering: Vec::new() }
    }

    fn connect(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.server.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    fn join(&mut self) {
        let mut stream = self.connect(
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        match &status {
            b"HTTP/1.1 101" => self.open.push(stream),
            b"HTTP/1.1 503" => self.lingering.push(stream),
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
    }

    fn take(&mut self, index: prop::sample::Index) -> Option<TcpStream> {
        (!self.open.is_empty()).then(|| self.open.swap_remove(index.index(self.open.len())))
    }

    fn id(&self, stream: &TcpStream) -> Option<ClientId> {
        let (status, addr) = (self.server.status(), stream.local_addr().unwrap());
        status.extras.clients.iter().find(|client| client.addr == addr).map(|client| client.client)
    }

    fn play(&mut self, step: &Step) {
        let mut bytes = Vec::new();
        match *step {
            Step::Join => self.join(),
            Step::Knock(head) => {
                let stream = self.connect(head);
                self.lingering.push(stream);
            }
            Step::SendToAll => assert!(self.server.send_to_all("to all").is_ok()),
            Step::Speak(index) => {
                encode(&mut bytes, Opcode::Text, b"hello", KEY);
                encode(&mut bytes, Opcode::Ping, b"", KEY);
                if !self.open.is_empty() {
                    let index = index.index(self.open.len());
                    // With a heartbeat it may have been thrown out meanwhile.
                    let _ = self.open[index].write_all(&bytes);
                }
            }
            Step::Close(index, stays) => {
                let Some(mut stream) = self.take(index) else { return };
                encode_close(&mut bytes, CloseCode::Normal, "bye", KEY);
                let _ = stream.write_all(&bytes);
                if stays {
                    self.lingering.push(stream);
                }
            }
            Step::HangUp(index) => drop(self.take(index)),
            Step::HalfClose(index) => {
                let Some(stream) = self.take(index) else { return };
                let _ = stream.shutdown(Shutdown::Write);
                self.lingering.push(stream);
            }
            Step::Reset(index) => {
                let Some(stream) = self.take(index) else { return };
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
            Step::Violate(index) => {
                let Some(mut stream) = self.take(index) else { return };
                encode(&mut bytes, Opcode::Text, b"not masked", None);
                let _ = stream.write_all(&bytes);
                self.lingering.push(stream);
            }
            Step::Kick(index) => {
                let Some(stream) = self.take(index) else { return };
                if let Some(client) = self.id(&stream) {
                    self.server.disconnect(client, 4000, "out").unwrap();
                }
                self.lingering.push(stream);
            }
            Step::Flood(index) => {
                let Some(stream) = self.take(index) else { return };
                for _ in 0..3 {
                    if let Some(client) = self.id(&stream) {
                        self.server.send(client, vec![0; FLOOD]).unwrap();
                    }
                }
                self.lingering.push(stream);
            }
        }
    }

    /// Waits until the server counts `expected` clients, which it must for good.
    fn settle(&self, expected: usize) -> Result<(), TestCaseError> {
        let begin = Instant::now();
        while self.server.status().connected_clients != expected {
            let counted = self.server.status().connected_clients;
            prop_assert!(begin.elapsed() < PATIENCE, "{counted} counted, {expected} connected");
            std::thread::yield_now();
        }
        let status = self.server.status();
        prop_assert_eq!(status.connected_clients, expected);
        let counted: BTreeSet<_> = status.extras.clients.iter().map(|client| client.addr).collect();
        let true_ones = self.open.iter().map(|stream| stream.local_addr().unwrap());
        prop_assert_eq!(counted, true_ones.take(expected).collect::<BTreeSet<_>>());
        Ok(())
    }

    /// Stops the server under those who are still there, and checks what the application was told from the start.
    fn check_events(self) -> Result<(), TestCaseError> {
        self.server.stop();
        drop((self.open, self.lingering));
        let (mut present, mut last) = (BTreeSet::new(), 0);
        for event in self.server.events() {
            match event {
                Event::ClientJoined { client, clients, .. } => {
                    prop_assert!(client.0 > last, "{client} joined after {last}");
                    last = client.0;
                    present.insert(client);
                    prop_assert_eq!(clients, present.len());
                }
                Event::ClientLeft { client, clients, .. } => {
                    prop_assert!(present.remove(&client), "{client} left twice or never came");
                    prop_assert_eq!(clients, present.len());
                }
                Event::MessageReceived { client, .. } | Event::MessagesDropped { client, .. } => {
                    prop_assert!(present.contains(&client), "{client} is not there");
                }
                Event::ServerFailed { message } => prop_assert!(false, "{message}"),
                _ => {}
            }
        }
        prop_assert!(present.is_empty(), "{present:?} never left");
        let status = self.server.status();
        prop_assert_eq!((status.connected_clients, status.extras.clients_total), (0, last));
        Ok(())
    }
}

proptest! {
    // A failure is waited for each time, so the search for its smallest script is cut short.
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_time: 60_000, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_counted_is_connected(script in prop::collection::vec(step(), 1..40)) {
        let mut stage = Stage::new(Duration::ZERO);
        script.iter().for_each(|step| stage.play(step));
        stage.settle(stage.open.len())?;
        stage.check_events()?;
    }

    /// Nobody here answers pings, so everybody is thrown out in the end, whatever else befell him before.
    #[test]
    fn whoever_is_silent_is_not_counted_for_long(script in prop::collection::vec(step(), 1..20)) {
        let mut stage = Stage::new(Duration::from_millis(10));
        script.iter().for_each(|step| stage.play(step));
        stage.settle(0)?;
        stage.check_events()?;
    }
}
