//! TLS by rustls: who the server is, whom a client trusts, and a session on a socket that never waits.

#[cfg(feature = "tls")]
mod error;
#[cfg(feature = "tls")]
mod identity;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod trust;

#[cfg(not(feature = "tls"))]
mod absent;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{Acceptor, Connector, Session};
#[cfg(feature = "tls")]
pub use error::IdentityError;
#[cfg(feature = "tls")]
pub use identity::Identity;
#[cfg(feature = "tls")]
pub(crate) use session::{Acceptor, Session};
#[cfg(feature = "tls")]
pub(crate) use trust::Connector;
