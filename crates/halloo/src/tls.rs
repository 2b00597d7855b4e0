//! TLS with rustls: the certificate of a server, its verification by a client, and sessions on non-blocking sockets.

#[cfg(feature = "tls")]
mod byte_queue;
#[cfg(feature = "tls")]
mod certificate;
#[cfg(feature = "tls")]
mod engine;
#[cfg(feature = "tls")]
mod error;
#[cfg(feature = "tls")]
mod identity;
#[cfg(feature = "tls")]
mod key_file;
#[cfg(feature = "tls")]
mod record_counter;
#[cfg(feature = "tls")]
mod self_signed;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod trust;

#[cfg(not(feature = "tls"))]
mod stub;

#[cfg(feature = "tls")]
pub use error::IdentityError;
#[cfg(feature = "tls")]
pub use identity::Identity;
#[cfg(feature = "tls")]
pub(crate) use session::{Acceptor, Session};
#[cfg(not(feature = "tls"))]
pub(crate) use stub::{Acceptor, Connector, Session};
#[cfg(feature = "tls")]
pub(crate) use trust::Connector;
