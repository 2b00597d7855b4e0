//! Whom a client trusts: the one whose fingerprint is pinned, or those that the system vouches for.

use std::sync::Arc;

use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::url::Host;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::Session;
use super::identity::fingerprint_of;

/// The client's side.
#[derive(Debug, Default)]
pub(crate) struct Connector {
    pinned: Option<Fingerprint>,
    /// Made when it is needed: most clients speak no TLS, and the system's certificates take milliseconds to read.
    config: Option<Arc<ClientConfig>>,
}

impl Connector {
    pub(crate) fn new(pinned: Option<Fingerprint>) -> Connector {
        Connector { pinned, config: None }
    }

    /// A session with the server at `host`; an error is a sentence.
    pub(crate) fn connect(&mut self, host: &Host) -> Result<Box<Session>, String> {
        let config = match &self.config {
            Some(config) => Arc::clone(config),
            None => Arc::clone(self.config.insert(configure(self.pinned).map_err(|error| error.to_string())?)),
        };
        let name = match host {
            Host::Ip(ip) => ServerName::from(*ip),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| format!("{name} is no name for TLS"))?,
        };
        let tls = ClientConnection::new(config, name).map_err(|error| error.to_string())?;
        Ok(Session::new(tls))
    }
}

fn configure(pinned: Option<Fingerprint>) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let system = if pinned.is_some() { None } else { system(&provider) };
    let judge = Judge { pinned, system, algorithms: provider.signature_verification_algorithms };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(judge));
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Trust in whatever the system trusts; `None` where it tells nobody, as on phones.
fn system(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    // Some of what systems have is older than any rule; the rest is enough.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok()
}

#[derive(Debug)]
struct Judge {
    pinned: Option<Fingerprint>,
    system: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = fingerprint_of(certificate);
        if let Some(pinned) = self.pinned {
            // That it has the key is proven by its signature, below.
            return if pinned == seen { Ok(ServerCertVerified::assertion()) } else { Err(other(seen)) };
        }
        let Some(system) = &self.system else { return Err(unknown(seen, "this system vouches for nobody")) };
        system.verify_server_cert(certificate, issuers, name, ocsp, now).map_err(|error| match error {
            Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
                unknown(seen, "nobody known to this system vouches for it")
            }
            error => unknown(seen, &error.to_string()),
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn other(seen: Fingerprint) -> Error {
    Error::General(format!(
        "its certificate is not the pinned one, so it may be somebody else; if the server shows {seen}, pin that"
    ))
}

fn unknown(seen: Fingerprint, why: &str) -> Error {
    Error::General(format!(
        "its certificate is not trusted: {why}; if the server shows the same fingerprint, pin it with `--fingerprint {seen}`"
    ))
}
