//! 12 and 13: the negotiation and the use of compression (RFC 7692).

use halloo::{ClientId, Config, Delivery, Event, Server};
use halloo_proto::deflate::Inflater;
use halloo_proto::message::Incoming;
use halloo_test_support::{ExpectEvent, UPGRADE_REQUEST, echo_server};

use crate::frame::{CONTINUATION, FIN, Frame, TEXT, close, encode, frame, ping, pong, text};
use crate::raw_client::RawClient;

/// The bit of the first byte that marks a compressed message.
const COMPRESSED: u8 = 0x40;
/// "Hello" as RFC 7692 section 7.2.3.1 compresses it.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

const RESPONSE_HEADER: &str =
    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn compressing_config() -> Config {
    let mut config = Config::local();
    config.compression = true;
    config
}

/// Connects with an offer of extensions. Returns the client and the head of the response.
fn open(server: &Server, offer: &str) -> (RawClient, String) {
    let (head, _) = UPGRADE_REQUEST.split_once("\r\n\r\n").unwrap();
    RawClient::open(server.port(), format!("{head}\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n").as_bytes())
}

#[test]
fn offers_are_answered_with_the_agreed_parameters() {
    let server = echo_server(compressing_config());
    // The offers of groups 13.1 to 13.7 and of common clients.
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
    for (offer, parameter) in table {
        let (client, head) = open(&server, offer);
        assert!(head.contains(&format!("\r\n{RESPONSE_HEADER}{parameter}\r\n")), "{offer}: {head}");
        let sent = [frame(FIN | TEXT | COMPRESSED, HELLO), text("plain"), close(1000, "")];
        assert_eq!(client.exchange(&encode(&sent), 1), [text("Hello"), text("plain"), close(1000, "")], "{offer}");
    }
}

#[test]
fn compression_is_not_negotiated_without_a_valid_offer_or_when_it_is_off() {
    let (compressing, plain) = (echo_server(compressing_config()), echo_server(Config::local()));
    for (server, offer) in
        [(&compressing, "permessage-bzip2"), (&compressing, "permessage-deflate; x"), (&plain, "permessage-deflate")]
    {
        let (client, head) = open(server, offer);
        assert!(!head.contains("Extensions"), "{head}");
        let received = client.exchange(&encode(&[frame(FIN | TEXT | COMPRESSED, HELLO)]), 1);
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].close_code(), Some(1002));
    }
}

#[test]
fn compressed_fragments_are_joined() {
    let server = echo_server(compressing_config());
    for cut in 0..=HELLO.len() {
        let (first, last) = HELLO.split_at(cut);
        let sent = [
            frame(TEXT | COMPRESSED, first),
            ping("between"),
            frame(CONTINUATION, ""),
            frame(FIN | CONTINUATION, last),
            close(1000, ""),
        ];
        let received = open(&server, "permessage-deflate").0.exchange(&encode(&sent), 1);
        assert_eq!(received, [pong("between"), text("Hello"), close(1000, "")], "cut at {cut}");
    }
}

#[test]
fn invalid_compressed_frames_are_refused() {
    let server = echo_server(compressing_config());
    let first = FIN | TEXT | COMPRESSED;
    let table: [(&str, Vec<Frame>, u16); 7] = [
        ("the bit in a ping", vec![frame(FIN | COMPRESSED | 9, "")], 1002),
        ("the bit in a close", vec![frame(FIN | COMPRESSED | 8, "")], 1002),
        ("the bit in a continuation", vec![frame(TEXT | COMPRESSED, ""), frame(FIN | COMPRESSED, HELLO)], 1002),
        ("another bit", vec![frame(first | 0x20, HELLO)], 1002),
        ("a payload that is not compressed", vec![frame(first, "Hello")], 1007),
        ("text that is not UTF-8", vec![frame(first, [0x00, 1, 0, 0xfe, 0xff, 0xff, 0x00])], 1007),
        // Section 7.2.3.2: it refers to the previous message.
        ("a reference to an earlier message", vec![frame(first, [0xf2, 0x00, 0x11, 0x00, 0x00])], 1007),
    ];
    for (name, sent, code) in table {
        for piece in [1, 1000] {
            let received = open(&server, "permessage-deflate").0.exchange(&encode(&sent), piece);
            assert_eq!((received.len(), received[0].close_code()), (1, Some(code)), "{name}: {received:?}");
        }
    }
}

#[test]
fn compressed_and_plain_messages_arrive_in_the_order_in_which_they_were_sent() {
    let server = Server::start(compressing_config()).unwrap();
    let mut clients =
        ["permessage-deflate", "permessage-deflate; server_max_window_bits=9", "x"].map(|offer| open(&server, offer).0);
    for _ in 0..3 {
        server.expect_matching(|event| matches!(event, Event::ClientJoined { .. }).then_some(()));
    }
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

/// 1 KiB that inflates to 1 MiB, for a server that accepts 64 KiB.
#[test]
fn a_decompression_bomb_is_refused() {
    let mut config = compressing_config();
    config.messages.max_message_bytes = 64 * 1024;
    let server = echo_server(config);
    // Dynamic codes of two bits for 258 zeros each: the output of zlib for zeros, 1,032 to 1.
    let mut bomb = vec![0xec, 0xc1, 0x01, 0x01, 0x00, 0x00, 0x00, 0x80, 0x90, 0xfe, 0xaf, 0xee, 0x08, 0x0a];
    bomb.extend([0; 1000]);
    let received = open(&server, "permessage-deflate").0.exchange(&encode(&[frame(FIN | 2 | COMPRESSED, bomb)]), 100);
    assert_eq!((received.len(), received[0].close_code()), (1, Some(1009)), "{received:?}");
}
