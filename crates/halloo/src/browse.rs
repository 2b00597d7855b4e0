//! Searching for servers: probes and beacons, a live list, a search that ends.

mod browser;
mod config;
mod event;
mod search;
mod server_info;

mod backlog;
mod check;
mod driver;
mod sockets;

pub use browser::Browser;
pub use config::BrowserConfig;
pub use event::BrowserEvent;
pub use halloo_proto::browser::DiscoveryMethod;
pub use search::{Search, discover, find};
pub use server_info::ServerInfo;
