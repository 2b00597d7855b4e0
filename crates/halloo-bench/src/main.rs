//! Measures halloo beside raw TCP and other WebSocket servers; `cargo xtask bench` prepares them and runs this.

#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

mod compare;

mod scenario;

mod runner;

mod measure;
mod strace;

mod load;
mod peer;
mod serve;
mod work;

mod machine;
mod report;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures halloo beside raw TCP and other WebSocket servers.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the servers that were prepared, and report
    Compare(compare::Options),
    /// Serve until killed: one of the servers that are measured
    Serve {
        /// Which server
        kind: serve::Kind,
        /// What it does with a message
        role: serve::Role,
        /// The port on 127.0.0.1
        port: u16,
    },
    /// Do a known amount of work, for counting instructions
    Work {
        /// Which part of the server
        part: work::Part,
        /// How many messages
        messages: usize,
    },
}

fn main() -> ExitCode {
    machine::raise_descriptors();
    let result = match Arguments::parse().command {
        Command::Compare(options) => compare::compare(&options),
        Command::Serve { kind, role, port } => serve::serve(kind, role, port),
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
