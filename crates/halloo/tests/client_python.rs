//! The client against a server in Python.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo::{Client, ClientEvent};
use halloo_test_support::{
    ChildProcess, ExpectEvent, TEST_TIMEOUT, expect_connected, expect_final_disconnect, expect_gave_up, expect_message,
    python,
};

#[test]
fn a_python_server_echoes_refuses_and_disconnects() {
    let Some(mut command) = python("server.py") else { return };
    let mut server = ChildProcess::start(&mut command);
    let url = server.next_line();

    for path in ["", "/fragments"] {
        let client = Client::connect(format!("{url}{path}")).unwrap();
        expect_connected(&client);
        let texts = ["hällo".to_owned(), "ü".repeat(500_000)];
        for text in &texts {
            client.send(text).unwrap();
        }
        client.send(vec![255; 1024 * 1024]).unwrap();
        for text in &texts {
            assert!(expect_message(&client).text() == Some(text));
        }
        assert!(expect_message(&client).bytes() == [255; 1024 * 1024]);
        client.close(3001, "tschüß");
        expect_final_disconnect(&client);
        assert_eq!(server.next_line(), "3001 tschüß");
    }

    let client = Client::connect(&url).unwrap();
    client.send("enough").unwrap();
    expect_connected(&client);
    assert!(matches!(client.expect_event(), ClientEvent::Disconnected { reason, .. } if reason == "as you wish"));
    expect_gave_up(&client);

    let client = Client::connect(format!("{url}/refused")).unwrap();
    let reason = expect_gave_up(&client);
    assert!(reason.contains("(403): not by this door"), "{reason}");

    let client = Client::connect(&url).unwrap();
    assert!(client.wait_connected(TEST_TIMEOUT));
    drop(client);
    // Of the client that was disconnected and of the one that was dropped, in any order, since each has a thread there.
    let mut ends = [server.next_line(), server.next_line()];
    ends.sort();
    // The response to a close frame repeats its code, not its reason.
    assert_eq!(ends, ["1001 ", "4000 "]);
    assert!(server.close().success());
}
