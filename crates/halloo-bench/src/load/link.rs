//! A socket of the load generator, with TLS if the server has it.
//!
//! All servers use the cipher that is cheapest for both ends, since the generator offers no other. It does not check
//! certificates, and resumes no session, so that each handshake is a whole one.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::target::Target;

/// A connected socket. A non-blocking one returns from a read all that it has decrypted.
#[derive(Debug)]
pub(crate) struct Link<S> {
    socket: S,
    tls: Option<Box<ClientConnection>>,
    /// Whether the last read left nothing behind.
    drained: bool,
}

impl Link<TcpStream> {
    pub(super) fn new(socket: TcpStream, target: &Target) -> io::Result<Link<TcpStream>> {
        let name = ServerName::from(target.addr.ip());
        let start = |config| ClientConnection::new(config, name).map(Box::new).map_err(io::Error::other);
        let tls = target.secure.then(|| config().and_then(start)).transpose()?;
        Ok(Link { socket, tls, drained: false })
    }

    pub(super) fn into_nonblocking(self) -> io::Result<Link<mio::net::TcpStream>> {
        self.socket.set_nonblocking(true)?;
        Ok(Link { socket: mio::net::TcpStream::from_std(self.socket), tls: self.tls, drained: false })
    }

    /// Returns the socket of a connection without TLS.
    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }
}

impl<S> Link<S> {
    pub(super) fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Returns whether the last read left nothing behind, so that the next edge of the poll reports more.
    pub(super) fn is_drained(&self) -> bool {
        self.drained
    }
}

impl<S: Read + Write> Read for Link<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            let count = self.socket.read(buffer)?;
            self.drained = count < buffer.len();
            return Ok(count);
        };
        // Encrypted bytes are read into the second half in one call; rustls would read four kilobytes at a time.
        let middle = buffer.len() / 2;
        let (plain, encrypted) = buffer.split_at_mut(middle);
        let mut filled = read_plaintext(tls, plain)?;
        while filled == 0 {
            let count = self.socket.read(encrypted)?;
            if count == 0 {
                return Ok(0);
            }
            self.drained = count < encrypted.len();
            let mut bytes = &encrypted[..count];
            while !bytes.is_empty() {
                tls.read_tls(&mut bytes)?;
                tls.process_new_packets().map_err(io::Error::other)?;
                filled += read_plaintext(tls, &mut plain[filled..])?;
            }
            send(tls, &mut self.socket)?;
        }
        self.drained &= filled < middle;
        Ok(filled)
    }
}

impl<S: Write> Write for Link<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.write(bytes) };
        send(tls, &mut self.socket)?;
        if tls.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = tls.writer().write(bytes)?;
        send(tls, &mut self.socket)?;
        Ok(count)
    }

    /// Writes what is encrypted, as far as the socket accepts it.
    fn flush(&mut self) -> io::Result<()> {
        self.tls.as_mut().map_or(Ok(()), |tls| send(tls, &mut self.socket))
    }
}

fn read_plaintext(tls: &mut ClientConnection, buffer: &mut [u8]) -> io::Result<usize> {
    match tls.reader().read(buffer) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        outcome => outcome,
    }
}

fn send(tls: &mut ClientConnection, socket: &mut impl Write) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(socket) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, Error>> = OnceLock::new();
    CONFIG.get_or_init(create_config).clone().map_err(io::Error::other)
}

fn create_config() -> Result<Arc<ClientConfig>, Error> {
    let provider = CryptoProvider { cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256], ..default_provider() };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?.dangerous();
    let mut config = builder.with_custom_certificate_verifier(Arc::new(AnyCertificate)).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Accepts every certificate: the server is a process of the benchmark.
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
