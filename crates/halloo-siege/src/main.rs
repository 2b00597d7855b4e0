//! Attacks the program halloo as it is released, and measures what it keeps of its promises; `cargo xtask siege` and
//! `cargo xtask soak` build both and run this.

#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

mod soak;

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
    /// A hundred clients with every kind of trouble, for a long time
    Soak(soak::Options),
}

fn main() -> ExitCode {
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let arguments = Arguments::parse();
    let result = match &arguments.command {
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
