//! The chores of the halloo workspace: `cargo xtask test` is the one command that decides whether a change is good.

#![allow(clippy::print_stdout, reason = "printing is what a chore is for")]

mod suite;

mod report;
mod tidy;

mod adversary;
mod autobahn;
mod bench;
mod counts;
mod dist;
mod fuzz;
mod generate;
mod godot;
mod netlab;
mod node;
mod peers;
mod python;

mod command;
mod debian;

use std::path::PathBuf;
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
    /// Write the lists that follow from the table of settings: documentation and the addon's settings
    Generate,
    /// Measure discovery in network namespaces and print the table; --help tells the cases
    Netlab {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the Autobahn suite against an echo server of the library; fails when a case is not passed strictly
    Autobahn {
        /// Only those that match, for example `6.*`
        #[arg(default_value = "*")]
        cases: String,
    },
    /// Throw random bytes at everything that reads from a network, with cargo-fuzz
    Fuzz(fuzz::Options),
    /// Attack the program as it is released, and measure what it keeps of its promises; --help tells more
    Adversary {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// A hundred clients with every kind of trouble for --minutes N; memory, descriptors and counts must hold
    Soak {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Prepare the Python environment of the interoperability tests and print its interpreter
    Python,
    /// Prepare the npm packages of the interoperability tests and print their directory
    Node,
    /// Compare with raw TCP and with other servers; prints a table, writes a report
    Bench(bench::Options),
    /// Count the instructions for a message, which are the same on a busy machine, and compare with what they were
    Counts,
    /// Pack the addon for the Asset Library, with the native library of this machine: `target/dist/halloo-godot-VERSION.zip`
    Dist {
        /// Pack these libraries instead, laid out as in `addons/halloo/bin`
        #[arg(value_name = "DIRECTORY", long)]
        libraries: Option<PathBuf>,
    },
    /// Find or fetch a Godot for the tests of the addon and print its program
    Godot,
    /// Run the tests of the addon in that Godot, with its native library and without
    GodotTest {
        /// Only those whose names begin so, for example `discovery`
        #[arg(default_value = "")]
        only: String,
    },
    /// Measure the addon in that Godot, with its native library and without, and print a table
    GodotBench,
}

fn main() -> ExitCode {
    let root = command::workspace_root();
    let result = match Arguments::parse().chore {
        Chore::Test | Chore::Ci => suite::run(&root),
        Chore::Tidy => tidy::run(&root),
        Chore::Generate => generate::run(&root),
        Chore::Netlab { arguments } => netlab::run(&root, &arguments),
        Chore::Autobahn { cases } => autobahn::run(&root, &cases),
        Chore::Fuzz(options) => fuzz::run(&root, &options),
        Chore::Adversary { arguments } => adversary::run(&root, "adversary", &arguments),
        Chore::Soak { arguments } => adversary::run(&root, "soak", &arguments),
        Chore::Python => python::run(&root),
        Chore::Node => node::run(&root),
        Chore::Bench(options) => bench::run(&root, &options),
        Chore::Counts => counts::test(&root),
        Chore::Dist { libraries } => dist::run(&root, libraries.as_deref()),
        Chore::Godot => godot::run(&root),
        Chore::GodotTest { only } => godot::test(&root, &only),
        Chore::GodotBench => godot::bench::run(&root),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
