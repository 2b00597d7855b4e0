//! An address of a broker, and connecting to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError};
use halloo_proto::text::escape;
use tokio::sync::mpsc;

use crate::ClusterConfig;
use crate::fault::Fault;
use crate::greeting::{self, Greeting};
use crate::requirements::{MIN_PAYLOAD, OLDEST_PARTS};

/// Maximum time to connect and to authenticate.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time between two pings. The connection is given up at the third one that is due while two are unanswered.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// Messages that the client of NATS holds, of at most 60 KiB, or one that is larger.
const CAPACITY: usize = 64;
/// Messages that wait per subscription. They are taken out whenever the client of NATS has read from its socket.
const SUBSCRIPTION_CAPACITY: usize = 65_536;
/// Longer than a connection that was lost lives: another one is made in its place.
const NEVER: Duration = Duration::from_secs(3600);

/// An address of a broker.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    address: ServerAddr,
}

/// What happens to a connection.
#[derive(Debug)]
pub(crate) enum Notice {
    Lost(&'static str),
    /// The broker does not permit something, in its words.
    Denied(String),
}

/// Two connections to a broker: a full one for messages does not delay what nodes say about themselves.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) data: Client,
    pub(crate) control: Client,
    pub(crate) notices: mpsc::Receiver<Notice>,
}

impl Broker {
    /// Parses an address such as `nats://10.0.0.1:4222`.
    pub(crate) fn parse(text: &str) -> Result<Broker, String> {
        let shown = escape(text.rsplit('@').next().unwrap_or_default(), 100);
        let scheme = text.split_once("://").map_or("nats", |(scheme, _)| scheme);
        if !matches!(scheme, "nats" | "tls") {
            return Err(format!("`{shown}` does not begin with nats:// or tls://"));
        }
        let address: ServerAddr =
            text.parse().map_err(|_| format!("`{shown}` is not an address like nats://10.0.0.1:4222"))?;
        if address.host().is_empty() {
            return Err(format!("`{shown}` has no host"));
        }
        Ok(Broker { address })
    }

    /// Returns host and port, without credentials.
    pub(crate) fn name(&self) -> String {
        let host = escape(self.address.host(), 100);
        let host = if host.contains(':') { format!("[{}]", host.trim_matches(['[', ']'])) } else { host };
        format!("{host}:{}", self.address.port())
    }

    /// Returns whether this machine alone reaches it.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.address.host();
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Connects twice.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub(crate) async fn connect(&self, config: &ClusterConfig) -> Result<Connections, Fault> {
        let broker = self.name();
        let host = self.address.host().trim_matches(['[', ']']);
        match greeting::read(host, self.address.port()).await {
            Ok(Greeting::Nats) => {}
            Ok(Greeting::Silent) => return Err(Fault::Silent { broker }),
            Ok(Greeting::Other(found)) => return Err(Fault::NotNats { broker, found }),
            Err(error) => return Err(Fault::Unreachable { broker, error: error.to_string() }),
        }
        let (sender, notices) = mpsc::channel(16);
        let control = self.connect_once(config, &sender, false).await?;
        let info = control.server_info();
        if parts(&info.version) < OLDEST_PARTS {
            return Err(Fault::TooOld { broker, version: escape(&info.version, 40) });
        }
        if info.max_payload < MIN_PAYLOAD {
            return Err(Fault::SmallPayload { broker, bytes: info.max_payload });
        }
        // What this node sends is not to come back on the connection for messages.
        let data = self.connect_once(config, &sender, true).await?;
        Ok(Connections { data, control, notices })
    }

    async fn connect_once(
        &self,
        config: &ClusterConfig,
        notices: &mpsc::Sender<Notice>,
        no_echo: bool,
    ) -> Result<Client, Fault> {
        let broker = self.name();
        let (notices, is_first) = (notices.clone(), AtomicBool::new(true));
        let mut options = ConnectOptions::new()
            .name("halloo")
            .connection_timeout(CONNECT_TIMEOUT)
            .ping_interval(PING_INTERVAL)
            .client_capacity(CAPACITY)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .ignore_discovered_servers()
            .reconnect_delay_callback(move |_| match is_first.swap(false, Ordering::Relaxed) {
                true => Duration::ZERO,
                false => NEVER,
            })
            .event_callback(move |event| {
                if let Some(notice) = notice(&event) {
                    // When it is full, the first ones are enough.
                    let _ = notices.try_send(notice);
                }
                std::future::ready(())
            });
        options = match (self.address.username(), self.address.password()) {
            (Some(user), Some(password)) => options.user_and_password(decoded(user), decoded(password)),
            // As in other clients of NATS.
            (Some(token), None) => options.token(decoded(token)),
            _ => options,
        };
        if no_echo {
            options = options.no_echo();
        }
        if let Some(credentials) = &config.credentials {
            options = options.credentials(credentials.reveal()).map_err(credentials_fault)?;
        }
        options.connect(self.address.clone()).await.map_err(|error| match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => Fault::Refused { broker },
            ConnectErrorKind::TimedOut => Fault::Silent { broker },
            _ => Fault::Unreachable { broker, error: escape(&error.to_string(), 200) },
        })
    }
}

/// Returns the first two parts of a version; zeros for a text that is none.
fn parts(version: &str) -> (u32, u32) {
    let mut parts = version.trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Returns a part of an address with its percent-encoded characters decoded (RFC 3986 section 2.1).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let digits = others.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &others[2..];
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn credentials_fault(error: std::io::Error) -> Fault {
    Fault::Credentials { error: escape(&error.to_string(), 100) }
}

fn notice(event: &Event) -> Option<Notice> {
    match event {
        Event::Disconnected => Some(Notice::Lost("it ended, or did not answer for 6 s")),
        Event::LameDuckMode => Some(Notice::Lost("the broker stops")),
        Event::Closed => Some(Notice::Lost("it was closed")),
        Event::ServerError(ServerError::Other(text)) if text.to_lowercase().contains("permissions violation") => {
            Some(Notice::Denied(escape(text, 200)))
        }
        Event::ServerError(ServerError::AuthorizationViolation) => Some(Notice::Lost("the credentials were revoked")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_decoded() {
        assert_eq!(decoded("a%40b%2F%c3%a4%"), "a@b/ä%");
    }

    #[test]
    fn versions_are_compared_by_their_parts() {
        for (version, is_new) in [("2.2.0", true), ("2.10.1", true), ("v3.0", true), ("1.4.1", false), ("2.1.9", false)]
        {
            assert_eq!(parts(version) >= OLDEST_PARTS, is_new, "{version}");
        }
        assert_eq!(parts("99999999999999999999.x"), (0, 0));
    }

    #[test]
    fn addresses_are_parsed_and_shown_without_secrets() {
        let name = |text| Broker::parse(text).map(|broker| broker.name());
        assert_eq!(name("nats://10.0.0.1:4223").as_deref(), Ok("10.0.0.1:4223"));
        assert_eq!(name("nats://ann:secret@example.org").as_deref(), Ok("example.org:4222"));
        assert_eq!(name("10.0.0.1").as_deref(), Ok("10.0.0.1:4222"));
        assert_eq!(name("nats://[::1]:4222").as_deref(), Ok("[::1]:4222"));
        for text in ["http://ann:secret@10.0.0.1", "nats://ann:secret@", "nats://ann:secret@ho st"] {
            let error = name(text).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
