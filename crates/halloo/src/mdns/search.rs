//! Searches for servers that are published as DNS-SD services.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use mdns_sd::{HostnameResolutionEvent, Receiver, ResolvedService, ServiceDaemon, ServiceEvent};

use halloo_proto::interface_filter::InterfaceFilter;

use super::{SERVICE_TYPE, unused_interfaces};

/// Maximum addresses used of one service: a machine rarely has more networks.
const MAX_ADDRESSES: usize = 8;

/// Maximum duration of the search for a host.
const MAX_RESOLVE_TIME: Duration = Duration::from_secs(3600);

/// A search that runs until it is dropped.
pub(crate) struct ServiceSearch(ServiceDaemon);

impl ServiceSearch {
    /// Starts the search. Its thread calls `handle_address` with each address of a service whenever it is resolved. Any
    /// device can publish a service, so the caller must check which server is at the address.
    ///
    /// # Errors
    /// When no socket can be opened or no thread can be started.
    pub(crate) fn start(
        filter: InterfaceFilter,
        handle_address: impl FnMut(SocketAddr) + Send + 'static,
    ) -> Result<ServiceSearch, mdns_sd::Error> {
        let search = ServiceSearch::open(filter)?;
        let events = search.0.browse(SERVICE_TYPE)?;
        let thread = std::thread::Builder::new().name("halloo-mdns".into());
        match thread.spawn(move || handle_events(&events, handle_address)) {
            Ok(_) => Ok(search),
            Err(error) => Err(mdns_sd::Error::Msg(error.to_string())),
        }
    }
}

impl ServiceSearch {
    fn open(filter: InterfaceFilter) -> Result<ServiceSearch, mdns_sd::Error> {
        let search = ServiceSearch(ServiceDaemon::new()?);
        search.0.disable_interface(unused_interfaces(filter))?;
        Ok(search)
    }
}

/// Returns the IPv4 addresses of the host `name`, which ends in `.local`. They are empty if no machine responds within
/// `timeout`.
///
/// # Errors
/// When no socket can be opened or no thread can be started, and when the name is too long.
pub(crate) fn resolve_host(name: &str, timeout: Duration) -> Result<Vec<IpAddr>, mdns_sd::Error> {
    let search = ServiceSearch::open(InterfaceFilter::default())?;
    let events = search.0.resolve_hostname(&format!("{name}."), None)?;
    let deadline = Instant::now() + timeout.min(MAX_RESOLVE_TIME);
    while let Ok(event) = events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if let HostnameResolutionEvent::AddressesFound(_, found) = event {
            let found: Vec<IpAddr> =
                found.iter().map(|ip| ip.to_ip_addr()).filter(IpAddr::is_ipv4).take(MAX_ADDRESSES).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Ok(Vec::new())
}

impl Drop for ServiceSearch {
    fn drop(&mut self) {
        // It fails only if the daemon has already stopped.
        let _ = self.0.shutdown();
    }
}

impl std::fmt::Debug for ServiceSearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceSearch")
    }
}

/// Returns when the daemon shuts down. Removed services are ignored, because their records may only have expired; the
/// browser checks itself whether a server still responds.
fn handle_events(events: &Receiver<ServiceEvent>, mut handle_address: impl FnMut(SocketAddr)) {
    while let Ok(event) = events.recv() {
        if let ServiceEvent::ServiceResolved(service) = event {
            addresses(&service).for_each(&mut handle_address);
        }
    }
}

fn addresses(service: &ResolvedService) -> impl Iterator<Item = SocketAddr> {
    let port = service.get_port();
    let addresses = service.get_addresses_v4().into_iter().map(move |ip| SocketAddr::V4(SocketAddrV4::new(ip, port)));
    addresses.take(MAX_ADDRESSES)
}
