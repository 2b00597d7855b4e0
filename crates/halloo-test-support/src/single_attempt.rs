//! A client that does not retry.

use halloo::{Client, ClientConfig};

/// Starts a client that makes a single attempt to connect to `url`, after `change` changed its settings.
pub fn single_attempt_client(url: &str, change: impl FnOnce(&mut ClientConfig)) -> Client {
    let mut config = ClientConfig::new(url);
    config.reconnect = false;
    change(&mut config);
    Client::start(config).unwrap()
}
