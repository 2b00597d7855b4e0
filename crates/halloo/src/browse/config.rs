//! The settings of a browser, with their defaults.

use halloo_proto::defaults::DISCOVERY_PORT;
use halloo_proto::interface_filter::InterfaceFilter;
use halloo_proto::setters;

setters! {
    /// The settings of a [`Browser`](crate::Browser). Start from [`BrowserConfig::default`] and change what you need.
    #[derive(Clone, Debug)]
    #[non_exhaustive]
    pub struct BrowserConfig {
        /// UDP port that probes are sent to and beacons are received on. If it cannot be bound, the nine ports after it are
        /// tried. Default: 8766.
        pub discovery_port: u16,
        /// Searches this machine only, and sends nothing to the network. Default: `false`.
        pub local: bool,
        /// Also searches by multicast DNS, unless `local` is set. Default: `true`.
        [cfg(feature = "mdns")]
        pub mdns: bool,
        /// The id of a server to ignore, such as your own ([`Server::id`](crate::Server::id)). Default: `None`.
        pub ignore(into): Option<String>,
        /// Finds only servers with this application id ([`Config::app`](crate::Config::app)), which is compared like a name.
        /// Servers without one are not found then. `None` for all servers. Default: `None`.
        pub app(into): Option<String>,
        /// Names of the network interfaces to search on, such as `wlan0`; `*` stands for any characters. Default: none,
        /// which stands for all.
        pub interfaces: Vec<String>,
        /// Names of network interfaces not to search on, such as `docker*`, in the same form. Default: none.
        pub excluded_interfaces: Vec<String>,
        /// Maximum number of queued events. While the queue is full, further events are merged into one per server.
        /// Default: 1,024.
        pub max_events: usize,
    }
}

impl BrowserConfig {
    /// Returns the filter for the interfaces to search on.
    pub(super) fn interface_filter(&self) -> InterfaceFilter {
        InterfaceFilter::new(&self.interfaces, &self.excluded_interfaces)
    }
}

impl Default for BrowserConfig {
    fn default() -> BrowserConfig {
        BrowserConfig {
            discovery_port: DISCOVERY_PORT,
            local: false,
            #[cfg(feature = "mdns")]
            mdns: true,
            ignore: None,
            app: None,
            interfaces: Vec::new(),
            excluded_interfaces: Vec::new(),
            // Four for each of the 256 servers that are stored.
            max_events: 1024,
        }
    }
}
