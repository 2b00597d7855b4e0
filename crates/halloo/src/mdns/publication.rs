//! Publishes a server as a DNS-SD service.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use halloo_proto::Time;
use halloo_proto::announcement::{MAX_NAME_CHARS, clean};
use halloo_proto::interfaces::Interface;
use halloo_proto::mdns::{InvalidService, Responder, Service};
use halloo_proto::meta::Meta;
use mio::{Registry, Token};

use super::SERVICE_TYPE;
use super::links::local_links;
use super::sockets::Sockets;
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

/// Publishes the server while discovery is enabled, also while clients are connected.
pub(crate) struct Publication {
    enabled: bool,
    shared: Arc<Shared>,
    id: String,
    sockets: Sockets,
    /// Exists while the server is published.
    responder: Option<Responder>,
}

impl Publication {
    /// Publishes nothing if the configuration disables it or other machines cannot reach the server. The sockets are
    /// registered as `token`.
    pub(crate) fn new(
        config: &Config,
        shared: &Arc<Shared>,
        id: &str,
        registry: Registry,
        token: Token,
    ) -> Publication {
        let bind: Option<IpAddr> = config.bind.filter(|ip| !ip.is_unspecified());
        let reachable = bind.is_none_or(|ip| !ip.is_loopback());
        let (enabled, id) = (config.mdns && reachable, id.to_owned());
        let sockets = Sockets::new(registry, token);
        Publication { enabled, shared: Arc::clone(shared), id, sockets, responder: None }
    }

    /// Publishes the server on the interfaces. An invalid name is only logged, because beacons work without it.
    ///
    /// # Errors
    /// The same as [`Publication::handle_interfaces`].
    pub(crate) fn start(&mut self, interfaces: &[Interface], now: Time) -> io::Result<()> {
        if self.enabled && self.responder.is_none() {
            match self.responder() {
                Ok(responder) => self.responder = Some(responder),
                Err(error) => tracing::warn!("cannot publish the server by multicast DNS: {error}"),
            }
            return self.handle_interfaces(interfaces, now);
        }
        Ok(())
    }

    /// Publishes the present properties, if the server is published.
    pub(crate) fn update(&mut self, now: Time) {
        let properties = self.txt();
        if let Some(responder) = &mut self.responder
            && let Err(error) = responder.set_properties(&properties, now)
        {
            tracing::warn!("cannot publish the changed properties by multicast DNS: {error}");
        }
        self.handle_timeout(now);
    }

    /// Withdraws the service, which sends a goodbye (RFC 6762 section 10.1).
    pub(crate) fn stop(&mut self) {
        if let Some(mut responder) = self.responder.take() {
            responder.stop();
            self.transmit(&mut responder);
        }
        self.sockets.close();
        *self.shared.local_name.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Follows a change of the interfaces.
    ///
    /// # Errors
    /// When the system is short of file descriptors: call it again later. Until then, everything stays as far as it can.
    pub(crate) fn handle_interfaces(&mut self, interfaces: &[Interface], now: Time) -> io::Result<()> {
        let Some(responder) = &mut self.responder else { return Ok(()) };
        let (links, opened) = self.sockets.refresh(local_links(interfaces)?);
        responder.handle_links(&links, now);
        opened
    }

    /// Handles packets that were received. Returns whether more may wait, for which the poll does not wake again.
    pub(crate) fn handle_readable(&mut self, now: Time) -> bool {
        let Some(responder) = &mut self.responder else { return false };
        let more =
            self.sockets.receive(now, |packet, from, interface| responder.handle_packet(packet, from, interface, now));
        self.handle_timeout(now);
        more
    }

    /// Sends what is due, and reads again what was not read for a while.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.sockets.resume(now);
        let Some(mut responder) = self.responder.take() else { return };
        if responder.poll_timeout() <= now {
            responder.handle_timeout(now);
        }
        self.transmit(&mut responder);
        if let Some(published) = responder.poll_publication() {
            let host = format!("{}.local", published.host);
            tracing::info!("published as {}://{host}:{}", self.shared.security.scheme(true), self.shared.port);
            *self.shared.local_name.lock().unwrap_or_else(PoisonError::into_inner) = Some(host);
        }
        self.responder = Some(responder);
    }

    /// Returns when [`Publication::handle_timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let next = self.responder.as_ref().map(|responder| responder.poll_timeout().min(self.sockets.poll_timeout()));
        next.filter(|at| *at < Time::NEVER)
    }

    fn transmit(&self, responder: &mut Responder) {
        while let Some(transmit) = responder.poll_transmit() {
            self.sockets.send(&transmit);
        }
    }

    fn responder(&self) -> Result<Responder, InvalidService> {
        let mut seed = [0; 8];
        // Without entropy, servers that are started together probe together, which takes longer.
        let _ = getrandom::fill(&mut seed);
        let service = Service {
            service_type: SERVICE_TYPE.into(),
            instance: instance_name(&self.shared.name),
            host: planned_label(&self.shared.name),
            port: self.shared.port,
            properties: self.txt(),
        };
        Responder::new(&service, u64::from_ne_bytes(seed))
    }

    fn txt(&self) -> Vec<(String, String)> {
        txt(&self.id, self.shared.app.as_deref(), &self.shared.meta())
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.stop();
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
    format!("{}.local", planned_label(name))
}

fn planned_label(name: &str) -> String {
    free_host_label(name, &gethostname::gethostname().to_string_lossy())
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
