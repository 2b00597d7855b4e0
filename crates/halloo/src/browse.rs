//! The discovering side: ask who is there, and listen to who calls.

mod browser;
mod search;
mod server_info;

mod backlog;
mod check;
mod driver;
mod sockets;

pub use browser::{Browser, BrowserConfig, BrowserEvent};
pub use halloo_proto::browser::DiscoveryMethod;
pub use search::{Search, discover, find};
pub use server_info::ServerInfo;
