//! What a broker says first, read before the client of NATS connects, since that does not say what is wrong.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Maximum time to connect.
const CONNECT: Duration = Duration::from_secs(2);
/// Maximum time until the first bytes.
const FIRST_BYTES: Duration = Duration::from_secs(1);
/// Maximum bytes of a greeting: one with the addresses of hundreds of brokers is shorter.
const MAX_BYTES: usize = 64 * 1024;

/// What answers at an address.
#[derive(Debug)]
pub(crate) enum Greeting {
    /// A broker of NATS.
    Nats,
    /// Nothing, although the connection is accepted.
    Silent,
    /// Something else.
    Other(&'static str),
}

/// Connects to `address` and reads what it says.
///
/// # Errors
/// The system's error if nothing can be connected to.
pub(crate) async fn read(host: &str, port: u16) -> io::Result<Greeting> {
    let connected = timeout(CONNECT, TcpStream::connect((host, port))).await;
    let mut socket = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    let mut text = Vec::new();
    if timeout(FIRST_BYTES, read_line(&mut socket, &mut text)).await.is_err() && text.is_empty() {
        // An HTTP server waits for a request, and complains about this one.
        let asked = timeout(FIRST_BYTES, async {
            socket.write_all(b"PING\r\n\r\n").await?;
            read_line(&mut socket, &mut text).await
        });
        let _ = asked.await;
    }
    Ok(match text.as_slice() {
        [b'I', b'N', b'F', b'O', b' ', ..] => Greeting::Nats,
        [] => Greeting::Silent,
        [b'H', b'T', b'T', b'P', ..] => Greeting::Other("an HTTP server"),
        [b'S', b'S', b'H', ..] => Greeting::Other("an SSH server"),
        _ => Greeting::Other("a server with another protocol"),
    })
}

/// Reads until the end of the first line.
async fn read_line(socket: &mut TcpStream, text: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while text.len() < MAX_BYTES && !text.contains(&b'\n') {
        match socket.read(&mut buffer).await? {
            0 => break,
            length => text.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(())
}
