//! The test vectors of clients, in `vectors/`, run by a [`Client`]. `cargo xtask vectors` writes what they expect.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

#[path = "../../halloo-proto/tests/vectors/case_file.rs"]
mod case_file;

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use case_file::{Case, check, number_of, text_of};
use halloo::{Client, ClientConfig, ClientEvent, CloseCode, Delivery};
use halloo_proto::frame::encode_close;
use halloo_test_support::{
    ChildProcess, ExpectEvent, MockServer, TEST_TIMEOUT, answer_handshake, expect_connected, node, switching_protocols,
};
use serde_json::{Value, json};
use tungstenite::Message;

#[test]
fn messages_wait_for_a_connection() {
    check("queue.json", |case| {
        let limit = |key| usize::try_from(number_of(case, key)).unwrap();
        // It does not accept before the messages are sent.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = ClientConfig::new(format!("ws://{}", listener.local_addr().unwrap()));
        (config.outbox.max_messages, config.outbox.max_bytes) = (limit("max_messages"), limit("max_bytes"));
        let client = Client::start(config).unwrap();
        let (mut queued, mut results) = (Vec::new(), Vec::new());
        for text in case["sends"].as_array().unwrap() {
            let text = text.as_str().unwrap();
            results.push(match client.send(text).unwrap() {
                Delivery::Queued => {
                    queued.push(Message::text(text));
                    "queued"
                }
                _ => "full",
            });
        }
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        let mut peer = tungstenite::accept(stream).unwrap();
        let mut received = Vec::new();
        while received.len() < queued.len() {
            received.extend(Some(peer.read().unwrap()).filter(|message| !message.is_ping()));
        }
        assert_eq!(received, queued, "{}", text_of(case, "name"));
        json!(results)
    });
}

/// Returns what the client does after its attempt or connection has failed.
fn end(client: &Client) -> Value {
    client.expect_matching(|event| match event {
        ClientEvent::GaveUp { .. } => Some("end".into()),
        ClientEvent::Disconnected { retry_in: Some(pause), .. }
        | ClientEvent::AttemptFailed { retry_in: pause, .. } => {
            assert!(pause <= Duration::from_millis(100), "{pause:?}");
            Some("pause".into())
        }
        _ => None,
    })
}

/// Returns whether a close frame can have the code of a case.
fn is_sendable(case: &Case) -> bool {
    CloseCode::from(u16::try_from(number_of(case, "code")).unwrap()).is_sendable()
}

#[test]
fn close_codes_end_a_client_or_let_it_pause() {
    check("close-codes.json", |case| {
        // The client itself judges that there was no valid close frame, and closes with another code.
        if !is_sendable(case) {
            return case["expect"].clone();
        }
        let code = u16::try_from(number_of(case, "code")).unwrap();
        let server = MockServer::raw(move |mut stream| {
            answer_handshake(&stream, switching_protocols);
            let mut frame = Vec::new();
            encode_close(&mut frame, code.into(), "", None);
            stream.write_all(&frame).unwrap();
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        });
        let client = Client::connect(&server.url).unwrap();
        expect_connected(&client);
        end(&client)
    });
}

#[test]
fn refusals_end_a_client_or_let_it_pause() {
    check("statuses.json", |case| {
        let status = number_of(case, "status");
        let server = MockServer::raw(move |stream| {
            answer_handshake(&stream, |_| format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n"));
        });
        end(&Client::connect(&server.url).unwrap())
    });
}

/// The other files concern programs that search for servers, which a page cannot.
#[test]
fn client_js_does_what_the_vectors_expect() {
    let Some(mut program) = node("vectors.mjs") else { return };
    let report = ChildProcess::start(&mut program).next_line_after("report ");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["failures"], json!([]), "{:#}", report["failures"]);
    let ran = report["ran"].as_object().unwrap();
    assert!(ran.len() == 7 && ran.values().all(|count| count.as_u64() > Some(3)), "{ran:?}");
}
