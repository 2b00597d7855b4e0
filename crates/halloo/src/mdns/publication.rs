//! Publishes a server as a DNS-SD service.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use halloo_proto::announcement::{MAX_NAME_CHARS, clean};
use halloo_proto::interface_filter::InterfaceFilter;
use halloo_proto::meta::Meta;
use mdns_sd::{DaemonEvent, IfKind, RRType, Receiver, ServiceDaemon, ServiceInfo};

use super::{SERVICE_TYPE, unused_interfaces};
use crate::Config;
use crate::shared::Shared;

/// Maximum bytes of a name. A label has at most 63 (RFC 1035); the rest is for the number that is appended if the name
/// is already in use.
const MAX_NAME_BYTES: usize = 56;
/// Maximum bytes of the TXT record, so that it fits into one packet with the other records (RFC 6763 section 6.2).
const MAX_TXT_BYTES: usize = 1000;
/// Maximum bytes of a string in it, with its key (RFC 6763 section 6.1).
const MAX_TXT_STRING_BYTES: usize = 255;
/// What is appended to the host name of this machine, see [`free_host_label`].
const HOST_SUFFIX: &str = "-halloo";

/// Maximum time that a stopping server waits for its goodbye to be sent, which usually takes a millisecond.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);

/// Publishes the server while discovery is enabled, also while clients are connected.
pub(crate) struct Publication {
    enabled: bool,
    bind: Option<IpAddr>,
    filter: InterfaceFilter,
    shared: Arc<Shared>,
    id: String,
    /// Created by the first start, because it has a thread and sockets.
    daemon: Option<ServiceDaemon>,
    /// The full name of the service while it is registered.
    registered_name: Option<String>,
}

impl Publication {
    /// Publishes nothing if the configuration disables it or other machines cannot reach the server.
    pub(crate) fn new(config: &Config, shared: &Arc<Shared>, id: &str) -> Publication {
        let bind = config.bind.filter(|ip| !ip.is_unspecified());
        // Only IPv4 addresses are announced, as in beacons.
        let reachable = bind.is_none_or(|ip| ip.is_ipv4() && !ip.is_loopback());
        let (enabled, id) = (config.mdns && reachable, id.to_owned());
        let filter = config.interface_filter();
        Publication { enabled, bind, filter, shared: Arc::clone(shared), id, daemon: None, registered_name: None }
    }

    /// Publishes the server. A failure is only logged, because beacons work without it.
    pub(crate) fn start(&mut self) {
        if self.enabled
            && self.registered_name.is_none()
            && let Err(error) = self.register()
        {
            tracing::warn!("cannot publish the server by multicast DNS: {error}");
        }
    }

    /// Publishes the present TXT record, if the server is published.
    pub(crate) fn update(&mut self) {
        if self.registered_name.is_some()
            && let Err(error) = self.register()
        {
            tracing::warn!("cannot publish the changed properties by multicast DNS: {error}");
        }
    }

    /// Unregisters the service, which sends a goodbye (RFC 6762 section 10.1).
    pub(crate) fn stop(&mut self) {
        if let (Some(daemon), Some(name)) = (&self.daemon, self.registered_name.take())
            && let Err(error) = daemon.unregister(&name)
        {
            tracing::debug!("cannot unregister the service {name}: {error}");
        }
        *self.shared.local_name.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Unregisters the service and shuts down the daemon.
    pub(crate) fn shutdown(&mut self) {
        self.stop();
        if let Some(stopped) = self.daemon.take().and_then(|daemon| daemon.shutdown().ok()) {
            // If that takes longer, the records of the service expire when their time to live ends.
            let _ = stopped.recv_timeout(GOODBYE_TIMEOUT);
        }
    }

    fn register(&mut self) -> Result<(), mdns_sd::Error> {
        let host = planned_host(&self.shared.name);
        let txt = txt(&self.id, self.shared.app.as_deref(), &self.shared.meta());
        let (instance, qualified_host) = (instance_name(&self.shared.name), format!("{host}."));
        let mut service = ServiceInfo::new(SERVICE_TYPE, &instance, &qualified_host, (), self.shared.port, &txt[..])?
            .enable_addr_auto();
        service.set_interfaces(vec![self.bind.map_or(IfKind::IPv4, IfKind::Addr)]);
        let daemon = match self.daemon.take() {
            Some(daemon) => daemon,
            None => start_daemon(&self.shared, host, self.filter.clone())?,
        };
        let daemon = self.daemon.insert(daemon);
        let name = service.get_fullname().to_owned();
        daemon.register(service)?;
        self.registered_name = Some(name);
        Ok(())
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Starts the multicast DNS daemon and a thread that handles its events.
fn start_daemon(shared: &Arc<Shared>, host: String, filter: InterfaceFilter) -> Result<ServiceDaemon, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    daemon.disable_interface(unused_interfaces(filter))?;
    let (events, shared) = (daemon.monitor()?, Arc::clone(shared));
    let handle = move || handle_events(&events, &shared, host);
    if let Err(error) = std::thread::Builder::new().name("halloo-mdns".into()).spawn(handle) {
        tracing::debug!("cannot start a thread for multicast DNS events, so the host name stays unknown: {error}");
    }
    Ok(daemon)
}

/// Keeps the host name in `shared` up to date. It differs from `host` if that name is already in use on the network.
/// Returns when the daemon shuts down.
fn handle_events(events: &Receiver<DaemonEvent>, shared: &Shared, mut host: String) {
    while let Ok(event) = events.recv() {
        match event {
            DaemonEvent::NameChange(change) if change.rr_type == RRType::A => {
                host = change.new_name.trim_end_matches('.').to_owned();
            }
            DaemonEvent::Announce(..) => {
                let mut local_name = shared.local_name.lock().unwrap_or_else(PoisonError::into_inner);
                // There is one event per interface, but one log line is enough.
                if local_name.as_ref() != Some(&host) {
                    tracing::info!("published as {}://{host}:{}", shared.security.scheme(true), shared.port);
                    *local_name = Some(host.clone());
                }
            }
            DaemonEvent::Error(error) => tracing::debug!("multicast DNS: {error}"),
            _ => {}
        }
    }
}

/// Returns the pairs of the TXT record. The keys of properties have a prefix, so that they differ from those of later
/// versions. What does not fit is left out, starting with the last property.
fn txt(id: &str, app: Option<&str>, meta: &Meta) -> Vec<(String, String)> {
    let mut txt = vec![("v".to_owned(), "2".to_owned()), ("id".into(), id.into()), ("path".into(), "/".into())];
    txt.extend(app.map(|app| ("app".into(), clean(app, MAX_NAME_CHARS))));
    txt.extend(meta.iter().map(|(key, value)| (format!("meta.{key}"), value.to_owned())));
    // With the equals sign.
    let string_bytes = |(key, value): &(String, String)| key.len() + 1 + value.len();
    txt.retain(|pair| string_bytes(pair) <= MAX_TXT_STRING_BYTES);
    // Each string has a byte for its length.
    while txt.iter().map(|pair| 1 + string_bytes(pair)).sum::<usize>() > MAX_TXT_BYTES {
        txt.pop();
    }
    txt
}

/// Returns the service instance name, which service browsers display.
fn instance_name(name: &str) -> String {
    let mut instance = clean(name, MAX_NAME_BYTES);
    while instance.len() > MAX_NAME_BYTES {
        instance.pop();
    }
    if instance.trim().is_empty() { "halloo".into() } else { instance }
}

/// Returns the name as a host label: lower-case letters, digits and single hyphens between them (RFC 1123 section 2.1).
fn host_label(name: &str) -> String {
    let mut label = String::new();
    for character in name.chars() {
        if label.len() == MAX_NAME_BYTES {
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

/// Returns the host name to publish for a server, unless another machine has it.
pub(crate) fn planned_host(name: &str) -> String {
    format!("{}.local", free_host_label(name, &gethostname::gethostname().to_string_lossy()))
}

/// Returns the name as a host label that is not the one of this machine: the system publishes that itself, and two
/// publishers of a name with other records each take the other one for another machine.
fn free_host_label(name: &str, own_host: &str) -> String {
    let label = host_label(name);
    let own_label = own_host.split('.').next().unwrap_or_default();
    if !label.eq_ignore_ascii_case(own_label) {
        return label;
    }
    let stem = label.get(..MAX_NAME_BYTES - HOST_SUFFIX.len()).unwrap_or(&label);
    format!("{}{HOST_SUFFIX}", stem.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_label_of_this_machine_is_left_to_its_system() {
        assert_eq!(free_host_label("Den", "den.lan"), "den-halloo");
        assert_eq!(free_host_label("Living room", "den"), "living-room");
        let long = "a".repeat(MAX_NAME_BYTES);
        assert_eq!(free_host_label(&long, &long).len(), MAX_NAME_BYTES);
    }

    #[test]
    fn host_label_contains_only_letters_digits_and_hyphens() {
        let hosts = ["Living room", "  Ä-Bühne (2) ", "居間", "", "x_y.z"].map(host_label);
        assert_eq!(hosts, ["living-room", "b-hne-2", "halloo", "halloo", "x-y-z"]);
        assert_eq!(host_label(&"a".repeat(100)).len(), MAX_NAME_BYTES);
    }

    #[test]
    fn txt_record_has_the_application_and_the_properties_that_fit() {
        let joined = |txt: Vec<(String, String)>| txt.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let meta = Meta::parse(["id=x", "map=desert"]).unwrap();
        let strings: Vec<String> = joined(txt("a1", Some("Tanks"), &meta));
        assert_eq!(strings, ["v=2", "id=a1", "path=/", "app=Tanks", "meta.id=x", "meta.map=desert"]);
        let meta = Meta::parse((0..16).map(|number| format!("k{number}={}", "v".repeat(100)))).unwrap();
        let strings: Vec<String> = joined(txt("a1", Some(&"\u{1f600}".repeat(64)), &meta));
        // An application id of 256 bytes does not fit into a string.
        assert_eq!((strings.len(), strings[3].split('=').next()), (3 + 9, Some("meta.k0")));
        assert!(strings.iter().map(|string| 1 + string.len()).sum::<usize>() <= 1000);
    }

    #[test]
    fn instance_name_is_cut_at_a_character_boundary() {
        assert_eq!(instance_name("Living room 居間"), "Living room 居間");
        assert_eq!(instance_name(&"居".repeat(30)), "居".repeat(18));
        assert_eq!(instance_name("\u{202e}\n "), "halloo");
    }
}
