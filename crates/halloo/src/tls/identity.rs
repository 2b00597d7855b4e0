//! The certificate of a server and its private key.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use halloo_proto::fingerprint::Fingerprint;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{IdentityError, key_file};

/// Name of the file that contains a self-signed certificate and its private key.
const FILE_NAME: &str = "halloo.pem";
/// Maximum number of TLS sessions stored for resumption. Few are enough, because clients stay connected for hours.
const MAX_RESUMABLE_SESSIONS: usize = 64;

/// A certificate and its private key, for [`Config::tls`](crate::Config::tls).
///
/// ```
/// use halloo::{Config, Identity, Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join(format!("halloo-doc-{}", std::process::id()));
/// let mut config = Config::local();
/// config.tls = Some(Identity::self_signed_in(&directory)?); // or Identity::from_pem_files("cert.pem", "key.pem")
/// let server = Server::start(config)?;
/// assert!(server.url().starts_with("wss://"));
/// println!("pin {}", server.fingerprint().expect("it is self-signed"));
/// # std::fs::remove_dir_all(directory)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    fingerprint: Fingerprint,
    self_signed: bool,
}

impl Identity {
    /// Returns the self-signed certificate in `directory`, which is created the first time. It never expires, so
    /// clients that pinned its fingerprint keep trusting it. On Unix, only the owner can read the file, which contains
    /// the key: access that others have is taken away, with a warning in the log.
    ///
    /// # Errors
    /// [`IdentityError`] when the file cannot be written or read, and when others can replace it.
    pub fn self_signed_in(directory: impl AsRef<Path>) -> Result<Identity, IdentityError> {
        let path = directory.as_ref().join(FILE_NAME);
        if !path.exists() {
            let pem = generate().map_err(|error| IdentityError::Generate(error.to_string()))?;
            write_private(&path, pem.as_bytes()).map_err(|error| IdentityError::Write { path: path.clone(), error })?;
        }
        match key_file::restrict(&path) {
            Ok(true) => tracing::warn!(
                "other users of this machine could read or change the private key in {path}, until now; if they may have, \
                 delete this file to get another key, and pin its fingerprint",
                path = path.display()
            ),
            Ok(false) => {}
            // The check of the file reports it.
            Err(error) => tracing::debug!("cannot restrict the access to {}: {error}", path.display()),
        }
        // Read in any case, because another server may have created the file first.
        Ok(Identity { self_signed: true, ..Identity::from_pem_files(&path, &path)? })
    }

    /// Reads a certificate, followed by those of its issuers, and its private key from files in PEM format.
    ///
    /// # Errors
    /// [`IdentityError`] when a file cannot be read, contains no certificate or key, or the two do not match; on Unix, also when
    /// others can read or change the file of the key, its group can change it, or others can replace it, because they can write
    /// to a directory above it that has no sticky bit.
    pub fn from_pem_files(certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Identity, IdentityError> {
        let (certificates, key) = (certificates.as_ref(), key.as_ref());
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&read(certificates)?).collect::<Result<_, _>>().unwrap_or_default();
        let Some(first) = chain.first() else { return Err(IdentityError::NoCertificate(certificates.into())) };
        let fingerprint = fingerprint_of(first);
        let key_path = key;
        let key = PrivateKeyDer::from_pem_slice(&read(key_path)?).map_err(|_| IdentityError::NoKey(key_path.into()))?;
        key_file::check(key_path)?;
        let mismatch = |error: rustls::Error| IdentityError::Mismatch(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(mismatch)?.with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key).map_err(mismatch)?;
        // One ticket, not zero: it acknowledges the last handshake message of the client. Without it, a client that
        // uses the Nagle algorithm (RFC 896) waits up to 40 ms for a delayed acknowledgement before its request.
        config.session_storage = rustls::server::ServerSessionMemoryCache::new(MAX_RESUMABLE_SESSIONS);
        config.send_tls13_tickets = 1;
        Ok(Identity { config: Arc::new(config), fingerprint, self_signed: false })
    }

    /// Returns the fingerprint to pin, if the certificate is self-signed.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.self_signed.then_some(self.fingerprint)
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.fingerprint).finish()
    }
}

pub(super) fn fingerprint_of(certificate: &CertificateDer<'_>) -> Fingerprint {
    let hash = ring::digest::digest(&ring::digest::SHA256, certificate);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.as_ref());
    Fingerprint::from(bytes)
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    fs::read(path).map_err(|error| IdentityError::Read { path: path.into(), error })
}

/// Generates a private key and a self-signed certificate for it, in PEM format.
fn generate() -> Result<String, rcgen::Error> {
    let mut names = vec!["localhost".to_owned()];
    names.extend(gethostname::gethostname().into_string().ok().filter(|name| name.is_ascii()));
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "halloo");
    parameters.not_before = date_time_ymd(2020, 1, 1);
    // This date means that the certificate never expires (RFC 5280 section 4.1.2.5).
    parameters.not_after = date_time_ymd(9999, 12, 31);
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
}

/// Creates a file atomically, readable only by its owner on Unix. An existing file is left as it is.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)?;
    // A random name, so that no other process or thread writes to the same file.
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let temporary = directory.join(format!("{FILE_NAME}.{:016x}", u64::from_ne_bytes(random)));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&temporary, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems have no hard links.
        Err(_) => fs::copy(&temporary, path).map(drop),
        Ok(()) => Ok(()),
    });
    let removed = fs::remove_file(&temporary);
    linked.and(removed)
}
