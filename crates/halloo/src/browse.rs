//! Finding servers on the local network: [`Browser`], a live list, and [`Search`], which ends after a timeout.

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
pub use search::{FoundServers, Search, discover, find};
pub use server_info::ServerInfo;
