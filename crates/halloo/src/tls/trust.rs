//! The client side of TLS. A client trusts the key or certificate whose fingerprint is pinned; without a pinned one, those
//! that are signed by a certificate authority of the system.

use std::sync::Arc;

use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::setting_names::SettingNames;
use halloo_proto::url::Host;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{UnbufferedClientConnection, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::Session;
use super::certificate::{Certificate, fingerprint_of};

/// Starts TLS sessions on the client side.
#[derive(Debug, Default)]
pub(crate) struct Connector {
    pinned: Option<Fingerprint>,
    names: SettingNames,
    /// Created on first use: most clients use no TLS, and reading the system's certificates takes milliseconds.
    config: Option<Arc<ClientConfig>>,
}

impl Connector {
    /// `names`: how errors spell the setting for the fingerprint.
    pub(crate) fn new(pinned: Option<Fingerprint>, names: SettingNames) -> Connector {
        Connector { pinned, names, config: None }
    }

    /// Returns whether a fingerprint is pinned.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }

    /// Starts a session with the server at `host`.
    ///
    /// # Errors
    /// A message for the user when `host` cannot be used for TLS or TLS cannot be set up.
    pub(crate) fn connect(&mut self, host: &Host) -> Result<Box<Session>, String> {
        let config = match &self.config {
            Some(config) => Arc::clone(config),
            None => {
                Arc::clone(self.config.insert(configure(self.pinned, self.names).map_err(|error| error.to_string())?))
            }
        };
        let name = match host {
            Host::Ip(ip) => ServerName::from(*ip),
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_| format!("{name} is not a valid host name for TLS"))?
            }
        };
        let tls = UnbufferedClientConnection::new(config, name).map_err(|error| error.to_string())?;
        Session::new(tls).map_err(|error| error.to_string())
    }
}

fn configure(pinned: Option<Fingerprint>, names: SettingNames) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let system = if pinned.is_some() { None } else { system_verifier(&provider) };
    let verifier =
        PinOrSystemVerifier { pinned, names, system, algorithms: provider.signature_verification_algorithms };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Returns a verifier for the certificate authorities of the system; `None` if they cannot be read, as on phones.
fn system_verifier(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    // Some systems include old certificates that cannot be parsed. They are skipped.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok()
}

#[derive(Debug)]
struct PinOrSystemVerifier {
    pinned: Option<Fingerprint>,
    names: SettingNames,
    system: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinOrSystemVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // A certificate that cannot be parsed has no key that could verify the handshake.
        let whole = fingerprint_of(certificate);
        let seen = Certificate::parse(certificate).map_or(whole, |certificate| certificate.fingerprint);
        if let Some(pinned) = self.pinned {
            // The handshake signature, verified below, proves that the server has the private key.
            return if pinned == seen || pinned == whole {
                Ok(ServerCertVerified::assertion())
            } else {
                Err(self.not_pinned(seen))
            };
        }
        let Some(system) = &self.system else {
            return Err(self.not_trusted(seen, "this system provides no certificate authorities"));
        };
        let outcome = system.verify_server_cert(certificate, issuers, name, ocsp, now);
        outcome.map_err(|error| self.not_trusted(seen, &describe(error)))
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

/// Returns why the system does not trust a certificate, and what its owner can do.
fn describe(error: Error) -> String {
    use CertificateError::*;
    let Error::InvalidCertificate(error) = error else { return error.to_string() };
    match error {
        UnknownIssuer => "it is not signed by a certificate authority that this system trusts".into(),
        Expired | ExpiredContext { .. } => "it has expired; renew it, or correct the clock of this machine".into(),
        NotValidYet | NotValidYetContext { .. } => "it is not valid yet; correct the clock of this machine".into(),
        NotValidForName | NotValidForNameContext { .. } => {
            "it is for another host name; connect by a name that it contains".into()
        }
        Other(error) if error.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) => {
            "it is the certificate of an authority, not of a server; create it with \
             `openssl req -x509 -addext basicConstraints=critical,CA:FALSE`"
                .into()
        }
        error => error.to_string(),
    }
}

impl PinOrSystemVerifier {
    fn not_pinned(&self, seen: Fingerprint) -> Error {
        Error::General(format!(
            "its certificate is not the pinned one, so this may be another server; if the server shows the fingerprint \
             {seen}, {}",
            self.pin(seen)
        ))
    }

    fn not_trusted(&self, seen: Fingerprint, reason: &str) -> Error {
        Error::General(format!(
            "its certificate is not trusted: {reason}; if the server shows the fingerprint {seen}, {}",
            self.pin(seen)
        ))
    }

    /// Returns the instruction to pin a certificate.
    fn pin(&self, seen: Fingerprint) -> String {
        self.names.set("fingerprint", &seen.to_string())
    }
}
