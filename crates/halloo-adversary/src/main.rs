//! Attacks the program halloo as it is released, and measures what it keeps of its promises; `cargo xtask adversary` and
//! `cargo xtask soak` build both and run this.

#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

mod adversary;

mod context;
mod rows;

mod faults;

mod soak;

mod cores;
mod forwarder;
mod honest;
mod lab;
mod native;
mod server;

mod peer;
mod random;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Attacks the program halloo, and measures what it keeps of its promises.
#[derive(Parser)]
struct Arguments {
    /// The program under attack
    #[arg(long, global = true, default_value = "target/release/halloo")]
    halloo: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every attack, and whether what is promised is kept
    Adversary(adversary::Options),
    /// A hundred clients with every kind of trouble, for a long time
    Soak(soak::Options),
    /// What runs in a namespace of its own
    #[command(hide = true)]
    Inside { what: String, size: String },
    /// What is played by a neighbour
    #[command(hide = true)]
    Play {
        #[command(subcommand)]
        part: lab::Part,
    },
}

fn main() -> ExitCode {
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Adversary(options) => adversary::run(&arguments.halloo, options),
        Command::Inside { what, size } => inside(&arguments.halloo, what, size),
        Command::Play { part } => lab::play(part),
        Command::Soak(options) => soak::run(&arguments.halloo, options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn inside(halloo: &std::path::Path, what: &str, size: &str) -> anyhow::Result<()> {
    let finding = match what {
        "links" => rows::cut(halloo, size)?,
        "dead-link" => faults::dead_link(halloo, size)?,
        "address" => faults::address_change(halloo, size)?,
        "full-disk" => faults::full_disk(halloo, size)?,
        _ => anyhow::bail!("nothing of that name runs in a namespace"),
    };
    println!("{} {}", if finding.held { "held" } else { "broken" }, finding.measured);
    Ok(())
}
