//! A known number of messages, for counting instructions, which are the same on a busy machine.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};

use anyhow::{Context, Result};
use halloo::{AccessRules, Config, Event, Server, Token};
use halloo_proto::Time;
use halloo_proto::authenticator::{Authenticator, Challenger};
use halloo_proto::credential::Credential;
use halloo_proto::frame::{self, Opcode, Role};
use halloo_proto::handshake::Handshake;
use halloo_proto::limits::{HandshakeLimits, MessageLimits};
use halloo_proto::message::{Incoming, Receiver};
use halloo_proto::proof::Exchange;
use halloo_proto::upgrade::{Decision, RequestContext, read_head};

use crate::certificate;
use crate::load::{Protocol, Target, connect_plain};

/// Messages per read.
const PIPELINED: usize = 16;
/// Batches that [`Part::Sink`] sends before the server handles them: 45 KB, which the buffers of a socket hold.
const ROUND: usize = 40;
/// A masking key that changes nothing: the receiver unmasks in place, and the same bytes are received again.
const KEY: [u8; 4] = [0; 4];

/// The part of the server that works.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Part {
    /// Decodes, checks and encodes text of 64 bytes
    Small,
    /// Decodes, checks and encodes text of 1 KiB
    Large,
    /// The whole server returns text of 64 bytes from its handler, sixteen messages per turn
    Turn,
    /// The same on a port that also has TLS, which the client does not use
    TurnBesideTls,
    /// The whole server passes text of 64 bytes to its handler, which drops it
    Sink,
    /// The whole server passes text of 64 bytes to the application as events
    Events,
    /// Decides about opening handshakes, without a token
    Handshake,
    /// Decides about opening handshakes with a proof of the token
    Proof,
}

/// Processes `messages`, rounded up to whole batches, or rounds of [`Part::Sink`].
pub(crate) fn work(part: Part, messages: usize) -> Result<()> {
    let batches = messages.div_ceil(PIPELINED);
    match part {
        Part::Small => codec(64, batches),
        Part::Large => codec(1024, batches),
        Part::Turn => turns(batches, Config::local()),
        Part::TurnBesideTls => turns(batches, config_with_tls()?),
        Part::Sink => sink(batches),
        Part::Events => events(batches),
        Part::Handshake => handshakes(messages, None),
        Part::Proof => handshakes(messages, Some([1; 16].into())),
    }
}

/// The same request each time, for a server that has not seen its proof.
fn handshakes(count: usize, token: Option<Token>) -> Result<()> {
    let challenger = Challenger::new("5f0c9a3be1d24477", [7; 32]);
    let exchange = Exchange::new(challenger.issue(Time::ZERO), [1; 16]);
    let credential = token.clone().map(|token| Credential::Proof(token, exchange));
    let request = Handshake::new([2; 16]).credential(credential).request(&"ws://127.0.0.1:8765".parse()?);
    let mut rules = AccessRules::default();
    rules.token = token;
    let context =
        RequestContext { ip: IpAddr::from([127, 0, 0, 1]), now: Time::ZERO, has_files: false, subprotocols: &[] };
    for _ in 0..count {
        let mut authenticator = Authenticator::new(challenger.clone());
        let decision = read_head(&request, context, &rules, &HandshakeLimits::default(), &mut authenticator);
        anyhow::ensure!(matches!(decision, Decision::Accept { .. }), "the handshake was refused");
    }
    Ok(())
}

fn batch(size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..PIPELINED {
        frame::encode(&mut bytes, Opcode::Text, &vec![b'x'; size], Some(KEY));
    }
    bytes
}

fn codec(size: usize, batches: usize) -> Result<()> {
    let mut bytes = batch(size);
    let length = bytes.len() - 4 * PIPELINED;
    let mut replies = Vec::new();
    let mut receiver = Receiver::default();
    let limits = MessageLimits::default();
    for _ in 0..batches {
        replies.clear();
        let mut input = &mut bytes[..];
        while let Some(Incoming::Text(text)) = receiver.next(&mut input, Role::Server, false, &limits, Time::ZERO)? {
            frame::encode(&mut replies, Opcode::Text, text.as_bytes(), None);
        }
        anyhow::ensure!(replies.len() == length, "not every message was encoded");
    }
    Ok(())
}

fn config_with_tls() -> Result<Config> {
    let mut config = Config::local();
    certificate::use_in(&mut config, &certificate::create(&certificate::directory())?, true)?;
    Ok(config)
}

fn turns(batches: usize, config: Config) -> Result<()> {
    let server = Server::start_with(config, |event, hub| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    })?;
    let mut client = client(&server)?;
    let messages = batch(64);
    let mut replies = vec![0; messages.len() - 4 * PIPELINED];
    for _ in 0..batches {
        client.write_all(&messages)?;
        client.read_exact(&mut replies)?;
    }
    Ok(())
}

/// The messages of a round are all in the socket before the server handles the second one. Otherwise the number of reads, and
/// with it the count, would depend on how the system alternates between the threads.
fn sink(batches: usize) -> Result<()> {
    let (written, all_written) = std::sync::mpsc::channel();
    let (done, all_received) = std::sync::mpsc::channel();
    let mut received = 0;
    let server = Server::start_with(Config::local(), move |event, _| {
        if let Event::MessageReceived { .. } = event {
            // The other ends wait below, and fail when this thread has ended.
            if received == 0 {
                let _ = all_written.recv();
            }
            received += 1;
            if received == ROUND * PIPELINED {
                received = 0;
                let _ = done.send(());
            }
        }
    })?;
    let mut client = client(&server)?;
    let messages = batch(64);
    for _ in 0..batches.div_ceil(ROUND) {
        (0..ROUND).try_for_each(|_| client.write_all(&messages))?;
        written.send(()).context("the server ended before it had received a message")?;
        all_received.recv().context("the server ended before it had received all messages")?;
    }
    Ok(())
}

fn events(batches: usize) -> Result<()> {
    let server = Server::start(Config::local())?;
    let mut client = client(&server)?;
    let messages = batch(64);
    // The connection stays open until all messages are received: closing it would discard those that are not read yet.
    let sender =
        std::thread::spawn(move || (0..batches).try_for_each(|_| client.write_all(&messages)).map(|()| client));
    let received = server.events().filter(|event| matches!(event, Event::MessageReceived { .. }));
    let received = received.take(batches * PIPELINED).count();
    anyhow::ensure!(received == batches * PIPELINED, "only {received} messages arrived");
    sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?.context("cannot send").map(drop)
}

fn client(server: &Server) -> Result<TcpStream> {
    let addr = ([127, 0, 0, 1], server.port()).into();
    let target = Target { addr, protocol: Protocol::WebSocket, secure: false, pid: None };
    connect_plain(&target, 1)?.pop().context("no connection")
}
