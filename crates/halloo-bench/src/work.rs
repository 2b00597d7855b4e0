//! Work of a known amount, for counting instructions: what they cost is the same on a busy machine.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result};
use halloo::{Config, Event, Server};
use halloo_proto::Time;
use halloo_proto::frame::{self, Opcode, Role};
use halloo_proto::limits::MessageLimits;
use halloo_proto::message::{Incoming, Receiver};

use crate::load::{Protocol, Target, connect};

/// Messages that arrive with one read.
const PIPELINED: usize = 16;
/// Leaves the bytes as they are when the receiver unmasks them where they lie, so that they can be received again.
const KEY: [u8; 4] = [0; 4];

/// Which part of the server works.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Part {
    /// Text of 64 bytes is decoded, checked and encoded again.
    Small,
    /// The same with 1 KiB.
    Large,
    /// The whole server returns text of 64 bytes from its handler, sixteen messages with each turn.
    Turn,
    /// The whole server hands text of 64 bytes to its handler, which keeps none.
    Sink,
    /// The whole server hands text of 64 bytes to the application, as events.
    Events,
}

/// Does the work for `messages`, rounded up to whole batches.
pub(crate) fn work(part: Part, messages: usize) -> Result<()> {
    let batches = messages.div_ceil(PIPELINED);
    match part {
        Part::Small => codec(64, batches),
        Part::Large => codec(1024, batches),
        Part::Turn => turns(batches),
        Part::Sink => sink(batches),
        Part::Events => events(batches),
    }
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
    let mut answer = Vec::new();
    let mut receiver = Receiver::default();
    let limits = MessageLimits::default();
    for _ in 0..batches {
        answer.clear();
        let mut input = &mut bytes[..];
        while let Some(Incoming::Text(text)) = receiver.next(&mut input, Role::Server, false, &limits, Time::ZERO)? {
            frame::encode(&mut answer, Opcode::Text, text.as_bytes(), None);
        }
        anyhow::ensure!(answer.len() == length, "not every message came back");
    }
    Ok(())
}

fn turns(batches: usize) -> Result<()> {
    let server = Server::start_with(Config::local(), |event, hub| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    })?;
    let mut client = client(&server)?;
    let question = batch(64);
    let mut answer = vec![0; question.len() - 4 * PIPELINED];
    for _ in 0..batches {
        client.write_all(&question)?;
        client.read_exact(&mut answer)?;
    }
    Ok(())
}

fn sink(batches: usize) -> Result<()> {
    let (done, all_taken) = std::sync::mpsc::channel();
    let mut taken = 0;
    let server = Server::start_with(Config::local(), move |event, _| {
        if let Event::MessageReceived { .. } = event {
            taken += 1;
            if taken == batches * PIPELINED {
                // Whoever waits for it is there.
                let _ = done.send(());
            }
        }
    })?;
    let mut client = client(&server)?;
    let question = batch(64);
    (0..batches).try_for_each(|_| client.write_all(&question))?;
    all_taken.recv().context("the server ended first")
}

fn events(batches: usize) -> Result<()> {
    let server = Server::start(Config::local())?;
    let mut client = client(&server)?;
    let question = batch(64);
    // It stays open until all is taken: to close it would throw away what was not read yet.
    let sender =
        std::thread::spawn(move || (0..batches).try_for_each(|_| client.write_all(&question)).map(|()| client));
    let messages = server.events().filter(|event| matches!(event, Event::MessageReceived { .. }));
    let taken = messages.take(batches * PIPELINED).count();
    anyhow::ensure!(taken == batches * PIPELINED, "only {taken} messages arrived");
    sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?.context("cannot send").map(drop)
}

fn client(server: &Server) -> Result<TcpStream> {
    let addr = ([127, 0, 0, 1], server.port()).into();
    let target = Target { addr, protocol: Protocol::WebSocket, pid: None };
    connect(&target, 1)?.pop().context("no connection")
}
