//! The generator against correct servers, and against servers that reply wrongly.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::Result;
use halloo::{Config, Event, Files, Hub, Server};

use super::echo::{Echo, echo};
use super::fanout::{FanOut, fan_out};
use super::ingest::{Ingest, ingest};
use super::roundtrip::{Beside, round_trips};
use super::{Download, Pace, Steady, SteadyClients};
use super::{Protocol, Target, handshakes, idle, wire};

const TIME: Duration = Duration::from_millis(20);
const SIZE: usize = 64;

/// Returns what a server writes for the `n`th message of a connection.
type Reply = fn(u64, Vec<u8>) -> Vec<u8>;

/// Starts a server on threads that reads complete messages over raw TCP.
fn raw_server(reply: Reply) -> Target {
    let length = SIZE + 6;
    server(Protocol::Tcp, move |mut stream| {
        let mut message = vec![0; length];
        for number in 0.. {
            stream.read_exact(&mut message)?;
            stream.write_all(&reply(number, message.clone()))?;
        }
        Ok(())
    })
}

/// Starts a WebSocket server. `reply` gets payloads and returns frames.
fn web_socket_server(reply: Reply) -> Target {
    server(Protocol::WebSocket, move |mut stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")?;
        for number in 0.. {
            let mut header = [0; 6];
            stream.read_exact(&mut header)?;
            let mut payload = vec![0; usize::from(header[1] & 0x7f)];
            stream.read_exact(&mut payload)?;
            let key = &header[2..];
            payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
            if header[0] & 0x0f == wire::BINARY {
                stream.write_all(&reply(number, payload))?;
            }
        }
        Ok(())
    })
}

fn server<F>(protocol: Protocol, handle: F) -> Target
where
    F: Fn(TcpStream) -> Result<()> + Copy + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Every connection ends with an error: the generator closes it.
            std::thread::spawn(move || handle(stream).is_ok());
        }
    });
    Target { addr, protocol, secure: false, pid: None }
}

fn load(in_flight: usize) -> Echo {
    Echo { clients: 3, size: SIZE, in_flight, warm_up: TIME, time: TIME }
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    wire::encode(&mut frame, opcode, payload, None);
    frame
}

fn error(target: &Target, in_flight: usize) -> String {
    format!("{:#}", echo(target, &load(in_flight)).expect_err("the wrong reply was not noticed"))
}

#[test]
fn correct_replies_are_counted() {
    for target in [raw_server(|_, message| message), web_socket_server(|_, payload| frame(wire::BINARY, &payload))] {
        for in_flight in [1, 16] {
            let usage = echo(&target, &load(in_flight)).unwrap();
            assert!(usage.messages > 0 && usage.rate() > 0.0);
        }
    }
}

#[test]
fn a_changed_byte_is_noticed() {
    let raw = raw_server(|number, mut message| {
        message[69] ^= u8::from(number == 5);
        message
    });
    assert!(error(&raw, 1).starts_with("reply 6 is wrong"));
    let framed = web_socket_server(|number, mut payload| {
        payload[0] ^= u8::from(number == 5);
        frame(wire::BINARY, &payload)
    });
    assert!(error(&framed, 1).starts_with("reply 6 is wrong"));
}

#[test]
fn lost_duplicated_and_short_messages_are_noticed() {
    let lost = raw_server(|number, message| if number == 7 { Vec::new() } else { message });
    assert!(error(&lost, 16).starts_with("reply 8 is wrong"));
    let doubled = raw_server(|number, message| if number == 7 { message.repeat(2) } else { message });
    assert!(error(&doubled, 16).starts_with("reply 9 is wrong"));
    let short = web_socket_server(|number, payload| frame(wire::BINARY, &payload[usize::from(number == 7)..]));
    assert!(error(&short, 16).starts_with("reply 8 is wrong"));
}

#[test]
fn text_instead_of_binary_and_a_close_are_noticed() {
    let text = web_socket_server(|_, payload| frame(wire::TEXT, &payload));
    assert!(error(&text, 1).starts_with("reply 1 is wrong"));
    let closing = web_socket_server(|_, _| frame(wire::CLOSE, b"\x03\xe8enough"));
    assert_eq!(error(&closing, 1), "the server closed: enough");
}

#[test]
fn pings_between_replies_are_not_wrong_replies() {
    let target = web_socket_server(|_, payload| {
        [frame(wire::PING, b"there?"), frame(wire::BINARY, &payload), frame(wire::PING, b"")].concat()
    });
    assert!(echo(&target, &load(4)).unwrap().messages > 0);
}

#[cfg(feature = "tls")]
#[test]
fn loads_over_tls_work_with_halloo() {
    use crate::certificate;
    let directory = std::env::temp_dir().join(format!("halloo-bench-{}", std::process::id()));
    let mut config = Config::local();
    certificate::use_in(&mut config, &certificate::create(&directory).unwrap(), false).unwrap();
    let server = Server::start_with(config, |event, hub| match event {
        Event::MessageReceived { client, message } if client.0 <= 3 => drop(hub.send(client, message)),
        Event::MessageReceived { message, .. } => drop(hub.send_to_all(message)),
        _ => {}
    })
    .unwrap();
    let addr = ([127, 0, 0, 1], server.port()).into();
    let target = Target { addr, protocol: Protocol::WebSocket, secure: true, pid: None };
    // The first three clients get their own messages back. A message takes more than one record.
    let echoed = echo(&target, &Echo { size: 40_000, ..load(4) }).unwrap();
    let load = FanOut { clients: 20, size: SIZE, in_flight: 4, warm_up: TIME, time: TIME };
    let (fanned_out, latencies) = fan_out(&target, &load).unwrap();
    assert!(echoed.messages > 0 && fanned_out.messages > 0 && !latencies.is_empty());
    let plain = Target { secure: false, ..target };
    assert!(echo(&plain, &self::load(1)).is_err(), "the server answers without TLS");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn every_load_works_with_halloo() {
    let mut received = 0_u64;
    let server = Server::start_with(Config::local(), move |event, hub| {
        let Event::MessageReceived { client, message } = event else { return };
        match message.text() {
            Some("count") => drop(hub.send(client, received.to_string())),
            Some(_) => drop(hub.send(client, message)),
            None => {
                received += 1;
                hub.send_to_all(message).ok();
            }
        }
    })
    .unwrap();
    let addr = ([127, 0, 0, 1], server.port()).into();
    let target = Target { addr, protocol: Protocol::WebSocket, secure: false, pid: None };
    let load = FanOut { clients: 20, size: SIZE, in_flight: 4, warm_up: TIME, time: TIME };
    let (usage, latencies) = fan_out(&target, &load).unwrap();
    assert!(usage.messages > 0 && !latencies.is_empty());
    for beside in [Beside::Idle, Beside::Sender, Beside::FanOut] {
        assert!(!round_trips(&target, 5, beside, TIME).unwrap().is_empty(), "{beside:?}");
    }
    assert!(handshakes::handshakes(&target, TIME).unwrap().messages > 0);
    assert!(idle::memory(&target, 1).is_err(), "a thread has no resident size of its own");
}

#[test]
fn messages_are_measured_beside_every_kind_of_download() {
    let echo = |event: Event<'_>, hub: &mut Hub<'_>| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    };
    let files = Files::memory([("large.bin", vec![7; 1_000_000])]).unwrap();
    let server = Server::start_with(Config::local().www(files), echo).unwrap();
    let addr = ([127, 0, 0, 1], server.port()).into();
    let target = Target { addr, protocol: Protocol::WebSocket, secure: false, pid: None };
    for pace in [Pace::Full, Pace::Rate(10_000_000), Pace::Ranges(1000), Pace::Slow(3)] {
        for rate in [None, Some(1000)] {
            let download = Download::start(addr, "/large.bin", 1_000_000, pace);
            let mut clients = SteadyClients::connect(&target, Steady { clients: 3, rate }).unwrap();
            while download.bytes() == 0 {
                assert!(!clients.run(TIME).unwrap().is_empty(), "{pace:?}");
            }
            download.stop().unwrap();
        }
    }
    let error = Download::start(addr, "/nothing", 1, Pace::Full).stop().unwrap_err().to_string();
    assert!(error.contains("404"), "{error}");
}

#[test]
fn a_wrong_reply_to_steady_clients_is_noticed() {
    let wrong = raw_server(|number, mut message| {
        message[69] ^= u8::from(number == 5);
        message
    });
    for rate in [None, Some(1000)] {
        let mut clients = SteadyClients::connect(&wrong, Steady { clients: 1, rate }).unwrap();
        let error = clients.run(TIME).unwrap_err().to_string();
        assert!(error.starts_with("reply 6 is wrong"), "{error}");
    }
}

#[test]
fn a_lost_message_is_noticed_by_its_count() {
    let mut received = 0_u64;
    let mut requests = 0;
    let server = Server::start_with(Config::local(), move |event, hub| {
        let Event::MessageReceived { client, message } = event else { return };
        if message.text().is_none() {
            received += 1;
        } else {
            // The first run requests the count once before and three times after; the second gets one too few.
            requests += 1;
            hub.send(client, (received - u64::from(requests > 5)).to_string()).ok();
        }
    })
    .unwrap();
    let addr = ([127, 0, 0, 1], server.port()).into();
    let target = Target { addr, protocol: Protocol::WebSocket, secure: false, pid: None };
    let load = Ingest { clients: 3, size: SIZE, time: TIME };
    assert!(ingest(&target, &load).unwrap().messages > 0);
    let error = ingest(&target, &load).unwrap_err().to_string();
    assert!(error.contains("messages were sent and"), "{error}");
}
