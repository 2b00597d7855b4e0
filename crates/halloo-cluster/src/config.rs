//! The settings of a node.

use std::fmt;

/// How a node joins its cluster.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterConfig {
    /// The name of the cluster, 1 to 64 bytes: nodes with the same name on the same broker belong together.
    pub name: String,
    /// The addresses of the brokers, such as `nats://10.0.0.1:4222`; tried in this order. A user and a password, or a
    /// token, may be part of an address: `nats://user:password@10.0.0.1`.
    pub brokers: Vec<String>,
    /// How many nodes there are when all are there; with fewer, [`ClusterStatus::complete`](halloo::ClusterStatus::complete)
    /// is `false`. Default: 1, for a number that is not known.
    pub size: usize,
    /// The content of a credentials file of NATS. Default: none.
    pub credentials: Option<Credentials>,
    /// Whether [`Cluster::start`](crate::Cluster::start) waits for a broker and fails without one. Default: `false`, so
    /// that the server serves its own clients meanwhile.
    pub required: bool,
}

impl ClusterConfig {
    /// Returns the settings of a node of the cluster `name`, with defaults.
    pub fn new<B: Into<String>>(name: impl Into<String>, brokers: impl IntoIterator<Item = B>) -> ClusterConfig {
        let brokers = brokers.into_iter().map(Into::into).collect();
        ClusterConfig { name: name.into(), brokers, size: 1, credentials: None, required: false }
    }

    /// Sets [`size`](ClusterConfig::size).
    #[must_use]
    pub fn size(mut self, size: usize) -> ClusterConfig {
        self.size = size;
        self
    }

    /// Sets [`credentials`](ClusterConfig::credentials).
    #[must_use]
    pub fn credentials(mut self, credentials: impl Into<Option<Credentials>>) -> ClusterConfig {
        self.credentials = credentials.into();
        self
    }

    /// Sets [`required`](ClusterConfig::required).
    #[must_use]
    pub fn required(mut self, required: bool) -> ClusterConfig {
        self.required = required;
        self
    }
}

/// The content of a credentials file of NATS, which `Debug` does not show.
#[derive(Clone)]
pub struct Credentials(String);

impl Credentials {
    /// Takes the content of a file.
    pub fn new(content: impl Into<String>) -> Credentials {
        Credentials(content.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}
