//! Access rules for the address of the peer, the `Host` and `Origin` headers, and the token.
//!
//! A web page of any site can open `ws://127.0.0.1:8765`, or reach a local address by DNS rebinding. The browser then
//! reveals the site in `Origin` or `Host`, and these rules refuse the request.

mod allowed_origin;
mod authority;
mod denied;
mod origin;

use std::net::IpAddr;

use self::allowed_origin::AllowedOrigin;
use self::authority::{Authority, Name};
use self::origin::{Origin, PageOrigin};
use crate::setters;
use crate::setting_names::SettingNames;
use crate::text::escape;
use crate::token::Token;

pub use denied::Denied;

/// Suffixes that routers give to the names of a local network (RFC 6762 appendix G). None of them is in the public DNS.
const ROUTER_SUFFIXES: [&str; 6] = ["lan", "home", "localdomain", "intranet", "private", "corp"];

setters! {
    /// Which requests are accepted. By default, programs on private networks and the page of this server may connect.
    #[derive(Clone, Debug, Default)]
    #[non_exhaustive]
    pub struct AccessRules {
        /// Additional origins of web pages that may connect, such as `https://example.org`, `https://*.example.org` or
        /// `http://*:5173` ([`is_origin_setting`]); `*` allows every page.
        pub allowed_origins: Vec<String>,
        /// Additional host names of this machine that `Host` may contain. A request without a port in `Host`, as a proxy may
        /// send it, is also accepted from pages on other ports of such a name.
        pub allowed_hosts: Vec<String>,
        /// The host name of this machine; `None` to ask the system.
        pub own_host(into): Option<String>,
        /// Names under `.local` of this machine, such as `den.local`. A server adds its host name and the name that it
        /// publishes, unless other machines cannot reach it.
        pub local_names: Vec<String>,
        /// Whether peers with public addresses may connect.
        pub allow_public: bool,
        /// The token that every client must send, in addition to passing the other rules; `None` for no token.
        pub token(into): Option<Token>,
        /// Whether a client must prove that it knows the token without sending it, as [`proof`](crate::proof) says.
        /// `false` also accepts the token itself, as most libraries send it.
        pub token_proof_only: bool,
        /// How a refusal spells these settings.
        pub setting_names: SettingNames,
    }
}

impl AccessRules {
    /// Returns whether a peer may connect: one with a loopback, private or link-local address, or in 100.64/10, or in
    /// an `attached` network (address and prefix length).
    pub fn allows_peer(&self, peer: IpAddr, attached: &[(IpAddr, u8)]) -> bool {
        let peer = peer.to_canonical();
        self.allow_public || is_private(peer) || attached.iter().any(|&(net, prefix)| same_network(peer, net, prefix))
    }

    /// Checks the values of all `Host` and `Origin` headers of a request. Returns its origin, if a page in a browser sent
    /// it.
    ///
    /// # Errors
    /// As [`Self::check_host`] and [`Self::check_origin`]; [`Denied::UnknownHost`] also contains an origin that would
    /// be refused after it.
    pub fn check_page<'a>(&self, hosts: &[&str], origins: &[&'a str], peer: IpAddr) -> Result<Option<&'a str>, Denied> {
        let denied = match self.check_host(hosts) {
            Ok(host) => return self.check_origin(origins, host, peer),
            Err(denied) => denied,
        };
        let Denied::UnknownHost { name, .. } = &denied else { return Err(denied) };
        let host = hosts.first().and_then(|host| Authority::parse(host));
        match self.judge_origin(origins, host.as_ref(), true, peer) {
            Ok(_) => Err(denied),
            Err(Denied::ForeignOrigin(origin)) => Err(Denied::UnknownHost { name: name.clone(), origin: Some(origin) }),
            // No setting allows the request.
            Err(other) => Err(other),
        }
    }

    /// Checks the values of all `Host` headers of a request, and returns the only one.
    ///
    /// # Errors
    /// [`Denied::MissingHost`], [`Denied::UnknownHost`] or [`Denied::MalformedHost`].
    pub fn check_host<'a>(&self, hosts: &[&'a str]) -> Result<&'a str, Denied> {
        let &[host] = hosts else { return Err(Denied::MissingHost) };
        let Some(Authority { name, .. }) = Authority::parse(host) else {
            return Err(Denied::MalformedHost(quote(host)));
        };
        if is_local(&name) || self.is_own(&name) || self.is_local_name(&name) || self.is_configured(&name) {
            return Ok(host);
        }
        Err(Denied::UnknownHost { name: name.to_string(), origin: None })
    }

    /// Checks the values of all `Origin` headers against the request's `host`, which passed [`Self::check_host`]. Returns
    /// the origin, if a page in a browser sent it.
    ///
    /// # Errors
    /// [`Denied::ForeignOrigin`], [`Denied::MalformedOrigin`] or [`Denied::RepeatedOrigin`].
    pub fn check_origin<'a>(&self, origins: &[&'a str], host: &str, peer: IpAddr) -> Result<Option<&'a str>, Denied> {
        let host = Authority::parse(host);
        let is_configured = host.as_ref().is_some_and(|host| self.is_configured(&host.name));
        self.judge_origin(origins, host.as_ref(), is_configured, peer)
    }

    fn judge_origin<'a>(
        &self,
        origins: &[&'a str],
        host: Option<&Authority>,
        host_is_configured: bool,
        peer: IpAddr,
    ) -> Result<Option<&'a str>, Denied> {
        let &[text] = origins else {
            return if origins.is_empty() { Ok(None) } else { Err(Denied::RepeatedOrigin) };
        };
        let origin = Origin::parse(text);
        let is_own = |page: &PageOrigin| host.is_some_and(|host| is_same_page(page, host, host_is_configured));
        let is_near = |page: &PageOrigin| is_loopback_page(page) && peer.to_canonical().is_loopback();
        match &origin {
            Origin::Native => return Ok(None),
            Origin::Page(page) if page.is_extension() || is_own(page) || is_near(page) => return Ok(Some(text)),
            _ => {}
        }
        if self
            .allowed_origins
            .iter()
            .filter_map(|entry| AllowedOrigin::parse(entry))
            .any(|entry| entry.allows(&origin))
        {
            return Ok(Some(text));
        }
        // Advice is only given where the setting accepts it.
        let shown = match origin {
            Origin::Null => "null".to_owned(),
            Origin::Page(page) => page.to_string(),
            Origin::Native | Origin::Malformed => String::new(),
        };
        if is_origin_setting(&shown) {
            Err(Denied::ForeignOrigin(shown))
        } else {
            Err(Denied::MalformedOrigin(quote(text)))
        }
    }

    /// Returns whether `name` is the host name of this machine, with or without the suffix of a router.
    fn is_own(&self, name: &Name) -> bool {
        if name.is_below("local") {
            return false;
        }
        let Some(own) = self.own_host.as_deref().and_then(Authority::parse).map(|own| own.name) else { return false };
        let (Name::Dns(name), Name::Dns(own)) = (name, &own) else { return *name == own };
        let label = own.split('.').next().unwrap_or_default();
        let suffix = name.strip_prefix(label).and_then(|rest| rest.strip_prefix('.'));
        name == own || suffix.is_some_and(|suffix| ROUTER_SUFFIXES.contains(&suffix))
    }

    /// Returns whether `name` is a name under `.local` of this machine. Any machine of the network can claim another.
    fn is_local_name(&self, name: &Name) -> bool {
        let names = self.local_names.iter().filter_map(|own| Authority::parse(own));
        name.is_below("local") && names.into_iter().any(|own| own.name == *name)
    }

    fn is_configured(&self, name: &Name) -> bool {
        let hosts = self.allowed_hosts.iter().filter(|host| is_host_setting(host));
        hosts.filter_map(|host| Authority::parse(host)).any(|host| host.name == *name)
    }
}

/// Returns whether `text` may be an entry of [`AccessRules::allowed_origins`]: `*`, `null`, or `scheme://host[:port]`, whose
/// host may be `*` or begin with `*.`, and whose port may be `*`. Other entries match nothing.
///
/// ```
/// use halloo_proto::access::is_origin_setting;
///
/// assert!(["https://example.org", "https://*.example.org", "http://*:5173", "file://"].into_iter().all(is_origin_setting));
/// assert!(!["example.org", "https://example.org/game", "*://example.org"].into_iter().any(is_origin_setting));
/// ```
pub fn is_origin_setting(text: &str) -> bool {
    AllowedOrigin::parse(text).is_some()
}

/// Returns whether `text` may be an entry of [`AccessRules::allowed_hosts`]: a name without a port. Other entries match
/// nothing.
///
/// ```
/// use halloo_proto::access::is_host_setting;
///
/// assert!(is_host_setting("game.example.org"));
/// assert!(!is_host_setting("game.example.org:8765") && !is_host_setting("*.example.org"));
/// ```
pub fn is_host_setting(text: &str) -> bool {
    !text.contains(['[', ':']) && Authority::parse(text).is_some()
}

/// Returns whether no public DNS record can have this name: an address, a name without a dot, or one of a domain that is
/// reserved for local use (RFC 6761, RFC 8375, and `internal` by a resolution of ICANN in 2024). Names under `.local` are not
/// among them: they are not in the DNS (RFC 6762), but any machine of the network can point one to this server.
fn is_local(name: &Name) -> bool {
    let reserved = ["localhost", "internal", "home.arpa"];
    match name {
        Name::Ip(_) => true,
        Name::Dns(text) => {
            reserved.iter().any(|parent| name.is_below(parent)) || (!text.contains('.') && !name.ends_in_number())
        }
    }
}

/// Returns whether `page` has the origin of the request's own `host`.
fn is_same_page(page: &PageOrigin, host: &Authority, host_is_configured: bool) -> bool {
    let is_http = matches!(page.scheme.as_str(), "http" | "https");
    let is_host = page.host.as_ref().is_some_and(|own| own.name == host.name);
    let is_port = match host.port {
        // A proxy may have left out the port of the host that it stands for.
        None => host_is_configured || page.port() == page.default_port(),
        port => port == page.port(),
    };
    is_http && is_host && is_port
}

fn is_loopback_page(page: &PageOrigin) -> bool {
    matches!(page.scheme.as_str(), "http" | "https") && page.host.as_ref().is_some_and(|host| host.name.is_loopback())
}

fn is_private(peer: IpAddr) -> bool {
    match peer {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Returns whether `peer` is in the network of `net` with `prefix` bits.
fn same_network(peer: IpAddr, net: IpAddr, prefix: u8) -> bool {
    let differing = match (peer, net) {
        (IpAddr::V4(peer), IpAddr::V4(net)) => (peer.to_bits() ^ net.to_bits()).leading_zeros(),
        (IpAddr::V6(peer), IpAddr::V6(net)) => (peer.to_bits() ^ net.to_bits()).leading_zeros(),
        _ => return false,
    };
    // A prefix of zero would include every address.
    prefix > 0 && differing >= u32::from(prefix)
}

/// Returns a malformed header for an error. Advice is in backticks, so the header must not look like advice.
fn quote(header: &str) -> String {
    escape(header, 100).replace('`', "'")
}
