//! The chores of the halloo workspace: `cargo xtask test` is the one command that decides whether a change is good.

#![allow(clippy::print_stdout, reason = "printing is what a chore is for")]

mod suite;

mod report;
mod tidy;

mod bench;
mod netlab;
mod peers;

mod command;
mod python;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The chores of the halloo workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every check there is: format, lints, house rules, tests, documentation, licences
    Test,
    /// The same as `test`, under the name a build service looks for
    Ci,
    /// Check the house rules that no compiler checks
    Tidy,
    /// Measure discovery in network namespaces and print the table; --help tells the cases
    Netlab {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Prepare the Python environment of the interoperability tests and print its interpreter
    Python,
    /// Compare with raw TCP and with other servers; prints a table, writes a report
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let root = command::workspace_root();
    let result = match Arguments::parse().chore {
        Chore::Test | Chore::Ci => suite::run(&root),
        Chore::Tidy => tidy::run(&root),
        Chore::Netlab { arguments } => netlab::run(&root, &arguments),
        Chore::Python => python::run(&root),
        Chore::Bench(options) => bench::run(&root, &options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
