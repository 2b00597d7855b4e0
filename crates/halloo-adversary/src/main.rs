//! Attacks the release build of `halloo` and measures which of its promises hold. `cargo xtask adversary` and
//! `cargo xtask soak` build both programs and run this one.

#![allow(clippy::print_stdout, reason = "the program prints its results")]

mod adversary;

mod latencies;

mod scenarios;

mod faults;

mod soak;

mod context;
mod scenario;

mod baseline_load;
mod cores;
mod flooder;
mod forger;
mod forwarder;
mod halloo_client;
mod namespaces;
mod probe_client;
mod process;
mod server;
mod site;
mod tls_peer;
mod tls_server;

mod latency;
mod mdns_packets;
mod peer;
mod random;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Attacks the program halloo and measures which of its promises hold.
#[derive(Parser)]
struct Arguments {
    /// The program under attack
    #[arg(long, global = true, default_value = "target/release/halloo")]
    halloo: PathBuf,
    /// The core for servers, for a process that another one started
    #[arg(long, hide = true)]
    server_core: Option<usize>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the adversarial tests: every attack, and whether what is promised holds
    Adversary(adversary::Options),
    /// Run a hundred misbehaving clients for a long time
    Soak(soak::Options),
    /// Run the part of a scenario that needs a network namespace
    #[command(hide = true)]
    InNamespace { scenario: String, size: String },
    /// Run a helper process on another device of a scenario
    #[command(hide = true)]
    Helper {
        #[command(subcommand)]
        helper: namespaces::Helper,
    },
}

fn main() -> ExitCode {
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let arguments = Arguments::parse();
    if let Some(core) = arguments.server_core {
        cores::adopt(core);
    }
    let result = match &arguments.command {
        Command::Adversary(options) => adversary::run(&arguments.halloo, options),
        Command::InNamespace { scenario, size } => in_namespace(&arguments.halloo, scenario, size),
        Command::Helper { helper } => namespaces::run_helper(helper),
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

fn in_namespace(halloo: &Path, scenario: &str, size: &str) -> anyhow::Result<()> {
    if scenario == latencies::NAME {
        return latencies::measure(halloo, size);
    }
    let finding = match scenario {
        "dead-links" => scenarios::dead_links(halloo, size)?,
        "descriptor-limit-addresses" => scenarios::change_addresses(halloo, size)?,
        "multicast-dns-flood" => scenarios::multicast_dns_flood(halloo, size)?,
        "small-probes" => scenarios::small_probes(halloo, size)?,
        "forged-goodbyes" => scenarios::forge_goodbyes(halloo, size)?,
        "made-up-servers" => scenarios::make_up_servers(halloo, size)?,
        "link-down" => faults::link_down(halloo, size)?,
        "address-change" => faults::address_change(halloo, size)?,
        "full-disk" => faults::full_disk(halloo, size)?,
        _ => anyhow::bail!("no scenario called {scenario} runs in a namespace"),
    };
    println!("{}", finding.to_line());
    Ok(())
}
