//! Why the access rules refuse a request.

use crate::setting_names::SettingNames;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// There is no `Host` header, or more than one.
    #[error("a request needs exactly one Host header")]
    MissingHost,
    /// The name in `Host` is not a name of this server, which is a sign of DNS rebinding.
    #[error("{name} is not a name of this server")]
    UnknownHost {
        /// The name, without its port.
        name: String,
        /// The origin of the request, if it would be refused once the name is allowed.
        origin: Option<String>,
    },
    /// The `Host` header is malformed.
    #[error("the Host header {0} is not a name or an address with an optional port")]
    MalformedHost(String),
    /// The web page belongs to another origin.
    #[error("pages from {0} may not connect")]
    ForeignOrigin(String),
    /// The `Origin` header is malformed.
    #[error("the Origin header {0} is not of the form scheme://host:port; leave it out, or send one of that form")]
    MalformedOrigin(String),
    /// There is more than one `Origin` header.
    #[error("a request has at most one Origin header")]
    RepeatedOrigin,
    /// A token is required.
    #[error(
        "this server requires a token; open its invitation link, scan its QR code, or send the token with the request"
    )]
    MissingToken,
    /// The token is wrong.
    #[error("wrong token; the server may have a new one since its restart, so get its invitation link again")]
    WrongToken,
    /// The client proved its knowledge of the token for a challenge that is too old, was used, or is not of this server.
    #[error("the proof of the token is for a challenge that has expired or was used; send one for the new challenge")]
    StaleProof,
    /// The token itself was sent, but only a proof is accepted.
    #[error(
        "this server only accepts a proof of the token, and not the token itself; use a halloo client, or open the \
         invitation link in a browser"
    )]
    TokenInClear,
    /// The token was only in the URL of a request that is not for a WebSocket, and was not checked.
    #[error(
        "the token in a URL is only used for a WebSocket, because any web page can make a browser request other URLs; send \
         it as `Authorization: Bearer TOKEN`"
    )]
    TokenInUrl,
    /// The token was not checked, after many wrong ones from the same address.
    #[error("too many wrong tokens from your address; wait ten seconds")]
    TooManyWrongTokens,
}

impl Denied {
    /// Returns the settings of the server that would allow the request, with the value to add to each: all that it
    /// needs, or none. Each value is allowed by [`is_origin_setting`](super::is_origin_setting) or
    /// [`is_host_setting`](super::is_host_setting).
    pub fn remedies(&self) -> Vec<(&'static str, &str)> {
        match self {
            Denied::UnknownHost { name, origin } => {
                let origin = origin.iter().map(|origin| ("allowed_origins", origin.as_str()));
                std::iter::once(("allowed_hosts", name.as_str())).chain(origin).collect()
            }
            Denied::ForeignOrigin(origin) => vec![("allowed_origins", origin)],
            _ => Vec::new(),
        }
    }

    /// Returns [`Denied::remedies`] as an instruction. It is safe to paste into a shell.
    pub fn advice(&self, names: SettingNames) -> Option<String> {
        let steps: Vec<String> = self.remedies().iter().map(|(setting, value)| names.add(setting, value)).collect();
        let object = if matches!(self, Denied::ForeignOrigin(_)) { "them" } else { "it" };
        (!steps.is_empty()).then(|| format!("to allow {object}, {}", steps.join(" and ")))
    }
}
