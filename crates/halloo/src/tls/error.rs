//! What can be wrong with a certificate and its key.

use std::io;
use std::path::PathBuf;

/// Why a server cannot show who it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file for the own certificate cannot be written.
    #[error("cannot keep a certificate in {}: {error}; make the directory writable, or provide a certificate and its key", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// No certificate in a file.
    #[error("{} has no certificate; it needs one in PEM, beginning with -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// No key in a file.
    #[error("{} has no private key; it needs one in PEM, beginning with -----BEGIN PRIVATE KEY----- and not encrypted", .0.display())]
    NoKey(PathBuf),
    /// The key is not that of the certificate, or of a kind that is not supported.
    #[error(
        "the key and the certificate do not go together: {0}; use a key of ECDSA, Ed25519 or RSA and its certificate"
    )]
    Mismatch(String),
    /// No certificate could be made.
    #[error("cannot make a certificate: {0}; provide a certificate and its key")]
    Generate(String),
}
