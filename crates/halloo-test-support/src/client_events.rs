//! The next event of a client, which must be of a certain kind.

use halloo::{Client, ClientEvent, CloseCode, Message};

use crate::ExpectEvent;

/// Expects a connection and returns the URL of the server.
#[track_caller]
pub fn expect_connected(client: &Client) -> String {
    match client.expect_event() {
        ClientEvent::Connected { url, .. } => url,
        other => panic!("not connected: {other:?}"),
    }
}

/// Expects a message and returns it.
#[track_caller]
pub fn expect_message(client: &Client) -> Message<'static> {
    match client.expect_event() {
        ClientEvent::MessageReceived { message } => message,
        other => panic!("not a message: {other:?}"),
    }
}

/// Expects the end of a connection after which the client does not retry. Returns the close code and the reason.
#[track_caller]
pub fn expect_final_disconnect(client: &Client) -> (CloseCode, String) {
    match client.expect_event() {
        ClientEvent::Disconnected { code, reason, retry_in: None } => (code, reason),
        other => panic!("not disconnected for good: {other:?}"),
    }
}

/// Expects a failed attempt to connect and returns its reason.
#[track_caller]
pub fn expect_failed_attempt(client: &Client) -> String {
    match client.expect_event() {
        ClientEvent::AttemptFailed { reason, .. } => reason,
        other => panic!("not a failed attempt: {other:?}"),
    }
}

/// Expects that the client gives up and that no event follows. Returns the reason.
#[track_caller]
pub fn expect_gave_up(client: &Client) -> String {
    match client.expect_event() {
        ClientEvent::GaveUp { reason, .. } => {
            assert_eq!(client.remaining_events(), [], "events after the last one");
            assert!(client.send("late").is_err(), "a client that gave up takes no messages");
            reason
        }
        other => panic!("the client did not give up: {other:?}"),
    }
}
