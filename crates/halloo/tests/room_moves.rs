//! A client that the server moves between rooms while it sends: its messages go to the room that it is in when they arrive.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::thread::{self, JoinHandle};
use std::time::Duration;

use halloo::{ClientId, Config, Event, OutboxLimits, Server, SlowClient};
use halloo_test_support::{Peer, connect_tcp, loopback, wait_until};

const ROOMS: [&str; 2] = ["red", "blue"];
/// The client that is moved. The ids count in the order of the handshakes.
const SENDER: ClientId = ClientId(5);

fn config() -> Config {
    let mut config = Config::local().relay(true);
    // No test is about clients that read slowly, or not at all.
    config.heartbeat = Duration::ZERO;
    config.outbox = OutboxLimits { max_messages: 1 << 20, max_bytes: 64 << 20, when_full: SlowClient::Disconnect };
    config
}

fn connect(server: &Server, room: &str) -> Peer {
    tungstenite::client(format!("{}/room/{room}", server.url()), connect_tcp(loopback(server))).unwrap().0
}

/// What the listeners have received until they were told to end.
struct Received {
    /// The messages to the members of [`ROOMS`].
    rooms: [Vec<String>; 2],
    /// Those to a member of both.
    both: Vec<String>,
    /// Those to a member of neither.
    other: Vec<String>,
}

/// Clients that listen, and the sender in the first of the rooms.
struct Clients {
    /// In one of the rooms, in both, in neither.
    listeners: [JoinHandle<Vec<String>>; 4],
    sender: Peer,
}

impl Clients {
    fn connect(server: &Server) -> Clients {
        let listeners = ["red", "blue", "red", "other"].map(|room| {
            let mut peer = connect(server, room);
            let mut next = move || Some(peer.read().unwrap().into_text().unwrap().to_string());
            thread::spawn(move || std::iter::from_fn(&mut next).take_while(|text| text != "end").collect())
        });
        server.join(ClientId(3), "blue").unwrap();
        Clients { listeners, sender: connect(server, ROOMS[0]) }
    }
}

fn join(listeners: [JoinHandle<Vec<String>>; 4]) -> Received {
    let [red, blue, both, other] = listeners.map(|listener| listener.join().unwrap());
    Received { rooms: [red, blue], both, other }
}

fn numbers(messages: impl IntoIterator<Item = usize>) -> Vec<String> {
    messages.into_iter().map(|number| number.to_string()).collect()
}

#[test]
fn message_goes_to_the_room_that_its_sender_is_in_when_it_arrives() {
    const MESSAGES: usize = 3000;
    // Sometimes after each message, sometimes after several.
    let is_moved_after = |number: usize| number % 11 < 4 || number.is_multiple_of(17);
    let mut room = 0;
    let server = Server::start_with(config(), move |event, hub| {
        let Event::MessageReceived { client, message } = event else { return };
        let number: usize = message.text().unwrap().parse().unwrap();
        if is_moved_after(number) {
            hub.join(client, ROOMS[1 - room]).unwrap();
            hub.leave(client, ROOMS[room]).unwrap();
            room = 1 - room;
        }
        if number == MESSAGES - 1 {
            hub.send_to_all("end").unwrap();
        }
    })
    .unwrap();
    let mut clients = Clients::connect(&server);
    let (mut expected, mut room) = ([Vec::new(), Vec::new()], 0);
    for number in 0..MESSAGES {
        clients.sender.write(number.to_string().into()).unwrap();
        expected[room].push(number);
        room = if is_moved_after(number) { 1 - room } else { room };
    }
    clients.sender.flush().unwrap();
    let received = join(clients.listeners);
    assert_eq!(received.rooms, expected.map(numbers));
    assert_eq!(received.both, numbers(0..MESSAGES));
    assert_eq!(received.other, numbers([]));
}

#[test]
fn no_message_is_lost_doubled_or_misdirected_while_its_sender_is_moved() {
    const MESSAGES: usize = 20_000;
    let server = Server::start_with(config(), |_, _| {}).unwrap();
    let Clients { listeners, mut sender } = Clients::connect(&server);
    let received = || server.summary().extras.messages_received as usize;
    let sending = thread::spawn(move || {
        (0..MESSAGES).for_each(|number| sender.send(number.to_string().into()).unwrap());
        sender
    });
    let [mut from, mut to] = ROOMS;
    while received() < MESSAGES {
        server.send_to_room(to, "joins").unwrap();
        server.join(SENDER, to).unwrap();
        server.leave(SENDER, from).unwrap();
        server.send_to_room(from, "left").unwrap();
        (from, to) = (to, from);
        // So that there are messages in each stay.
        let before = received();
        wait_until(|| received() > before || before == MESSAGES);
    }
    server.send_to_all("end").unwrap();
    let _sender = sending.join().unwrap();
    let received = join(listeners);
    // Markers go to a member of both rooms as well.
    let both: Vec<String> = received.both.into_iter().filter(|text| text.parse::<usize>().is_ok()).collect();
    assert!(both == numbers(0..MESSAGES), "a member of both rooms receives each message once and in order");
    assert_eq!(received.other, numbers([]));
    let mut all: Vec<usize> = received.rooms.iter().flat_map(|texts| stays(texts)).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), MESSAGES, "each message went to a room");
}

/// Returns the messages that a room received, after a check that it received all of those from when the sender joined until it
/// left, and no others.
fn stays(texts: &[String]) -> Vec<usize> {
    let (mut messages, mut may_be_member, mut last) = (Vec::new(), true, None);
    for text in texts {
        match text.as_str() {
            "joins" => (may_be_member, last) = (true, None),
            "left" => may_be_member = false,
            number => {
                let number = number.parse().unwrap();
                assert!(may_be_member, "{number} came while the sender was in the other room");
                assert!(last.is_none_or(|last: usize| last + 1 == number), "{number} came after {last:?}");
                last = Some(number);
                messages.push(number);
            }
        }
    }
    messages
}
