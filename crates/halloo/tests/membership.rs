//! The server counts exactly the clients that are connected, in whatever order they join, leave, are disconnected or
//! vanish.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use halloo::{ClientId, Config, Event, Server};
use halloo_proto::close::CloseCode;
use halloo_proto::frame::{Opcode, encode, encode_close};
use halloo_test_support::{
    ExpectEvent, TEST_TIMEOUT, UPGRADE_REQUEST, connect_tcp, loopback, masked_frame, read_status,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// So few that most scripts reach it.
const MAX_CLIENTS: usize = 4;
/// More than the system buffers for a socket that is not read.
const FLOOD_SIZE: usize = 8 * 1024 * 1024;

/// One step of a script. An index selects one of the clients.
#[derive(Clone, Debug)]
enum Step {
    Join,
    /// Connects without a handshake and sends this: nothing, half a request, garbage, or a plain request.
    ConnectWithout(&'static str),
    Send(Index),
    /// Sends a close frame, and then waits (`true`) or hangs up.
    Close(Index, bool),
    HangUp(Index),
    HalfClose(Index),
    Reset(Index),
    Violate(Index),
    Disconnect(Index),
    /// The server sends more than the client reads.
    Flood(Index),
    SendToAll,
}

fn step() -> impl Strategy<Value = Step> {
    let client = || any::<Index>();
    let start =
        select(vec!["", "GET / HT", "\0\u{1}garbage\r\n\r\n", "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"]);
    prop_oneof![
        16 => Just(Step::Join),
        4 => start.prop_map(Step::ConnectWithout),
        4 => client().prop_map(Step::Send),
        4 => (client(), any::<bool>()).prop_map(|(index, waits)| Step::Close(index, waits)),
        3 => client().prop_map(Step::HangUp),
        3 => client().prop_map(Step::HalfClose),
        3 => client().prop_map(Step::Reset),
        3 => client().prop_map(Step::Violate),
        3 => client().prop_map(Step::Disconnect),
        1 => client().prop_map(Step::Flood),
        2 => Just(Step::SendToAll),
    ]
}

/// A server, and the sockets that are connected to it.
struct World {
    server: Server,
    clients: Vec<TcpStream>,
    /// Open sockets that never were clients or are none any more.
    others: Vec<TcpStream>,
}

impl World {
    fn new(heartbeat: Duration) -> World {
        let mut config = Config::local();
        config.max_clients = Some(MAX_CLIENTS);
        config.heartbeat = heartbeat;
        config.outbox.max_bytes = 64 * 1024;
        World { server: Server::start(config).unwrap(), clients: Vec::new(), others: Vec::new() }
    }

    fn connect(&self, start: &str) -> TcpStream {
        let mut stream = connect_tcp(loopback(&self.server));
        stream.write_all(start.as_bytes()).unwrap();
        stream
    }

    fn join(&mut self) {
        let mut stream = self.connect(UPGRADE_REQUEST);
        match read_status(&mut stream).unwrap() {
            101 => self.clients.push(stream),
            503 => self.others.push(stream),
            other => panic!("{other}"),
        }
    }

    fn take(&mut self, index: Index) -> Option<TcpStream> {
        (!self.clients.is_empty()).then(|| self.clients.swap_remove(index.index(self.clients.len())))
    }

    fn id(&self, stream: &TcpStream) -> Option<ClientId> {
        let (status, addr) = (self.server.status(), stream.local_addr().unwrap());
        status.extras.clients.iter().find(|client| client.addr == addr).map(|client| client.client)
    }

    fn run(&mut self, step: &Step) {
        let mut bytes = Vec::new();
        match *step {
            Step::Join => self.join(),
            Step::ConnectWithout(start) => {
                let stream = self.connect(start);
                self.others.push(stream);
            }
            Step::SendToAll => assert!(self.server.send_to_all("to all").is_ok()),
            Step::Send(index) => {
                let frames = [masked_frame(Opcode::Text, b"hello"), masked_frame(Opcode::Ping, b"")].concat();
                if !self.clients.is_empty() {
                    let index = index.index(self.clients.len());
                    // Fails if the heartbeat has ended the connection.
                    let _ = self.clients[index].write_all(&frames);
                }
            }
            Step::Close(index, waits) => {
                let Some(mut stream) = self.take(index) else { return };
                encode_close(&mut bytes, CloseCode::Normal, "bye", Some([1, 2, 3, 4]));
                let _ = stream.write_all(&bytes);
                if waits {
                    self.others.push(stream);
                }
            }
            Step::HangUp(index) => drop(self.take(index)),
            Step::HalfClose(index) => {
                let Some(stream) = self.take(index) else { return };
                let _ = stream.shutdown(Shutdown::Write);
                self.others.push(stream);
            }
            Step::Reset(index) => {
                let Some(stream) = self.take(index) else { return };
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
            Step::Violate(index) => {
                let Some(mut stream) = self.take(index) else { return };
                encode(&mut bytes, Opcode::Text, b"not masked", None);
                let _ = stream.write_all(&bytes);
                self.others.push(stream);
            }
            Step::Disconnect(index) => {
                let Some(stream) = self.take(index) else { return };
                if let Some(client) = self.id(&stream) {
                    self.server.disconnect(client, 4000, "out").unwrap();
                }
                self.others.push(stream);
            }
            Step::Flood(index) => {
                let Some(stream) = self.take(index) else { return };
                for _ in 0..3 {
                    if let Some(client) = self.id(&stream) {
                        self.server.send(client, vec![0; FLOOD_SIZE]).unwrap();
                    }
                }
                self.others.push(stream);
            }
        }
    }

    /// Waits until the server counts `expected` clients, and checks that they are the right ones.
    fn check_clients(&self, expected: usize) -> Result<(), TestCaseError> {
        let start = Instant::now();
        while self.server.status().connected_clients != expected {
            let counted = self.server.status().connected_clients;
            prop_assert!(start.elapsed() < TEST_TIMEOUT, "{counted} counted, {expected} connected");
            std::thread::yield_now();
        }
        let status = self.server.status();
        prop_assert_eq!(status.connected_clients, expected);
        let counted: BTreeSet<_> = status.extras.clients.iter().map(|client| client.addr).collect();
        let connected = self.clients.iter().map(|stream| stream.local_addr().unwrap());
        prop_assert_eq!(counted, connected.take(expected).collect::<BTreeSet<_>>());
        Ok(())
    }

    /// Stops the server and checks all events since its start.
    fn check_events(self) -> Result<(), TestCaseError> {
        self.server.stop();
        drop((self.clients, self.others));
        let (mut present, mut last) = (BTreeSet::new(), 0);
        for event in self.server.remaining_events() {
            match event {
                Event::ClientJoined { client, clients, .. } => {
                    prop_assert!(client.0 > last, "{client} joined after {last}");
                    last = client.0;
                    present.insert(client);
                    prop_assert_eq!(clients, present.len());
                }
                Event::ClientLeft { client, clients, .. } => {
                    prop_assert!(present.remove(&client), "{client} left twice or never joined");
                    prop_assert_eq!(clients, present.len());
                }
                Event::MessageReceived { client, .. } | Event::MessagesDropped { client, .. } => {
                    prop_assert!(present.contains(&client), "{client} is not connected");
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
    // A failure may need the whole timeout each time, so that the search for its smallest script is cut short.
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_time: 60_000, ..ProptestConfig::default() })]

    #[test]
    fn connected_clients_are_counted(script in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new(Duration::ZERO);
        script.iter().for_each(|step| world.run(step));
        world.check_clients(world.clients.len())?;
        world.check_events()?;
    }

    /// No client here answers pings, so that all are disconnected in the end, whatever else happens before.
    #[test]
    fn silent_clients_are_not_counted_in_the_end(script in prop::collection::vec(step(), 1..20)) {
        let mut world = World::new(Duration::from_millis(10));
        script.iter().for_each(|step| world.run(step));
        world.check_clients(0)?;
        world.check_events()?;
    }
}
