//! Why a URL is invalid.

use crate::fingerprint::FingerprintError;
use crate::token::TokenError;

/// Why a URL is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is not supported.
    #[error("`{0}://` is not the scheme of a WebSocket URL; use ws://HOST:PORT or wss://HOST:PORT")]
    Scheme(String),
    /// The host is missing or malformed.
    #[error(
        "`{0}` is not a valid host; use an address such as 192.168.1.5 or [fe80::1], or a name of ASCII letters and digits"
    )]
    Host(String),
    /// The port is invalid.
    #[error("`{0}` is not a valid port; use a number from 1 to 65535")]
    Port(String),
    /// The URL contains a user name or password.
    #[error("a URL with a user name or password is not supported; remove the part up to `@`")]
    UserInfo,
    /// The fragment has an unknown key. The error does not contain it: it may be a token with a typing error.
    #[error("a URL may only end in `#token=…` and `&fp=…`; remove the rest after `#`")]
    Fragment,
    /// The token in the fragment is invalid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The fingerprint in the fragment is invalid.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// There is a fingerprint, but no TLS.
    #[error("a fingerprint needs TLS; use wss:// or https://, or remove `fp=`")]
    PlainFingerprint,
    /// The path or query contains a character that a request cannot contain.
    #[error("`{0}` is not allowed in a path or query; percent-encode it")]
    Resource(String),
}
