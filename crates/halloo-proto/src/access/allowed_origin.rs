//! An entry of the setting `allowed_origins`.

use super::authority::{Authority, Name};
use super::origin::{Origin, PageOrigin, is_scheme};

/// Which origins one entry allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AllowedOrigin {
    /// Every origin.
    Any,
    /// `null`.
    Null,
    /// Pages of a scheme, with a host and a port.
    Pages {
        /// In lower case.
        scheme: String,
        host: AllowedHost,
        port: AllowedPort,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AllowedHost {
    /// Every host.
    Any,
    /// Every host below this name, but not the name itself.
    Below(String),
    /// This host; `None` for `file://`.
    Only(Option<Name>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AllowedPort {
    /// Every port.
    Any,
    /// This port; `None` for a scheme without a default port.
    Only(Option<u16>),
}

impl AllowedOrigin {
    /// Parses `*`, `null`, or `scheme://host[:port]` with an optional slash. The host may be `*`, or begin with `*.`, and
    /// the port may be `*`. Returns `None` for everything else, and for what no browser sends.
    pub(super) fn parse(text: &str) -> Option<AllowedOrigin> {
        match text {
            "*" => return Some(AllowedOrigin::Any),
            "null" => return Some(AllowedOrigin::Null),
            _ => {}
        }
        let (scheme, rest) = text.split_once("://")?;
        let (scheme, rest) = (scheme.to_ascii_lowercase(), rest.strip_suffix('/').unwrap_or(rest));
        // No page has the scheme `ws`, and no browser sends the zone of an address.
        if !is_scheme(&scheme) || matches!(scheme.as_str(), "ws" | "wss") || rest.contains('%') {
            return None;
        }
        if scheme == "file" {
            let (host, port) = (AllowedHost::Only(None), AllowedPort::Only(None));
            return rest.is_empty().then_some(AllowedOrigin::Pages { scheme, host, port });
        }
        let (rest, any_port) = rest.strip_suffix(":*").map_or((rest, false), |rest| (rest, true));
        let (host, authority) = match rest.strip_prefix('*') {
            // The port is parsed behind any name.
            Some(port) if port.is_empty() || port.starts_with(':') => {
                (AllowedHost::Any, Authority::parse(&format!("any{port}"))?)
            }
            Some(name) => {
                let authority = Authority::parse(name.strip_prefix('.')?)?;
                let Name::Dns(parent) = &authority.name else { return None };
                (AllowedHost::Below(parent.clone()), authority)
            }
            None => {
                let authority = Authority::parse(rest)?;
                (AllowedHost::Only(Some(authority.name.clone())), authority)
            }
        };
        if authority.name.ends_in_number() || (any_port && authority.port.is_some()) {
            return None;
        }
        let port = match any_port {
            true => AllowedPort::Any,
            false => AllowedPort::Only(PageOrigin { scheme: scheme.clone(), host: Some(authority) }.port()),
        };
        Some(AllowedOrigin::Pages { scheme, host, port })
    }

    /// Returns whether pages with `origin` are allowed.
    pub(super) fn allows(&self, origin: &Origin) -> bool {
        match (self, origin) {
            (AllowedOrigin::Any, _) | (AllowedOrigin::Null, Origin::Null) => true,
            (AllowedOrigin::Pages { scheme, host, port }, Origin::Page(page)) => {
                let name = page.host.as_ref().map(|authority| &authority.name);
                let is_host = match host {
                    AllowedHost::Any => name.is_some(),
                    AllowedHost::Below(parent) => name.is_some_and(|name| name.is_below(parent)),
                    AllowedHost::Only(only) => only.as_ref() == name,
                };
                let is_port = matches!(port, AllowedPort::Any) || *port == AllowedPort::Only(page.port());
                *scheme == page.scheme && is_host && is_port
            }
            _ => false,
        }
    }
}
