//! Errors in a certificate or its private key.

use std::io;
use std::path::PathBuf;

/// Why a certificate and its private key cannot be used.
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
    /// The file with the self-signed certificate cannot be written.
    #[error("cannot write a certificate to {}: {error}; make the directory writable, or provide a certificate and its key", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A file contains no certificate.
    #[error("{} contains no certificate; provide one in PEM format, beginning with -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// A file contains no private key.
    #[error("{} contains no private key; provide one in PEM format, not encrypted, beginning with -----BEGIN PRIVATE KEY-----", .0.display())]
    NoKey(PathBuf),
    /// The private key does not match the certificate, or its type is not supported.
    #[error(
        "the private key does not match the certificate, or its type is not supported: {0}; use an ECDSA, Ed25519 or RSA key and its certificate"
    )]
    Mismatch(String),
    /// A self-signed certificate cannot be generated.
    #[error("cannot generate a certificate: {0}; provide a certificate and its key")]
    Generate(String),
}
