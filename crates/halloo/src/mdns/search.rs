//! Addresses at which servers publish themselves by DNS-SD.

use std::net::{SocketAddr, SocketAddrV4};

use mdns_sd::{IfKind, Receiver, ResolvedService, ServiceDaemon, ServiceEvent};

use super::SERVICE;

/// Addresses taken from one service: as many networks as a machine reasonably has.
const ADDRESSES: usize = 8;

/// A search that goes on until it is dropped.
pub(crate) struct ServiceSearch(ServiceDaemon);

impl ServiceSearch {
    /// Searches, and calls `sighted` from a thread of its own with each address of a service, whenever it is heard.
    /// They are claims: who is there is learned by asking.
    ///
    /// # Errors
    /// When the system gives no socket or no thread.
    pub(crate) fn start(sighted: impl FnMut(SocketAddr) + Send + 'static) -> Result<ServiceSearch, mdns_sd::Error> {
        let search = ServiceSearch(ServiceDaemon::new()?);
        search.0.disable_interface(vec![IfKind::IPv6, IfKind::LoopbackV4, IfKind::LoopbackV6])?;
        let events = search.0.browse(SERVICE)?;
        let thread = std::thread::Builder::new().name("halloo-mdns".into());
        match thread.spawn(move || listen(&events, sighted)) {
            Ok(_) => Ok(search),
            Err(error) => Err(mdns_sd::Error::Msg(error.to_string())),
        }
    }
}

impl Drop for ServiceSearch {
    fn drop(&mut self) {
        // It can only fail when the daemon is gone already.
        let _ = self.0.shutdown();
    }
}

impl std::fmt::Debug for ServiceSearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceSearch")
    }
}

/// Ends with the daemon. That a service is gone is not told: it may only have become silent, and the browser asks.
fn listen(events: &Receiver<ServiceEvent>, mut sighted: impl FnMut(SocketAddr)) {
    while let Ok(event) = events.recv() {
        if let ServiceEvent::ServiceResolved(service) = event {
            addresses(&service).for_each(&mut sighted);
        }
    }
}

fn addresses(service: &ResolvedService) -> impl Iterator<Item = SocketAddr> {
    let port = service.get_port();
    let found = service.get_addresses_v4().into_iter().map(move |ip| SocketAddr::V4(SocketAddrV4::new(ip, port)));
    found.take(ADDRESSES)
}
