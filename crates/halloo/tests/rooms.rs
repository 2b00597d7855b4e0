//! Rooms: joined by path or by the server, messages to them in order with all others, limits, and the relay.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::collections::{BTreeMap, BTreeSet};

use halloo::{Client, ClientConfig, ClientEvent, ClientId, Config, ConnectError, Delivery, Event, LeaveReason};
use halloo::{OutboxLimits, RoomError, RoomNameError, Server, SlowClient};
use halloo_test_support::{ExpectEvent, Peer, connect_peer, exchange, expect_message, loopback, wait_until};
use proptest::prelude::*;
use tungstenite::Message;

fn server() -> Server {
    Server::start(Config::local()).unwrap()
}

/// Connects a client to a room; without one, to `/`.
fn connect(server: &Server, room: Option<&str>) -> (Client, ClientId) {
    let mut config = ClientConfig::new(server.url());
    config.room = room.map(str::to_owned);
    let client = Client::start(config).unwrap();
    let Event::ClientJoined { client: id, rooms, .. } = server.expect_event() else { panic!() };
    assert_eq!(rooms.first().map(String::as_str), room);
    assert!(matches!(client.expect_event(), ClientEvent::Connected { .. }));
    (client, id)
}

fn text(client: &Client) -> String {
    expect_message(client).text().unwrap().to_owned()
}

fn members(server: &Server) -> Vec<(String, usize)> {
    server.rooms().into_iter().map(|room| (room.room, room.clients)).collect()
}

#[test]
fn message_to_a_room_reaches_its_members_only() {
    let server = server();
    let (red, _) = connect(&server, Some("red"));
    let (blue, blue_id) = connect(&server, Some("blau ü/&"));
    let (other, other_id) = connect(&server, None);
    assert_eq!(members(&server), [("blau ü/&".to_owned(), 1), ("red".to_owned(), 1)]);
    assert_eq!(server.send_to_room("red", "1"), Ok(Delivery::Queued));
    server.send_to_room("blau ü/&", vec![2]).unwrap();
    server.join(other_id, "red").unwrap();
    server.join(other_id, "red").unwrap();
    server.send_to_room("red", "3").unwrap();
    server.leave(other_id, "red").unwrap();
    server.leave(other_id, "red").unwrap();
    server.send_to_room("red", "4").unwrap();
    server.send_to_room("empty", "5").unwrap();
    server.send_to_all("6").unwrap();
    assert_eq!([text(&red), text(&red), text(&red), text(&red)], ["1", "3", "4", "6"]);
    assert_eq!([text(&other), text(&other)], ["3", "6"]);
    assert_eq!(expect_message(&blue).bytes(), [2]);
    assert_eq!(text(&blue), "6");
    server.join(blue_id, "_staff").unwrap();
    server.disconnect(blue_id, 4000, "enough").unwrap();
    let Event::ClientLeft { reason, rooms, .. } = server.expect_event() else { panic!() };
    assert_eq!((reason, rooms), (LeaveReason::Disconnected("enough".into()), vec!["blau ü/&".into(), "_staff".into()]));
    assert_eq!(members(&server), [("red".to_owned(), 1)]);
}

#[test]
fn status_of_one_client_is_that_in_the_list() {
    let server = server();
    let (_first, first) = connect(&server, Some("red"));
    let (second, other) = connect(&server, Some("blue"));
    let status = server.client_status(other).unwrap();
    assert_eq!((status.client, &status.path[..], &status.rooms[..]), (other, "/room/blue", &["blue".to_owned()][..]));
    assert_eq!([server.client_status(first).unwrap(), status], server.status().extras.clients[..]);
    drop(second);
    wait_until(|| server.client_status(other).is_none());
    assert_eq!(server.client_status(ClientId(0)), None);
    server.stop();
    for _ in server.events() {}
    assert_eq!(server.client_status(first), None);
}

#[test]
fn paths_of_no_room_a_client_can_join_are_refused_with_a_sentence() {
    let server = server();
    let refused = |path: &str| {
        exchange(
            loopback(&server),
            format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
        )
    };
    for (path, sentence) in [
        ("/room/", "is empty"),
        (&format!("/room/{}", "x".repeat(65)), "more than 64 bytes"),
        ("/room/%FF", "not UTF-8"),
        ("/room/_staff", "only be joined by the server"),
        ("/room/a/b", "%2F"),
    ] {
        let response = refused(path);
        assert!(response.starts_with("HTTP/1.1 404 ") && response.contains(sentence), "{path}: {response}");
    }
    assert_eq!(server.status().extras.refused, 5);
}

#[test]
fn client_cannot_be_made_for_a_room_that_it_cannot_join() {
    for (room, error) in [("", RoomNameError::Empty), ("_staff", RoomNameError::Reserved)] {
        let client = Client::start(ClientConfig::new("ws://127.0.0.1:1").room(Some(room.to_owned())));
        assert!(matches!(client, Err(ConnectError::Room(found)) if found == error));
    }
}

#[test]
fn limits_are_errors_for_the_server_and_refusals_for_clients() {
    let server = Server::start(Config::local().max_rooms(3).max_rooms_per_client(2)).unwrap();
    let (_red, red_id) = connect(&server, Some("red"));
    let (_blue, blue_id) = connect(&server, Some("blue"));
    server.join(red_id, "green").unwrap();
    assert_eq!(server.join(red_id, "blue"), Err(RoomError::TooManyRoomsOfClient { most: 2 }));
    assert_eq!(server.join(blue_id, "grey"), Err(RoomError::TooManyRooms { most: 3 }));
    assert_eq!(server.join(blue_id, ""), Err(RoomError::Name(RoomNameError::Empty)));
    assert_eq!(server.send_to_room(&"x".repeat(65), "x"), Err(RoomError::Name(RoomNameError::TooLong)));
    assert_eq!(server.join(ClientId(99), "red"), Err(RoomError::NotConnected));
    let mut config = ClientConfig::new(server.url()).room(Some("grey".into()));
    config.reconnect = false;
    let refused = Client::start(config).unwrap().expect_event();
    assert!(
        matches!(&refused, ClientEvent::GaveUp { reason, status: Some(503) } if reason.contains("max_rooms")),
        "{refused:?}"
    );
    server.stop();
    assert!(server.join(red_id, "blue").is_err());
}

#[test]
fn handler_uses_rooms_as_the_application_does() {
    let server = Server::start_with(Config::local(), |event, hub| match event {
        Event::ClientJoined { client, request, .. } => {
            hub.join(client, &request.query_value("team").unwrap()).unwrap();
            assert_eq!(hub.join(ClientId(99), "red"), Err(RoomError::NotConnected));
        }
        Event::MessageReceived { client, .. } => {
            hub.send_to_room("red", format!("{} rooms", hub.rooms().len())).unwrap();
            hub.leave(client, "red").unwrap();
            hub.send_to_room("red", "not to it").unwrap();
            hub.send(client, "bye").unwrap();
        }
        _ => {}
    })
    .unwrap();
    let client = Client::connect(server.url() + "/?team=red").unwrap();
    client.send("hello").unwrap();
    assert!(matches!(client.expect_event(), ClientEvent::Connected { .. }));
    assert_eq!([text(&client), text(&client)], ["1 rooms", "bye"]);
}

/// A peer that is in `room`, or in none.
fn peer(server: &Server, room: &str) -> (Peer, ClientId) {
    let peer = connect_peer(server);
    let Event::ClientJoined { client, .. } = server.expect_event() else { panic!() };
    if !room.is_empty() {
        server.join(client, room).unwrap();
    }
    (peer, client)
}

fn next(peer: &mut Peer) -> String {
    match peer.read().unwrap() {
        Message::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn relay_passes_messages_on_to_the_others_and_never_back() {
    let server = Server::start(Config::local().relay(true)).unwrap();
    let (mut sensor, sensor_id) = peer(&server, "lab");
    let (mut first, first_id) = peer(&server, "lab");
    let (mut second, _) = peer(&server, "hall");
    let (mut lonely, _) = peer(&server, "");
    let received = |from: ClientId| {
        let Event::MessageReceived { client, .. } = server.expect_event() else {
            panic!("the application also receives")
        };
        assert_eq!(client, from);
    };
    // In one room: to the others in it.
    sensor.send("1".into()).unwrap();
    received(sensor_id);
    assert_eq!(next(&mut first), "1");
    // In two rooms: once to each client in any of them.
    server.join(sensor_id, "hall").unwrap();
    server.join(first_id, "hall").unwrap();
    sensor.send("2".into()).unwrap();
    received(sensor_id);
    assert_eq!([next(&mut first), next(&mut second)], ["2", "2"]);
    // In none: to all others.
    lonely.send(Message::binary(vec![3])).unwrap();
    assert!(matches!(server.expect_event(), Event::MessageReceived { .. }));
    for peer in [&mut sensor, &mut first, &mut second] {
        assert_eq!(peer.read().unwrap(), Message::binary(vec![3]));
    }
    server.send_to_all("4").unwrap();
    for peer in [&mut sensor, &mut first, &mut second, &mut lonely] {
        assert_eq!(next(peer), "4");
    }
    assert_eq!(server.status().extras.messages_sent, 1 + 2 + 3 + 4);
}

#[test]
fn each_peer_receives_what_the_others_sent_in_order_when_all_talk_at_once() {
    const PEERS: usize = 6;
    const MESSAGES: usize = 300;
    let server = Server::start(Config::local().relay(true)).unwrap();
    // All are in `lab`, every other one is also in `hall`.
    let peers: Vec<(Peer, ClientId)> = (0..PEERS).map(|_| peer(&server, "lab")).collect();
    peers.iter().step_by(2).for_each(|(_, client)| server.join(*client, "hall").unwrap());
    std::thread::scope(|scope| {
        for (number, (mut peer, _)) in peers.into_iter().enumerate() {
            scope.spawn(move || {
                for message in 0..MESSAGES {
                    peer.send(format!("{number} {message}").into()).unwrap();
                }
                let mut next_of: BTreeMap<usize, usize> = BTreeMap::new();
                for _ in 0..(PEERS - 1) * MESSAGES {
                    let message = next(&mut peer);
                    let (sender, message) = message.split_once(' ').unwrap();
                    let expected = next_of.entry(sender.parse().unwrap()).or_default();
                    assert_eq!(message.parse(), Ok(*expected), "from {sender} to {number}");
                    *expected += 1;
                }
                assert!(!next_of.contains_key(&number), "nothing comes back");
                peer
            });
        }
    });
}

#[test]
fn slow_member_is_cut_off_and_told_and_the_others_receive_everything() {
    const SIZE: usize = 16 * 1024;
    for when_full in [SlowClient::Disconnect, SlowClient::DropNewest] {
        let mut config = Config::local();
        config.outbox = OutboxLimits { max_messages: 20, max_bytes: 1024 * 1024, when_full };
        let server = Server::start(config).unwrap();
        let (_slow, slow_id) = peer(&server, "lab");
        let (mut quick, _) = peer(&server, "lab");
        let mut sent = 0_u32;
        let event = loop {
            let mut message = vec![0; SIZE];
            message[..4].copy_from_slice(&sent.to_be_bytes());
            server.send_to_room("lab", message).unwrap();
            let read = quick.read().unwrap().into_data();
            assert_eq!(read[..4], sent.to_be_bytes());
            sent += 1;
            if let Some(event) = server.try_event() {
                break event;
            }
        };
        match (when_full, event) {
            (SlowClient::Disconnect, Event::MessagesDropped { client, messages }) => {
                assert!(client == slow_id && messages >= 20);
                let Event::ClientLeft { client, reason, rooms, .. } = server.expect_event() else { panic!() };
                assert_eq!((client, reason, rooms), (slow_id, LeaveReason::TooSlow, vec!["lab".to_owned()]));
                assert_eq!(members(&server), [("lab".to_owned(), 1)]);
            }
            (_, Event::MessagesDropped { client, messages }) => assert!(client == slow_id && messages > 0),
            (_, event) => panic!("{event:?}"),
        }
    }
}

/// One step of the application, with the numbers of clients and rooms.
#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    SendToAll,
    SendToRoom(usize),
    Join(usize, usize),
    Leave(usize, usize),
}

const CLIENTS: usize = 4;
const ROOMS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..CLIENTS).prop_map(Step::Send),
        2 => Just(Step::SendToAll),
        6 => (0..ROOMS).prop_map(Step::SendToRoom),
        1 => (0..CLIENTS, 0..ROOMS).prop_map(|(client, room)| Step::Join(client, room)),
        1 => (0..CLIENTS, 0..ROOMS).prop_map(|(client, room)| Step::Leave(client, room)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// In a handler, all steps are made in one turn, so that broadcasts to different rooms meet in the buffers; with
    /// compression, in both of them.
    #[test]
    fn each_client_receives_what_is_for_it_in_the_order_in_which_it_was_sent(
        steps in prop::collection::vec(step(), 1..120),
        sizes in prop::collection::vec(prop_oneof![8 => 0..100_usize, 1 => 3_000..9_000_usize], 120),
        compression: bool,
        in_handler: bool,
    ) {
        let mut config = Config::local().compression(compression);
        config.heartbeat = std::time::Duration::ZERO;
        let message = |number: usize| format!("{number} {}", "x".repeat(sizes[number]));
        // The model: whom each message is for.
        let (mut rooms, mut expected) = (vec![BTreeSet::new(); ROOMS], vec![Vec::new(); CLIENTS]);
        for (number, step) in steps.iter().enumerate() {
            match *step {
                Step::Send(client) => expected[client].push(number),
                Step::SendToAll => expected.iter_mut().for_each(|all| all.push(number)),
                Step::SendToRoom(room) => rooms[room].iter().for_each(|&client: &usize| expected[client].push(number)),
                Step::Join(client, room) => drop(rooms[room].insert(client)),
                Step::Leave(client, room) => drop(rooms[room].remove(&client)),
            }
        }
        let id = |client: usize| ClientId(client as u64 + 1);
        let name = |room: usize| format!("room {room}");
        let server = if in_handler {
            let (steps, sizes) = (steps.clone(), sizes.clone());
            Server::start_with(config, move |event, hub| {
                if !matches!(event, Event::MessageReceived { .. }) {
                    return;
                }
                for (number, step) in steps.iter().enumerate() {
                    let message = format!("{number} {}", "x".repeat(sizes[number]));
                    match *step {
                        Step::Send(client) => drop(hub.send(id(client), message).unwrap()),
                        Step::SendToAll => drop(hub.send_to_all(message).unwrap()),
                        Step::SendToRoom(room) => drop(hub.send_to_room(&name(room), message).unwrap()),
                        Step::Join(client, room) => hub.join(id(client), &name(room)).unwrap(),
                        Step::Leave(client, room) => hub.leave(id(client), &name(room)).unwrap(),
                    }
                }
                hub.send_to_all("end").unwrap();
            })
        } else {
            Server::start(config)
        };
        let server = server.unwrap();
        let clients: Vec<Client> = (0..CLIENTS)
            .map(|number| {
                let client = Client::connect(server.url()).unwrap();
                assert!(matches!(client.expect_event(), ClientEvent::Connected { .. }));
                // The ids count in the order of the handshakes.
                wait_until(|| server.summary().connected_clients == number + 1);
                client
            })
            .collect();
        if in_handler {
            clients[0].send("go").unwrap();
        } else {
            for (number, step) in steps.iter().enumerate() {
                match *step {
                    Step::Send(client) => drop(server.send(id(client), message(number)).unwrap()),
                    Step::SendToAll => drop(server.send_to_all(message(number)).unwrap()),
                    Step::SendToRoom(room) => drop(server.send_to_room(&name(room), message(number)).unwrap()),
                    Step::Join(client, room) => server.join(id(client), &name(room)).unwrap(),
                    Step::Leave(client, room) => server.leave(id(client), &name(room)).unwrap(),
                }
            }
            server.send_to_all("end").unwrap();
        }
        for (client, expected) in clients.iter().zip(expected) {
            for number in expected {
                prop_assert_eq!(text(client), message(number));
            }
            prop_assert_eq!(text(client), "end");
        }
    }
}
