//! TLS on both sides: who is trusted, what is refused, and that no byte is lost whatever the slicing.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod scratch;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use halloo::{Client, ClientConfig, ClientEvent, Config, Delivery, Event, Identity, Server};
use scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(20);

fn secure(scratch: &Scratch) -> Config {
    let mut config = Config::local();
    config.tls = Some(Identity::self_signed_in(scratch.path()).unwrap());
    config
}

fn echo(config: Config) -> Server {
    let handler = |event: Event<'_>, hub: &mut halloo::Hub<'_>| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    };
    Server::start_with(config, handler).unwrap()
}

fn pinned(server: &Server) -> ClientConfig {
    let mut config = ClientConfig::new(server.url());
    config.fingerprint = server.fingerprint();
    config
}

fn connected(config: ClientConfig) -> Client {
    let client = Client::start(config).unwrap();
    assert!(client.wait_connected(PATIENCE), "{:?}", client.try_event());
    client
}

fn gave_up(config: ClientConfig) -> String {
    let client = Client::start(config).unwrap();
    match client.wait_event(PATIENCE) {
        Some(ClientEvent::GaveUp { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

/// Sends messages of many sizes, and wants them back in order.
fn converse(client: &Client) {
    let messages: Vec<Vec<u8>> = (0..60).map(|n| vec![n as u8; [0, 1, 125, 70_000, 16_384, 1 << 20][n % 6]]).collect();
    for message in &messages {
        assert_eq!(client.send(message.as_slice()), Ok(Delivery::Queued));
    }
    let mut answers = client.events().filter_map(|event| match event {
        ClientEvent::MessageReceived { message } => Some(message.bytes().to_vec()),
        ClientEvent::Disconnected { reason, .. } => panic!("{reason}"),
        _ => None,
    });
    for message in &messages {
        assert!(answers.next().as_ref() == Some(message), "a message of {} bytes", message.len());
    }
}

#[test]
fn who_has_the_fingerprint_is_sure_of_the_server() {
    let scratch = Scratch::new();
    let mut config = secure(&scratch);
    config.access.token = Some(halloo::random_token().unwrap());
    config.outbox.max_bytes = 64 << 20;
    let server = echo(config);
    assert!(server.url().starts_with("wss://") && server.urls()[0].starts_with("wss://"));
    // The link has everything: scheme, token and fingerprint.
    let mut config = ClientConfig::new(server.invitation());
    config.outbox.max_bytes = 64 << 20;
    let client = connected(config);
    converse(&client);
    client.close(1000, "");
    assert!(
        client.events().any(|event| matches!(event, ClientEvent::Disconnected { code, .. } if code.number() == 1000))
    );
    let mut config = ClientConfig::new(server.invitation());
    config.reconnect = false;
    assert_eq!(halloo::status_of(&config).unwrap().extras.clients_total, 1);
}

#[test]
fn nobody_is_trusted_without_a_reason() {
    let scratch = Scratch::new();
    let server = echo(secure(&scratch));
    let fingerprint = server.fingerprint().unwrap().to_string();
    let unknown = gave_up(ClientConfig::new(server.url()));
    assert!(
        unknown.contains("not trusted") && unknown.contains(&format!("`--fingerprint {fingerprint}`")),
        "{unknown}"
    );
    let mut wrong = pinned(&server);
    wrong.fingerprint = Some([7; 32].into());
    let other = gave_up(wrong);
    assert!(other.contains("not the pinned one") && other.contains(&fingerprint), "{other}");
    assert!(halloo::status_of(&ClientConfig::new(server.url())).unwrap_err().to_string().contains("not trusted"));
    assert_eq!(server.status().extras.clients_total, 0);
}

#[test]
fn tls_and_plain_do_not_mix_and_each_says_so() {
    let scratch = Scratch::new();
    let server = echo(secure(&scratch));
    let address = format!("127.0.0.1:{}", server.port());
    let refused = gave_up(ClientConfig::new(format!("ws://{address}")));
    assert!(refused.contains("400") && refused.contains("use wss://"), "{refused}");
    // A fingerprint stands for TLS, or a token might leave in the clear.
    let mut config = ClientConfig::new(format!("ws://{address}"));
    config.fingerprint = server.fingerprint();
    assert!(connected(config).url().unwrap().starts_with("wss://"));
    let plain = echo(Config::local());
    let mut config = ClientConfig::new(plain.url());
    config.fingerprint = server.fingerprint();
    let refused = gave_up(config);
    assert!(refused.contains("does not speak TLS; use ws://"), "{refused}");
    // What everybody may know is told without, so that everybody learns that TLS is wanted.
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /discovery.json HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"tls\":true"), "{answer}");
}

#[test]
fn a_slow_reader_loses_nothing() {
    let scratch = Scratch::new();
    let mut config = secure(&scratch);
    config.outbox.max_bytes = 64 << 20;
    let server = Server::start(config).unwrap();
    let mut config = pinned(&server);
    // It stops reading after two messages until they are taken.
    config.event_queue.max_bytes = 128 * 1024;
    let client = connected(config);
    for n in 0..500_u32 {
        let message = [&n.to_be_bytes()[..], &[0; 64 * 1024]].concat();
        while server.send_to_all(message.as_slice()) != Ok(Delivery::Queued) {
            std::thread::yield_now();
        }
    }
    let mut numbers = client.events().filter_map(|event| match event {
        ClientEvent::MessageReceived { message } => Some(message.bytes()[..4].to_vec()),
        _ => None,
    });
    for n in 0..500_u32 {
        assert_eq!(numbers.next().unwrap(), n.to_be_bytes());
    }
    assert_eq!(server.summary().extras.messages_dropped, 0);
}

/// Passes bytes on from one socket to the other, `chunk` at a time.
fn dribble(mut from: TcpStream, mut to: TcpStream, chunk: usize) {
    let mut buffer = vec![0; chunk];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn any_slicing_will_do() {
    let scratch = Scratch::new();
    let server = echo(secure(&scratch));
    for chunk in [1, 7, 1000] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = ClientConfig::new(format!("wss://{}", listener.local_addr().unwrap()));
        config.fingerprint = server.fingerprint();
        let client = Client::start(config).unwrap();
        let (near, _) = listener.accept().unwrap();
        let far = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        for stream in [&near, &far] {
            stream.set_nodelay(true).unwrap();
        }
        let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        std::thread::spawn(move || dribble(near, far, chunk));
        std::thread::spawn(move || dribble(far_too, near_too, chunk));
        assert!(client.wait_connected(PATIENCE), "{chunk} bytes at a time");
        client.send("x".repeat(2000)).unwrap();
        let echoed = client.events().find_map(|event| match event {
            ClientEvent::MessageReceived { message } => Some(message.bytes().len()),
            _ => None,
        });
        assert_eq!(echoed, Some(2000));
    }
}

#[test]
fn noise_after_a_hello_is_the_end_of_it_and_of_nothing_else() {
    let scratch = Scratch::new();
    let server = echo(secure(&scratch));
    let client = connected(pinned(&server));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for length in 1..300_usize {
        let mut noise = vec![0x16, 3, 1];
        noise.extend((0..length).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        }));
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&noise).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // An alert, a reset or nothing, but an end.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.len() < 100);
    }
    client.send("still here").unwrap();
    assert!(client.events().any(|event| matches!(event, ClientEvent::MessageReceived { .. })));
    assert_eq!(server.status().connected_clients, 1);
}

#[test]
fn a_certificate_is_made_once_and_kept_from_others() {
    let scratch = Scratch::new();
    let directory = scratch.path().join("deep/down");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let directory = directory.clone();
            std::thread::spawn(move || {
                Identity::self_signed_in(directory).map(|identity| identity.fingerprint().unwrap())
            })
        })
        .collect();
    let made: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect();
    let kept = Identity::self_signed_in(&directory).unwrap().fingerprint().unwrap();
    assert!(made.iter().all(|one| *one == kept), "whoever came first: {made:?}");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1, "nothing unfinished stays");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(directory.join("halloo.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_told() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    Identity::self_signed_in(scratch.path()).unwrap();
    Identity::self_signed_in(other.path()).unwrap();
    let (pem, other_pem) = (scratch.path().join("halloo.pem"), other.path().join("halloo.pem"));
    let text = std::fs::read_to_string(&pem).unwrap();
    let (key, certificate) = text.split_at(text.find("-----BEGIN CERTIFICATE").unwrap());
    let (key_file, certificate_file) = (scratch.path().join("key.pem"), scratch.path().join("cert.pem"));
    std::fs::write(&key_file, key).unwrap();
    std::fs::write(&certificate_file, certificate).unwrap();
    let identity = Identity::from_pem_files(&certificate_file, &key_file).unwrap();
    assert_eq!(identity.fingerprint(), None, "somebody else may vouch for it");
    for (certificate, key, wanted) in [
        (&key_file, &key_file, "no certificate"),
        (&certificate_file, &certificate_file, "no private key"),
        (&certificate_file, &other_pem, "do not go together"),
        (&scratch.path().join("missing"), &key_file, "cannot read"),
    ] {
        let error = Identity::from_pem_files(certificate, key).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    std::fs::write(&pem, "spoilt").unwrap();
    assert!(Identity::self_signed_in(scratch.path()).is_err(), "not made anew, for others have pinned it");
}

fn python(script: &str) -> Option<Command> {
    let Some(interpreter) = std::env::var_os("HALLOO_TEST_PYTHON") else {
        eprintln!("SKIPPED: HALLOO_TEST_PYTHON is not set; `cargo xtask test` sets it");
        return None;
    };
    let mut command = Command::new(interpreter);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python").join(script));
    Some(command)
}

#[test]
fn python_connects_by_tls() {
    let Some(mut python) = python("secure.py") else { return };
    let scratch = Scratch::new();
    let mut config = secure(&scratch);
    config.outbox.max_bytes = 64 << 20;
    let server = echo(config);
    python.arg(server.port().to_string()).arg(scratch.path().join("halloo.pem"));
    let output = python.arg(server.fingerprint().unwrap().to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn python_serves_by_tls() {
    let Some(mut python) = python("server.py") else { return };
    let scratch = Scratch::new();
    let identity = Identity::self_signed_in(scratch.path()).unwrap();
    python.arg("--tls").arg(scratch.path().join("halloo.pem"));
    let mut server = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let url = BufReader::new(server.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(url.starts_with("wss://"), "{url}");
    let mut config = ClientConfig::new(&url);
    (config.fingerprint, config.outbox.max_bytes) = (identity.fingerprint(), 64 << 20);
    let client = connected(config);
    converse(&client);
    drop(client);
    drop(server.stdin.take());
    assert!(server.wait().unwrap().success());
}
