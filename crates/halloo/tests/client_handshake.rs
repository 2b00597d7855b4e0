//! The client's opening handshake: refusals, invalid responses, and responses in pieces.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};

use halloo::{Client, ClientEvent};
use halloo_test_support::{
    ExpectEvent, MockServer, answer_handshake, expect_connected, expect_failed_attempt, expect_gave_up, expect_message,
    single_attempt_client, switching_protocols,
};

#[test]
fn a_refusal_is_final_and_reports_the_servers_reason() {
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "426 Upgrade Required"] {
        let server = MockServer::raw(move |stream| {
            answer_handshake(&stream, |_| {
                format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nnot \u{1b}[31myou")
            });
        });
        let client = Client::connect(&server.url).unwrap();
        let (reason, number) = expect_refusal(&client);
        assert!(reason.contains(&status[..3]) && reason.contains("not \\u{1b}[31myou"), "{reason}");
        assert_eq!(number.map(|number| number.to_string()).as_deref(), Some(&status[..3]));
        server.join();
    }
}

/// Returns why the client gave up, and the HTTP status of the refusal.
fn expect_refusal(client: &Client) -> (String, Option<u16>) {
    client.expect_matching(|event| match event {
        ClientEvent::GaveUp { reason, status } => Some((reason, status)),
        _ => None,
    })
}

#[test]
fn the_last_attempt_reports_the_status_of_a_busy_server() {
    let server = MockServer::raw(|stream| {
        answer_handshake(&stream, |_| "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".into());
    });
    let (reason, status) = expect_refusal(&single_attempt_client(&server.url, |_| {}));
    assert!(status == Some(503) && reason.contains("503"), "{reason}");
    server.join();
}

#[test]
fn an_invalid_response_is_final() {
    type Response = fn(&str) -> String;
    let cases: [(Response, &str); 4] = [
        (|_| switching_protocols("another key"), "does not match the key"),
        (|_| "SSH-2.0-OpenSSH_9.9\r\n".into(), "does not speak HTTP"),
        (|_| format!("HTTP/1.1 101 X\r\nX: {}", "x".repeat(20_000)), "too large"),
        (|_| "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into(), "200"),
    ];
    for (response, expected) in cases {
        let server = MockServer::raw(move |mut stream| {
            answer_handshake(&stream, response);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let reason = expect_gave_up(&Client::connect(&server.url).unwrap());
        assert!(reason.contains(expected), "{reason}");
        server.join();
    }
}

#[test]
fn a_truncated_response_is_retried() {
    let server = MockServer::raw(|stream| answer_handshake(&stream, |key| switching_protocols(key)[..40].to_owned()));
    let client = Client::connect(&server.url).unwrap();
    let reason = expect_failed_attempt(&client);
    assert!(reason.contains("closed the connection"), "{reason}");
    server.join();
}

#[test]
fn interim_responses_before_the_response_are_skipped() {
    let server = MockServer::raw(|mut stream| {
        answer_handshake(&stream, |key| {
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_owned()
                + &switching_protocols(key)
        });
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let client = single_attempt_client(&server.url, |_| {});
    expect_connected(&client);
    drop(client);
    server.join();
}

#[test]
fn a_redirect_names_its_location_without_a_token() {
    let server = MockServer::raw(|stream| {
        answer_handshake(&stream, |_| {
            "HTTP/1.1 302 Found\r\nLocation: http://den.example/game?token=secret\r\nContent-Length: 0\r\n\r\n".into()
        });
    });
    let (reason, status) = expect_refusal(&Client::connect(&server.url).unwrap());
    assert!(status == Some(302) && reason.contains("http://den.example/game?token=…"), "{reason}");
    server.join();
}

#[test]
fn a_busy_server_is_retried() {
    let server = MockServer::raw(|stream| {
        answer_handshake(&stream, |_| "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".into());
    });
    let client = Client::connect(&server.url).unwrap();
    let reason = expect_failed_attempt(&client);
    assert!(reason.contains("503") && reason.contains("Busy"), "{reason}");
    server.join();
}

#[test]
fn frames_in_the_same_packet_as_the_response_are_received() {
    let server = MockServer::raw(|mut stream| {
        answer_handshake(&stream, |key| switching_protocols(key) + "\u{1}\u{3}one" + "\u{0}\u{3}two");
        // The last frame of the message, in two pieces.
        stream.write_all(&[0x80]).unwrap();
        stream.write_all(b"\x05three").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let client = single_attempt_client(&server.url, |_| {});
    expect_connected(&client);
    assert_eq!(expect_message(&client).text(), Some("onetwothree"));
    drop(client);
    server.join();
}

#[test]
fn an_invalid_address_is_an_error_at_once() {
    let without_tls = (!cfg!(feature = "tls")).then_some(("wss://den.local", "TLS"));
    let cases = [("ws://a b", "host"), ("ftp://a", "ftp"), ("", "host")];
    for (address, expected) in cases.into_iter().chain(without_tls) {
        let error = Client::connect(address).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
