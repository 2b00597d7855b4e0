//! A TLS client of an attacker, which makes its own records after a proper handshake (RFC 8446 section 5.2).

use std::io::{Read, Write};
use std::sync::Arc;

use anyhow::{Result, bail};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, ConnectionTrafficSecrets, DigitallySignedStruct, Error,
    SignatureScheme,
};

/// The content type of application data (RFC 8446 section 5.1).
const APPLICATION_DATA: u8 = 23;

/// A connection whose handshake is complete.
pub(crate) struct TlsPeer<S> {
    pub(crate) stream: S,
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl<S: Read + Write> TlsPeer<S> {
    pub(crate) fn connect(mut stream: S) -> Result<TlsPeer<S>> {
        let mut tls = client()?;
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut stream)?;
        }
        let (sequence, secrets) = tls.dangerous_extract_secrets()?.tx;
        let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else { bail!("another cipher was agreed on") };
        let key = UnboundKey::new(&AES_128_GCM, key.as_ref()).map_err(|_| anyhow::anyhow!("the key is unusable"))?;
        let iv = iv.as_ref().try_into()?;
        Ok(TlsPeer { stream, key: LessSafeKey::new(key), iv, sequence })
    }

    /// Appends a record of application data with `content` and `padding` zeros.
    pub(crate) fn record(&mut self, out: &mut Vec<u8>, content: &[u8], padding: usize) -> Result<()> {
        self.record_of(APPLICATION_DATA, out, content, padding)
    }

    /// Appends a record with content of any type.
    pub(crate) fn record_of(&mut self, kind: u8, out: &mut Vec<u8>, content: &[u8], padding: usize) -> Result<()> {
        let mut body = [content, &[kind]].concat();
        body.resize(body.len() + padding, 0);
        let header =
            [&[APPLICATION_DATA, 3, 3][..], &u16::try_from(body.len() + AES_128_GCM.tag_len())?.to_be_bytes()].concat();
        let mut nonce = self.iv;
        nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        self.sequence += 1;
        let (nonce, additional) = (Nonce::assume_unique_for_key(nonce), Aad::from(&header));
        let tag = self.key.seal_in_place_separate_tag(nonce, additional, &mut body);
        out.extend_from_slice(&header);
        out.extend_from_slice(&body);
        out.extend_from_slice(tag.map_err(|_| anyhow::anyhow!("a record cannot be encrypted"))?.as_ref());
        Ok(())
    }
}

/// Returns the first flight of a client.
pub(crate) fn client_hello() -> Result<Vec<u8>> {
    let (mut tls, mut hello) = (client()?, Vec::new());
    while tls.wants_write() {
        tls.write_tls(&mut hello)?;
    }
    hello.flush()?;
    Ok(hello)
}

fn client() -> Result<ClientConnection> {
    let mut provider = default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?.dangerous();
    let mut config = builder.with_custom_certificate_verifier(Arc::new(AnyCertificate)).with_no_client_auth();
    config.enable_secret_extraction = true;
    Ok(ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?)
}

/// An attacker does not care who the server is.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
