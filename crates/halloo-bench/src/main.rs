//! Compares the speed of halloo with raw TCP and with other WebSocket servers. `cargo xtask bench` prepares the servers and
//! runs this program.

#![allow(clippy::print_stdout, reason = "the program prints its results")]

mod certificate;
mod compare;

mod scenario;

mod runner;

mod measure;
mod strace;

mod files;
mod load;
mod peer;
mod rooms;
mod serve;
mod work;

mod machine;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Compares the speed of halloo with raw TCP and with other WebSocket servers.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the prepared servers and write a report
    Compare(compare::Options),
    /// Run one of the servers to compare until it is killed
    Serve {
        /// A directory to publish on the port; only for halloo
        #[arg(long, value_name = "DIRECTORY")]
        www: Option<PathBuf>,
        /// The server to run
        kind: serve::Kind,
        /// What it does with a message
        role: serve::Role,
        /// The port on 127.0.0.1
        port: u16,
        /// A file with a certificate and its key, for TLS
        certificate: Option<PathBuf>,
    },
    /// Measure messages to rooms and the memory of rooms
    Rooms,
    /// Serve the clients of `rooms` whose memory is measured
    #[command(hide = true)]
    RoomServer,
    /// Measure published files: the start, messages beside downloads, and the memory of slow readers
    Files(files::Options),
    /// Process a known number of messages, so that instructions per message can be counted
    Work {
        /// The part of the server that works
        part: work::Part,
        /// The number of messages
        messages: usize,
    },
}

fn main() -> ExitCode {
    machine::raise_open_file_limit();
    let result = match Arguments::parse().command {
        Command::Compare(options) => compare::compare(&options),
        Command::Serve { www, kind, role, port, certificate } => {
            serve::serve(kind, role, port, certificate.as_deref(), www.as_deref())
        }
        Command::Rooms => rooms::rooms(),
        Command::RoomServer => rooms::room_server(),
        Command::Files(options) => files::files(&options),
        Command::Work { part, messages } => work::work(part, messages),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
