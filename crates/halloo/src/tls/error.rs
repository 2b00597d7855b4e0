//! Errors in a certificate or its private key.

use std::io;
use std::path::{Path, PathBuf};

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
    /// Other users of the machine can read or change the file of the private key (Unix only).
    #[error(
        "other users of this machine can read or change the private key in {}; run `chmod 600 {}`, and use another key if they \
         may have copied it", .0.display(), quote(.0)
    )]
    ExposedKey(PathBuf),
    /// Other users of the machine can replace the file of the private key (Unix only).
    #[error(
        "other users of this machine can replace the private key {}, since they can write to a directory above it; run \
         `chmod o-w {}`", .path.display(), quote(.directory)
    )]
    ReplaceableKey {
        /// The file.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
    /// A file contains no certificate.
    #[error("{} contains no certificate; provide one in PEM format, beginning with -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// A file contains no private key.
    #[error("{} contains no private key; provide one in PEM format, not encrypted, beginning with -----BEGIN PRIVATE KEY-----", .0.display())]
    NoKey(PathBuf),
    /// The private key is not that of the certificate.
    #[error(
        "the private key in {} does not belong to the certificate in {}; use the key for which this certificate was issued, \
         or have a certificate issued for this key", .key.display(), .certificate.display()
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The private key or its certificate cannot be used.
    #[error("the private key in {} cannot be used: {error}; use an ECDSA (P-256 or P-384), Ed25519 or RSA key and its certificate", .path.display())]
    Unsupported {
        /// The file of the key.
        path: PathBuf,
        /// The reason.
        error: String,
    },
    /// The stored self-signed certificate and its key cannot be used. It is not replaced, because clients may have pinned it.
    #[error("the stored certificate {} is damaged; delete this file to get another one, whose fingerprint clients must pin", .0.display())]
    Damaged(PathBuf),
    /// A self-signed certificate cannot be generated.
    #[error("cannot generate a certificate: {0}; provide a certificate and its key")]
    Generate(String),
}

/// Returns a path as a shell reads it.
fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+,:@%".contains(character);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
