//! The options of a server in a cluster.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use halloo::Server;
use halloo_cluster::{Cluster, ClusterConfig, Credentials};

/// The name of a cluster without one.
const DEFAULT_NAME: &str = "halloo";

#[derive(Args, Debug)]
pub(crate) struct ClusterArgs {
    #[command(flatten)]
    brokers: BrokerArgs,
    /// Number of servers in the cluster when all are there; with fewer, its status is not complete.
    #[arg(long, env = "HALLOO_CLUSTER_SIZE", value_name = "SERVERS", default_value_t = 1, hide_default_value = true,
        value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Cluster")]
    cluster_size: u32,
    /// Exit if no broker can be used at the start, instead of serving the own clients until one can.
    #[arg(long, env = "HALLOO_CLUSTER_REQUIRED", help_heading = "Cluster")]
    cluster_required: bool,
}

/// How the brokers are reached.
#[derive(Args, Debug)]
pub(crate) struct BrokerArgs {
    /// Join a cluster over these NATS brokers, such as nats://10.0.0.1:4222: messages to all, to rooms and to clients reach those of
    /// all servers in it.
    ///
    /// Servers with the same `--cluster-name` belong together. Prefer HALLOO_CLUSTER for an address with a password: other
    /// programs can read the command line.
    #[arg(long, env = "HALLOO_CLUSTER", value_name = "URLS", value_parser = parse_brokers, help_heading = "Cluster")]
    cluster: Option<Brokers>,
    /// Credentials file for the broker, as `nsc generate creds` writes it.
    #[arg(long, env = "HALLOO_CLUSTER_CREDS", value_name = "FILE", help_heading = "Cluster")]
    cluster_creds: Option<PathBuf>,
}

/// Addresses of brokers, which may contain passwords.
#[derive(Clone)]
struct Brokers(String);

impl fmt::Debug for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Brokers(…)")
    }
}

/// Parses addresses; never fails, since clap repeats what is invalid.
fn parse_brokers(text: &str) -> Result<Brokers, std::convert::Infallible> {
    Ok(Brokers(text.to_owned()))
}

impl BrokerArgs {
    /// Returns how the cluster is reached, if there is one.
    pub(crate) fn config(&self, name: Option<&str>) -> anyhow::Result<Option<ClusterConfig>> {
        let Some(brokers) = self.cluster.as_ref().filter(|brokers| !brokers.0.trim().is_empty()) else {
            return Ok(None);
        };
        let brokers = brokers.0.split(',').map(str::trim).filter(|broker| !broker.is_empty());
        let credentials = self.cluster_creds.as_ref().map(|path| {
            let read = std::fs::read_to_string(path).map(Credentials::new);
            read.with_context(|| format!("cannot read the credentials file {}; name another file", path.display()))
        });
        let config = ClusterConfig::new(name.unwrap_or(DEFAULT_NAME), brokers);
        Ok(Some(config.credentials(credentials.transpose()?)))
    }
}

impl ClusterArgs {
    /// Lets `server` join the cluster, if there is to be one.
    pub(crate) fn join(&self, server: &Server, name: Option<&str>) -> anyhow::Result<Option<Cluster>> {
        let Some(config) = self.brokers.config(name)? else { return Ok(None) };
        let config = config.size(self.cluster_size as usize).required(self.cluster_required);
        Ok(Some(Cluster::start(server, config)?))
    }
}
