//! The certificate of a server and its private key.

use std::fmt;
use std::fs;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use halloo_proto::fingerprint::Fingerprint;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};

use super::certificate::{self, Certificate};
use super::{IdentityError, key_file, self_signed};

/// Maximum number of TLS sessions stored for resumption. Few are enough, because clients stay connected for hours.
const MAX_RESUMABLE_SESSIONS: usize = 64;
/// Minimum time between two looks at the files and the addresses of the machine.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Time after which files that have not changed are read again, because they could not be used.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);
/// Time after which files that have not changed are read again, because the certificate in them has ended or will soon.
const END_CHECK_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate and its private key, for [`Config::tls`](crate::Config::tls).
///
/// When the files have changed, new connections use the new certificate, and open ones stay open. A self-signed certificate is
/// renewed in time, and when this machine has got another address or name. All of that is noticed at the first TLS handshake
/// afterwards, at most every 5 s. A certificate that cannot be used does not replace the one in use; the log says why, and the
/// next attempt follows when a file has changed, or after 60 s.
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
    files: Arc<Files>,
    config: Arc<ServerConfig>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// Returns the self-signed certificate in `directory`, which is created the first time. It is valid for 824 days, for the
    /// host names and addresses of this machine. Before its end, and for another address, a new one is issued for the same
    /// key, so clients that pinned the fingerprint keep trusting it. It keeps the names and addresses of the old one, up to 64
    /// in all. On Unix, only the owner can read the file, which contains
    /// the key: access that others have is taken away, with a warning in the log.
    ///
    /// # Errors
    /// [`IdentityError`] when the file cannot be written or read, and when others can replace it.
    pub fn self_signed_in(directory: impl AsRef<Path>) -> Result<Identity, IdentityError> {
        let path = directory.as_ref().join(self_signed::FILE_NAME);
        Identity::load(Files { certificates: path.clone(), key: path, is_self_signed: true, state: Mutex::default() })
    }

    /// Reads a certificate, followed by those of its issuers, and its private key from files in PEM format. A certificate that
    /// has expired or is not valid yet is used nevertheless, with a warning in the log: the clock of this machine may be wrong.
    ///
    /// # Errors
    /// [`IdentityError`] when a file cannot be read, contains no certificate or key, or the two do not match; on Unix, also when
    /// others can read or change the file of the key, its group can change it, or others can replace it, because they can write
    /// to a directory above it that has no sticky bit.
    pub fn from_pem_files(certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Identity, IdentityError> {
        let (certificates, key) = (certificates.as_ref().into(), key.as_ref().into());
        Identity::load(Files { certificates, key, is_self_signed: false, state: Mutex::default() })
    }

    /// Reads the files again now, without waiting until a change of them is noticed. New connections use the new certificate.
    ///
    /// # Errors
    /// [`IdentityError`] as when it was created. The certificate in use stays in use then.
    pub fn reload(&self) -> Result<(), IdentityError> {
        self.files.reload(Instant::now()).map(drop)
    }

    /// Returns the fingerprint to pin, if the certificate is self-signed: the SHA-256 hash of its public key.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.files.is_self_signed.then_some(self.fingerprint)
    }

    /// Adds the names of a server under `.local` to a self-signed certificate, from the next check for changes on.
    pub(super) fn set_local_names(&self, names: &[String]) {
        let mut state = self.files.lock();
        (state.local_names, state.checked) = (names.to_vec(), None);
    }

    /// Returns the configuration for a new session, with the certificate of now.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.files.check_for_changes(Instant::now());
        Arc::clone(&self.config)
    }

    fn load(files: Files) -> Result<Identity, IdentityError> {
        let fingerprint = files.reload(Instant::now())?;
        let files = Arc::new(files);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| files.unusable(&error))?.with_no_client_auth();
        let mut config = builder.with_cert_resolver(Arc::clone(&files) as Arc<dyn ResolvesServerCert>);
        // One ticket, not zero: it acknowledges the last handshake message of the client. Without it, a client that
        // uses the Nagle algorithm (RFC 896) waits up to 40 ms for a delayed acknowledgement before its request.
        config.session_storage = rustls::server::ServerSessionMemoryCache::new(MAX_RESUMABLE_SESSIONS);
        config.send_tls13_tickets = 1;
        Ok(Identity { files, config: Arc::new(config), fingerprint })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.fingerprint).finish()
    }
}

/// The files that a certificate and its key are read from, and what was read from them.
struct Files {
    certificates: PathBuf,
    key: PathBuf,
    is_self_signed: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<CertifiedKey>>,
    /// The state of the files when they were last read.
    stamps: [Option<Stamp>; 2],
    /// The names of the server under `.local`.
    local_names: Vec<String>,
    /// The names that a self-signed certificate was last asked to contain.
    names: Vec<String>,
    checked: Option<Instant>,
    /// When the files are read again although nothing has changed: to renew the certificate, or to report its end.
    due: Option<SystemTime>,
    /// When the files were last read and could not be used, and why.
    failure: Option<(Instant, String)>,
    /// Why clients refuse the certificate in use, if they do.
    invalidity: Option<String>,
}

/// What distinguishes two states of a file: the time of its last change, its size, and on Unix when its content or its access
/// was changed, in seconds and nanoseconds.
type Stamp = (SystemTime, u64, Option<(i64, i64)>);

impl State {
    /// Returns why clients will refuse the certificate in use, unless that was returned last.
    fn poll_invalidity(&mut self, time: SystemTime) -> Option<String> {
        let certificate = self.current.as_ref().and_then(|current| Certificate::parse(current.cert.first()?));
        let invalidity = certificate.and_then(|certificate| certificate.describe_invalidity(time));
        let is_new = self.invalidity != invalidity;
        self.invalidity = invalidity;
        self.invalidity.clone().filter(|_| is_new)
    }
}

impl Files {
    /// Reads the files, and renews a self-signed certificate if necessary. Returns the fingerprint of the key.
    fn reload(&self, now: Instant) -> Result<Fingerprint, IdentityError> {
        let names = self.names();
        // Read before the files, so that a change during the reading is noticed by the next check.
        let stamps = self.stamps();
        let loaded = if self.is_self_signed { self.read_self_signed(&names) } else { self.read() };
        let mut state = self.lock();
        (state.names, state.stamps, state.checked) = (names, stamps, Some(now));
        state.failure = loaded.as_ref().err().map(|error| (now, error.to_string()));
        let time = certificate::now();
        state.due = Some(time + END_CHECK_INTERVAL);
        let fingerprint = loaded.map(|(key, certificate)| {
            let end = if self.is_self_signed { self_signed::renewal_of(&certificate) } else { certificate.not_after };
            if end > time {
                state.due = Some(end);
            }
            if state.current.as_ref().is_some_and(|current| current.cert != key.cert) {
                tracing::info!("new connections use the certificate that is now in {}", self.certificates.display());
            }
            state.current = Some(Arc::new(key));
            certificate.fingerprint
        });
        // The one that stays in use may have ended meanwhile.
        if let Some(reason) = state.poll_invalidity(time) {
            let path = self.certificates.display();
            tracing::warn!("clients will refuse the certificate in use, which was read from {path}: it {reason}");
        }
        fingerprint
    }

    /// Reads the files again if they, or the addresses and names of this machine, have changed, or if it is time to: at most
    /// every [`CHECK_INTERVAL`], and after [`RETRY_INTERVAL`] if they could not be used.
    fn check_for_changes(&self, now: Instant) {
        {
            let mut state = self.lock();
            if state.checked.is_some_and(|checked| now.saturating_duration_since(checked) < CHECK_INTERVAL) {
                return;
            }
            state.checked = Some(now);
        }
        // Reads the state, too.
        let names = self.names();
        let failure = {
            let state = self.lock();
            // A repair may not change the file, such as access to its directory.
            let is_due = match &state.failure {
                Some((failed, _)) => now.saturating_duration_since(*failed) >= RETRY_INTERVAL,
                None => state.due.is_some_and(|due| certificate::now() >= due),
            };
            if self.stamps() == state.stamps && names == state.names && !is_due {
                return;
            }
            state.failure.as_ref().map(|(_, failure)| failure.clone())
        };
        // The same failure is reported once.
        if let Err(error) = self.reload(now)
            && failure != Some(error.to_string())
        {
            tracing::warn!("the certificate in use is kept, because the new one cannot be used: {error}");
        }
    }

    fn read_self_signed(&self, names: &[String]) -> Result<(CertifiedKey, Certificate), IdentityError> {
        let path = &self.certificates;
        let generated = |error: rcgen::Error| IdentityError::Generate(error.to_string());
        let written = |error| IdentityError::Write { path: path.clone(), error };
        if !path.exists() {
            self_signed::create(path, &self_signed::generate(names).map_err(generated)?).map_err(written)?;
        }
        match key_file::restrict(path) {
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
        let found = self.read().map_err(|error| match error {
            IdentityError::NoCertificate(_)
            | IdentityError::NoKey(_)
            | IdentityError::Mismatch { .. }
            | IdentityError::Unsupported { .. } => IdentityError::Damaged(path.clone()),
            error => error,
        })?;
        if !self_signed::needs_renewal(&found.1, names) {
            return Ok(found);
        }
        let pem = fs::read_to_string(path).map_err(|error| IdentityError::Read { path: path.clone(), error })?;
        self_signed::replace(path, &self_signed::renew(&pem, &found.1, names).map_err(generated)?).map_err(written)?;
        self.read()
    }

    fn read(&self) -> Result<(CertifiedKey, Certificate), IdentityError> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&read(&self.certificates)?).collect::<Result<_, _>>().unwrap_or_default();
        let first = chain.first().and_then(Certificate::parse);
        let certificate = first.ok_or_else(|| IdentityError::NoCertificate(self.certificates.clone()))?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?);
        let key = key.map_err(|_| IdentityError::NoKey(self.key.clone()))?;
        key_file::check(&self.key)?;
        let key = CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider());
        let key = key.map_err(|error| self.unusable(&error))?;
        Ok((key, certificate))
    }

    fn unusable(&self, error: &rustls::Error) -> IdentityError {
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                IdentityError::Mismatch { certificate: self.certificates.clone(), key: self.key.clone() }
            }
            error => IdentityError::Unsupported { path: self.key.clone(), error: error.to_string() },
        }
    }

    /// Returns the names for a self-signed certificate.
    fn names(&self) -> Vec<String> {
        if self.is_self_signed { self_signed::names(&self.lock().local_names) } else { Vec::new() }
    }

    fn stamps(&self) -> [Option<Stamp>; 2] {
        let stamp = |path: &PathBuf| {
            let metadata = fs::metadata(path).ok()?;
            #[cfg(unix)]
            let changed = Some((MetadataExt::ctime(&metadata), MetadataExt::ctime_nsec(&metadata)));
            #[cfg(not(unix))]
            let changed = None;
            Some((metadata.modified().ok()?, metadata.len(), changed))
        };
        [&self.certificates, &self.key].map(stamp)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Files {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.lock().current.clone()
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("certificates", &self.certificates).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    fs::read(path).map_err(|error| IdentityError::Read { path: path.into(), error })
}

#[cfg(test)]
mod tests;
