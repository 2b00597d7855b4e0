//! The development tasks of the halloo workspace. `cargo xtask test` runs every check that a change must pass.

#![allow(clippy::print_stdout, reason = "the program prints its results")]

mod suite;

mod cargo_test;
mod report;
mod tidy;

mod adversary;
mod autobahn;
mod avahi;
mod bench;
mod chromium;
mod counts;
mod cplusplus;
mod cross;
mod dist;
mod environments;
mod fuzz;
mod generate;
mod godot;
mod loom;
mod micropython;
mod miri;
mod mono;
mod nats;
mod netlab;
mod node;
mod package;
mod pages;
mod peers;
mod python;
mod release;
mod site;
mod vectors;
mod webkit;
mod wheels;
mod workflows;

mod ci;
mod command;
mod debian;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Run the development tasks of the halloo workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check: format, lints, tidy, tests, documentation, licences
    Test,
    /// Run the same checks as `test`
    Ci,
    /// Check the rules of this project that the compiler and clippy do not check
    Tidy,
    /// Write what follows from the table of settings and the help of the program: documentation and the addon's settings
    Generate,
    /// Write what the test vectors of clients in `vectors` expect
    Vectors,
    /// Measure discovery in network namespaces and print a table; see `netlab --help` for the cases
    #[command(disable_help_flag = true)]
    Netlab {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the Autobahn test suite against an echo server and require that every case passes strictly
    Autobahn {
        /// Run only the cases that match, for example `6.*`
        #[arg(default_value = "*")]
        cases: String,
    },
    /// Fuzz everything that reads from the network with cargo-fuzz
    Fuzz(fuzz::Options),
    /// Run the queues between threads in every order of their locks, with loom
    Loom,
    /// Run the tests of the queues between threads in Miri, which needs the nightly channel
    Miri,
    /// Run the adversarial tests against the release build; see `adversary --help` for the options
    #[command(disable_help_flag = true)]
    Adversary {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run a hundred misbehaving clients for --minutes N and check memory, descriptors and client counts
    #[command(disable_help_flag = true)]
    Soak {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Fetch Avahi for the interoperability tests and print the program that starts its programs
    Avahi,
    /// Fetch Mono for the tests of the client for C# and print the program that starts it
    Mono,
    /// Create the Python environment for the interoperability tests and print its interpreter
    Python,
    /// Install MicroPython for the tests of its client and print its directory
    Micropython,
    /// Install the NATS broker for the tests of clusters and print its program
    Nats,
    /// The same with the broker of Debian, an older one
    NatsDebian,
    /// Install the npm packages for the interoperability tests and print their directory
    Node,
    /// Find or fetch Chromium for the tests of the page and print its path
    Chromium,
    /// Install Vite for the test of a page that it builds, and print its directory
    Vite,
    /// Install Bun for the tests of the npm package and print its program
    Bun,
    /// Install Deno for the tests of the npm package and print its program
    Deno,
    /// Install the programs that examine the npm package and print their directory
    NpmTools,
    /// Fetch WebKit for the tests of the pad and print the program that starts its driver
    Webkit,
    /// Take the pictures of the pad and of the page in `docs`
    Pictures,
    /// Build the documentation site into `target/site` and check its links
    Site,
    /// Measure what the pad takes from its address to its first message: requests, bytes, milliseconds
    PadStart,
    /// Compare the speed with raw TCP and with other servers, print a table and write a report
    Bench(bench::Options),
    /// Count the instructions per message and compare them with the expected counts
    Counts,
    /// Pack the addon with the native library for this machine into `target/dist/halloo-godot-VERSION.zip`
    Dist {
        /// Pack the libraries in this directory instead, laid out as in `addons/halloo/bin`
        #[arg(value_name = "DIRECTORY", long)]
        libraries: Option<PathBuf>,
    },
    /// Pack the program, the Python and npm packages and the addon into `target/package`
    Package(package::Options),
    /// Make a version: date its changelog, set it everywhere, commit, tag and pack it
    Release(release::Options),
    /// Build for other platforms, run the tests of Windows and of Linux on arm64, and check that the others compile
    #[command(subcommand)]
    Cross(cross::Cross),
    /// Examine the workflows in `.github` with actionlint
    Workflows,
    /// Build the Python packages into `target/wheels` and check them in a fresh environment without the network
    Wheels,
    /// Find or fetch Godot for the tests of the addon and print its path
    Godot,
    /// Run the tests of the addon in Godot, with its native library and without
    GodotTest {
        /// Run only the tests whose names begin with this, for example `discovery`
        #[arg(default_value = "")]
        only: String,
    },
    /// Measure the addon in Godot, with its native library and without, and print a table
    GodotBench {
        /// Measure only this: `server`, or `pads`, which takes half a minute
        #[arg(default_value = "")]
        only: String,
    },
}

fn main() -> ExitCode {
    let root = command::workspace_root();
    let result = match Arguments::parse().task {
        Task::Test | Task::Ci => suite::run(&root),
        Task::Tidy => tidy::run(&root),
        Task::Generate => generate::run(&root),
        Task::Vectors => vectors::run(&root),
        Task::Netlab { arguments } => netlab::run(&root, &arguments),
        Task::Autobahn { cases } => autobahn::run(&root, &cases),
        Task::Fuzz(options) => fuzz::run(&root, &options),
        Task::Loom => loom::run(&root),
        Task::Miri => miri::run(&root),
        Task::Adversary { arguments } => adversary::run(&root, "adversary", &arguments),
        Task::Soak { arguments } => adversary::run(&root, "soak", &arguments),
        Task::Avahi => print_path(avahi::prepare(&root)),
        Task::Mono => print_path(mono::prepare(&root)),
        Task::Python => print_path(python::prepare(&root)),
        Task::Micropython => print_path(
            python::prepare(&root).and_then(|interpreter| micropython::prepare(&root, interpreter.as_deref())),
        ),
        Task::Nats => {
            print_path(python::prepare(&root).and_then(|interpreter| nats::prepare(&root, interpreter.as_deref())))
        }
        Task::NatsDebian => print_path(nats::prepare_debian(&root)),
        Task::Node => print_path(node::prepare(&root)),
        Task::Chromium => print_path(chromium::prepare(&root)),
        Task::Vite => print_path(node::prepare_vite(&root)),
        Task::Bun => print_path(node::prepare_bun(&root)),
        Task::Deno => print_path(node::prepare_deno(&root)),
        Task::NpmTools => print_path(node::prepare_npm_tools(&root)),
        Task::Webkit => print_path(webkit::prepare(&root)),
        Task::Pictures => pages::take_pictures(&root),
        Task::Site => site::run(&root),
        Task::PadStart => pages::measure_pad_start(&root),
        Task::Bench(options) => bench::run(&root, &options),
        Task::Counts => counts::test(&root),
        Task::Dist { libraries } => dist::run(&root, libraries.as_deref()),
        Task::Package(options) => package::run(&root, &options),
        Task::Release(options) => release::run(&root, &options),
        Task::Cross(task) => cross::run(&root, &task),
        Task::Workflows => workflows::check(&root).map(drop),
        Task::Wheels => wheels::run(&root),
        Task::Godot => print_path(godot::program::prepare(&root)),
        Task::GodotTest { only } => godot::test(&root, &only),
        Task::GodotBench { only } => godot::bench::run(&root, &only),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints where something is that the tests need, if it could be prepared.
fn print_path(prepared: anyhow::Result<Option<PathBuf>>) -> anyhow::Result<()> {
    if let Some(path) = prepared? {
        println!("{}", path.display());
    }
    Ok(())
}
