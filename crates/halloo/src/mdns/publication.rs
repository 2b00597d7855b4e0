//! A server as a service of DNS-SD.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use halloo_proto::announcement::clean;
use mdns_sd::{DaemonEvent, IfKind, RRType, Receiver, ServiceDaemon, ServiceInfo};

use super::SERVICE;
use crate::Config;
use crate::shared::Shared;

/// Bytes of a name, so that the number which tells it from a namesake still fits into a label of 63 (RFC 1035).
const LABEL: usize = 56;
/// How long a server that stops waits until its goodbye is sent, which takes a millisecond.
const PATIENCE: Duration = Duration::from_millis(500);

/// Publishes the server while discovery is on, whether or not somebody is connected.
pub(crate) struct Publication {
    wanted: bool,
    bind: Option<IpAddr>,
    shared: Arc<Shared>,
    id: String,
    /// Made by the first start, for it has a thread and sockets.
    daemon: Option<ServiceDaemon>,
    /// The name it is registered by.
    published: Option<String>,
}

impl Publication {
    /// Prepares to publish, unless the configuration does not want it or the server is for this machine only.
    pub(crate) fn new(config: &Config, shared: &Arc<Shared>, id: &str) -> Publication {
        let bind = config.bind.filter(|ip| !ip.is_unspecified());
        // Only IPv4 is announced, as by beacons.
        let reachable = bind.is_none_or(|ip| ip.is_ipv4() && !ip.is_loopback());
        let (wanted, id) = (config.mdns && reachable, id.to_owned());
        Publication { wanted, bind, shared: Arc::clone(shared), id, daemon: None, published: None }
    }

    /// Publishes the server. A failure is told in the log, for there are beacons, too.
    pub(crate) fn start(&mut self) {
        if self.wanted
            && self.published.is_none()
            && let Err(error) = self.try_to_start()
        {
            tracing::warn!("cannot publish the server by multicast DNS: {error}");
        }
    }

    /// Takes the server back, and says so to the network.
    pub(crate) fn stop(&mut self) {
        if let (Some(daemon), Some(name)) = (&self.daemon, self.published.take())
            && let Err(error) = daemon.unregister(&name)
        {
            tracing::debug!("cannot take the service {name} back: {error}");
        }
        *self.shared.local_name.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Says goodbye, and ends the daemon's thread.
    pub(crate) fn goodbye(&mut self) {
        self.stop();
        if let Some(ended) = self.daemon.take().and_then(|daemon| daemon.shutdown().ok()) {
            // When it takes longer, the service is forgotten by its time to live.
            let _ = ended.recv_timeout(PATIENCE);
        }
    }

    fn try_to_start(&mut self) -> Result<(), mdns_sd::Error> {
        let host = format!("{}.local", host_label(&self.shared.name));
        let txt = [("v", "2"), ("id", self.id.as_str()), ("path", "/")];
        let (instance, qualified) = (instance(&self.shared.name), format!("{host}."));
        let mut service =
            ServiceInfo::new(SERVICE, &instance, &qualified, (), self.shared.port, &txt[..])?.enable_addr_auto();
        service.set_interfaces(vec![self.bind.map_or(IfKind::IPv4, IfKind::Addr)]);
        let daemon = match self.daemon.take() {
            Some(daemon) => daemon,
            None => daemon(&self.shared, host)?,
        };
        let daemon = self.daemon.insert(daemon);
        let name = service.get_fullname().to_owned();
        daemon.register(service)?;
        self.published = Some(name);
        Ok(())
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.goodbye();
    }
}

/// Starts the thread that speaks multicast DNS, and another that listens to what it tells.
fn daemon(shared: &Arc<Shared>, host: String) -> Result<ServiceDaemon, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    daemon.disable_interface(vec![IfKind::IPv6, IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    let (events, shared) = (daemon.monitor()?, Arc::clone(shared));
    let listen = move || listen(&events, &shared, host);
    if let Err(error) = std::thread::Builder::new().name("halloo-mdns".into()).spawn(listen) {
        tracing::debug!("the name under which the server is published cannot be learned: {error}");
    }
    Ok(daemon)
}

/// Follows the name, which is another than asked for when the network knows that one already. Ends with the daemon.
fn listen(events: &Receiver<DaemonEvent>, shared: &Shared, mut host: String) {
    while let Ok(event) = events.recv() {
        match event {
            DaemonEvent::NameChange(change) if change.rr_type == RRType::A => {
                host = change.new_name.trim_end_matches('.').to_owned();
            }
            DaemonEvent::Announce(..) => {
                let mut known = shared.local_name.lock().unwrap_or_else(PoisonError::into_inner);
                // Told once for all interfaces.
                if known.as_ref() != Some(&host) {
                    tracing::info!("published as http://{host}:{}", shared.port);
                    *known = Some(host.clone());
                }
            }
            DaemonEvent::Error(error) => tracing::debug!("multicast DNS: {error}"),
            _ => {}
        }
    }
}

/// The name as people see it in lists of services.
fn instance(name: &str) -> String {
    let mut instance = clean(name, LABEL);
    while instance.len() > LABEL {
        instance.pop();
    }
    if instance.trim().is_empty() { "halloo".into() } else { instance }
}

/// The name as a host: small letters, digits and single hyphens between them (RFC 1123).
fn host_label(name: &str) -> String {
    let mut label = String::new();
    for character in name.chars() {
        if label.len() == LABEL {
            break;
        } else if character.is_ascii_alphanumeric() {
            label.push(character.to_ascii_lowercase());
        } else if !label.is_empty() && !label.ends_with('-') {
            label.push('-');
        }
    }
    let label = label.trim_end_matches('-');
    if label.is_empty() { "halloo".into() } else { label.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_host() {
        let hosts = ["Living room", "  Ä-Bühne (2) ", "居間", "", "x_y.z"].map(host_label);
        assert_eq!(hosts, ["living-room", "b-hne-2", "halloo", "halloo", "x-y-z"]);
        assert_eq!(host_label(&"a".repeat(100)).len(), LABEL);
    }

    #[test]
    fn a_name_fits_into_a_label() {
        assert_eq!(instance("Living room 居間"), "Living room 居間");
        assert_eq!(instance(&"居".repeat(30)), "居".repeat(18));
        assert_eq!(instance("\u{202e}\n "), "halloo");
    }
}
