//! 12 and 13: compression (RFC 7692), as it is negotiated and as it then comes and goes.

use halloo::{ClientId, Config, Delivery, Event, Server};
use halloo_proto::deflate::Inflater;
use halloo_proto::message::Incoming;

use crate::case::echo;
use crate::client::{CONTINUATION, Client, FIN, Frame, TEXT, close, frame, ping, pong, request, text, wire};

/// The bit of the first byte that says "compressed".
const COMPRESSED: u8 = 0x40;
/// "Hello" as RFC 7692 section 7.2.3.1 compresses it.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

const ANSWER: &str =
    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn compressing() -> Config {
    let mut config = Config::local();
    config.compression = true;
    config
}

fn open(server: &Server, offer: &str) -> (Client, String) {
    Client::open(server.port(), &request(server.port(), &format!("Sec-WebSocket-Extensions: {offer}\r\n")))
}

#[test]
fn the_parameters() {
    let server = echo(compressing());
    // The offers of groups 13.1 to 13.7, and of the clients that people use.
    let table = [
        ("permessage-deflate", ""),
        ("permessage-deflate; client_no_context_takeover; client_max_window_bits", ""),
        ("permessage-deflate; client_max_window_bits; server_no_context_takeover", ""),
        ("permessage-deflate; client_max_window_bits; server_max_window_bits=9", "; server_max_window_bits=9"),
        ("permessage-deflate; client_max_window_bits; server_max_window_bits=15", "; server_max_window_bits=12"),
        ("permessage-deflate; server_no_context_takeover; server_max_window_bits=9", "; server_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", "; server_max_window_bits=12"),
        (
            "permessage-deflate; server_max_window_bits=99, permessage-deflate; server_no_context_takeover; \
             server_max_window_bits=10, permessage-deflate",
            "; server_max_window_bits=10",
        ),
    ];
    for (offer, more) in table {
        let (client, head) = open(&server, offer);
        assert!(head.contains(&format!("\r\n{ANSWER}{more}\r\n")), "{offer}: {head}");
        let sent = [frame(FIN | TEXT | COMPRESSED, HELLO), text("plain"), close(1000, "")];
        assert_eq!(client.play(&wire(&sent), 1), [text("Hello"), text("plain"), close(1000, "")], "{offer}");
    }
}

#[test]
fn nothing_is_agreed_that_was_not_offered_or_is_not_wanted() {
    let (wanting, other) = (echo(compressing()), echo(Config::local()));
    for (server, offer) in
        [(&wanting, "permessage-bzip2"), (&wanting, "permessage-deflate; x"), (&other, "permessage-deflate")]
    {
        let (client, head) = open(server, offer);
        assert!(!head.contains("Extensions"), "{head}");
        let got = client.play(&wire(&[frame(FIN | TEXT | COMPRESSED, HELLO)]), 1);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].code(), Some(1002));
    }
}

#[test]
fn compressed_messages_in_fragments() {
    let server = echo(compressing());
    for cut in 0..=HELLO.len() {
        let (first, last) = HELLO.split_at(cut);
        let sent = [
            frame(TEXT | COMPRESSED, first),
            ping("between"),
            frame(CONTINUATION, ""),
            frame(FIN | CONTINUATION, last),
            close(1000, ""),
        ];
        let got = open(&server, "permessage-deflate").0.play(&wire(&sent), 1);
        assert_eq!(got, [pong("between"), text("Hello"), close(1000, "")], "cut at {cut}");
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let server = echo(compressing());
    let first = FIN | TEXT | COMPRESSED;
    let table: [(&str, Vec<Frame>, u16); 7] = [
        ("the bit in a ping", vec![frame(FIN | COMPRESSED | 9, "")], 1002),
        ("the bit in a close", vec![frame(FIN | COMPRESSED | 8, "")], 1002),
        ("the bit in a continuation", vec![frame(TEXT | COMPRESSED, ""), frame(FIN | COMPRESSED, HELLO)], 1002),
        ("another bit", vec![frame(first | 0x20, HELLO)], 1002),
        ("no compression behind the bit", vec![frame(first, "Hello")], 1007),
        ("text that is not UTF-8", vec![frame(first, [0x00, 1, 0, 0xfe, 0xff, 0xff, 0x00])], 1007),
        // Section 7.2.3.2: it refers to the message before.
        ("a window that was kept", vec![frame(first, [0xf2, 0x00, 0x11, 0x00, 0x00])], 1007),
    ];
    for (name, sent, code) in table {
        for piece in [1, 1000] {
            let got = open(&server, "permessage-deflate").0.play(&wire(&sent), piece);
            assert_eq!((got.len(), got[0].code()), (1, Some(code)), "{name}: {got:?}");
        }
    }
}

/// Everybody gets everything, in the order in which it was sent: compressed, or as it is.
#[test]
fn to_all_and_to_one() {
    let server = Server::start(compressing()).unwrap();
    let mut clients =
        ["permessage-deflate", "permessage-deflate; server_max_window_bits=9", "x"].map(|offer| open(&server, offer).0);
    assert_eq!(server.events().filter(|event| matches!(event, Event::ClientJoined { .. })).take(3).count(), 3);
    let long = "every word of it ".repeat(20);
    for round in 0..3 {
        assert_eq!(server.send_to_all(&long), Ok(Delivery::Queued));
        for client in 1..=3 {
            assert_eq!(server.send(ClientId(client), format!("{long}{round}")), Ok(Delivery::Queued));
        }
        assert_eq!(server.send_to_all("short"), Ok(Delivery::Queued));
    }
    let mut inflater = Inflater::default();
    for (index, client) in clients.iter_mut().enumerate() {
        for round in 0..3 {
            for (expected, compressed) in
                [(long.clone(), index == 0), (format!("{long}{round}"), index == 0), ("short".into(), false)]
            {
                match client.read() {
                    Frame::Whole(first, payload) if first == FIN | TEXT | COMPRESSED && compressed => {
                        assert!(payload.len() < long.len() / 4);
                        let message = inflater.message(true, &payload, 1000);
                        assert_eq!(message, Ok(Incoming::Text(expected.into())));
                    }
                    other => assert!(!compressed && other == text(&expected), "client {index}: {other:?}"),
                }
            }
        }
    }
}

/// 1 KiB that becomes 1 MiB, and all of it for a server that takes 64 KiB.
#[test]
fn a_bomb_is_refused() {
    let mut config = compressing();
    config.messages.max_message_bytes = 64 * 1024;
    let server = echo(config);
    // Dynamic codes of two bits for 258 zeros each: what zlib makes of zeros, 1,032 to 1.
    let mut bomb = vec![0xec, 0xc1, 0x01, 0x01, 0x00, 0x00, 0x00, 0x80, 0x90, 0xfe, 0xaf, 0xee, 0x08, 0x0a];
    bomb.extend([0; 1000]);
    let got = open(&server, "permessage-deflate").0.play(&wire(&[frame(FIN | 2 | COMPRESSED, bomb)]), 100);
    assert_eq!((got.len(), got[0].code()), (1, Some(1009)), "{got:?}");
}
