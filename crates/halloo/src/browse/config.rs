//! The settings of a browser, with their defaults.

use halloo_proto::defaults::DISCOVERY_PORT;

/// The settings of a [`Browser`](crate::Browser). Start from [`BrowserConfig::default`] and change what you need.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrowserConfig {
    /// UDP port that probes are sent to and beacons are received on; the nine after it are tried when it cannot be
    /// bound. Default: 8766.
    pub discovery_port: u16,
    /// Searches this machine only, and sends nothing to the network. Default: `false`.
    pub local: bool,
    /// Searches by multicast DNS, too, unless `local` is set. Default: `true`.
    #[cfg(feature = "mdns")]
    pub mdns: bool,
    /// The id of a server to leave out: your own, as [`Server::id`](crate::Server::id) returns it.
    pub ignore: Option<String>,
    /// Events that wait for the application; beyond, they are merged into one per server. Default: 1,024.
    pub max_events: usize,
}

impl Default for BrowserConfig {
    fn default() -> BrowserConfig {
        BrowserConfig {
            discovery_port: DISCOVERY_PORT,
            local: false,
            #[cfg(feature = "mdns")]
            mdns: true,
            ignore: None,
            // Each of the 256 servers that are remembered may come, change and go.
            max_events: 1024,
        }
    }
}
