//! A client: a connection to a server that is established again whenever it breaks.

mod config;
mod event;
mod target;

mod send_queue;
mod shared;

mod driver;

mod connector;

mod lookup;
mod resolve;
mod route;
mod system_resolver;

mod authentication;
mod dial;
mod opening_handshake;

mod connection;

mod connected_socket;
mod failure;
mod identity;
mod mask_keys;

mod status;
mod timed_socket;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use halloo_proto::close::CloseCode;

pub use config::ClientConfig;
pub use event::ClientEvent;
pub use status::status_of;
pub use target::Target;

use crate::error::panic_message;
use crate::event_queue::EventQueue;
use crate::event_receiver::EventReceiver;
use crate::{ConnectError, Delivery, Message, Stopped};
use driver::{Driver, End};
use failure::Failure;
use shared::Shared;

/// A connection to a server. A thread of its own establishes it again whenever it breaks, until this is dropped.
///
/// ```
/// use halloo::{Client, ClientEvent, Config, Server};
/// # use halloo::Event;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::start_with(Config::local(), |event, hub| {
/// #     if let Event::MessageReceived { client, message } = event { hub.send(client, message).ok(); }
/// # })?;
/// # let target = server.url();
/// let client = Client::connect(target)?; // an address, the name of a server, or a `ServerInfo`
/// client.send("hello")?; // queued until the client is connected
/// for event in client.events() {
///     match event {
///         ClientEvent::Connected { url, .. } => println!("connected to {url}"),
///         ClientEvent::MessageReceived { message, .. } => {
///             println!("Received: {message}");
///             client.close(1000, "done");
///         }
///         ClientEvent::Disconnected { reason, retry_in, .. } => println!("disconnected: {reason}; retrying in {retry_in:?}"),
///         ClientEvent::GaveUp { reason, .. } => println!("gave up: {reason}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// Messages are delivered in order and at most once. Without a connection they are queued up to a limit
/// ([`ClientConfig::outbox`]). Messages in transit when a connection breaks may be lost; none is sent twice.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    receiver: EventReceiver<VecDeque<ClientEvent>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects to `target`, and reconnects whenever the connection breaks. The target is a `&ServerInfo` from
    /// [`discover`], an address such as `ws://192.168.1.5:8765`, or the name of a server to search for on the network.
    ///
    /// Returns immediately; messages can be sent from then on. Events and [`Client::wait_connected`] report whether the
    /// client is connected.
    ///
    /// [`discover`]: crate::discover
    ///
    /// # Errors
    /// [`ConnectError::Address`] if the address is invalid, [`ConnectError::NoTls`] if it requires TLS and this build has
    /// none, and [`ConnectError::System`] if the operating system refuses a resource. A failed attempt is an event.
    pub fn connect(target: impl Into<Target>) -> Result<Client, ConnectError> {
        Client::start(ClientConfig::new(target))
    }

    /// Connects with these settings, like [`Client::connect`].
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn start(config: ClientConfig) -> Result<Client, ConnectError> {
        let queue = Arc::new(EventQueue::new(config.event_queue));
        let (driver, shared) = Driver::new(config, Arc::clone(&queue))?;
        let (thread_shared, thread_queue) = (Arc::clone(&shared), Arc::clone(&queue));
        let run = move || run_to_end(driver, &thread_shared, &thread_queue);
        let builder = std::thread::Builder::new().name("halloo-client".into());
        let thread = builder.spawn(run).map_err(ConnectError::system("start the client's thread"))?;
        let resume = Arc::clone(&shared);
        let receiver = EventReceiver::new(queue, move || resume.resume());
        Ok(Client { shared, receiver, thread: Some(thread) })
    }

    /// Sends a message, or queues it until the client is connected again. Does not block.
    ///
    /// Returns [`Delivery::Backpressure`] if the queue is full; see [`ClientConfig::outbox`].
    ///
    /// # Errors
    /// [`Stopped`] if the client was closed or gave up.
    pub fn send<'m>(&self, message: impl Into<Message<'m>>) -> Result<Delivery, Stopped> {
        self.shared.send(message.into().into_owned())
    }

    /// Sends the queued messages, then closes the connection with `code` (1000, or 3000 to 4999 for codes of the
    /// application) and a reason of at most 123 bytes. The events end when the server confirms, at the latest after 3 s.
    ///
    /// With messages in the queue and no connection, the client goes on trying to connect within
    /// [`ClientConfig::retry_limit`]. Use [`Client::stop`] or drop the client to end it at once.
    pub fn close(&self, code: impl Into<CloseCode>, reason: &str) {
        self.shared.close(code.into(), reason);
    }

    /// Closes the connection with 1001 without sending the queued messages. There are no more events. Dropping the client
    /// does the same and waits for it.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Blocks until at least half of the queue of messages is free, for at most `timeout`, and returns whether it is. Call
    /// it after [`Delivery::Backpressure`] to wait instead of losing messages. Returns early if the client ends.
    pub fn wait_room(&self, timeout: Duration) -> bool {
        self.shared.wait_room(timeout)
    }

    /// Returns `true` if the client is connected.
    pub fn is_connected(&self) -> bool {
        self.shared.url().is_some()
    }

    /// Blocks until the client is connected, for at most `timeout`, and returns whether it is. Returns early if the client
    /// gives up.
    ///
    /// ```
    /// # let server = halloo::Server::start(halloo::Config::local())?;
    /// let client = halloo::Client::connect(server.url())?;
    /// assert!(client.wait_connected(std::time::Duration::from_secs(5)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_connected(&self, timeout: Duration) -> bool {
        self.shared.wait_connected(timeout)
    }

    /// Returns the URL of the server that the client is connected to, or `None` if it is not connected.
    pub fn url(&self) -> Option<String> {
        self.shared.url()
    }

    /// Returns the round-trip time of the last ping, or `None` before the first pong.
    pub fn latency(&self) -> Option<Duration> {
        self.shared.latency()
    }

    /// Returns how many messages were dropped: refused with [`Delivery::Backpressure`], evicted by newer ones, or not yet
    /// sent when a connection broke or the client ended.
    pub fn messages_dropped(&self) -> u64 {
        self.shared.messages_dropped()
    }

    /// Returns the number of events that wait to be taken.
    pub fn waiting_events(&self) -> usize {
        self.receiver.len()
    }

    /// Returns the events as they come, blocking for each; ends when the client was closed or gave up.
    pub fn events(&self) -> impl Iterator<Item = ClientEvent> + '_ {
        self.receiver.iter()
    }

    /// Returns the next event if there is one, for a loop that must not block.
    pub fn try_event(&self) -> Option<ClientEvent> {
        self.receiver.try_next()
    }

    /// Waits for the next event, at most for `timeout`.
    pub fn wait_event(&self, timeout: Duration) -> Option<ClientEvent> {
        self.receiver.next_timeout(timeout)
    }

    /// Awaits the next event on any executor; `None` when the client was closed or gave up.
    pub async fn event(&self) -> Option<ClientEvent> {
        self.receiver.next().await
    }
}

impl Drop for Client {
    /// Closes the connection with 1001 and waits for at most 1 s until the server confirms. A search is cancelled. Only a
    /// host name that the operating system is resolving cannot be: its thread, one of at most eight in a process, ends when
    /// the system does.
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // The thread catches its panics, so that there is no error to handle.
            let _ = thread.join();
        }
    }
}

/// Runs the client's thread, and then reports what was not sent and why the client ended.
fn run_to_end(mut driver: Driver, shared: &Shared, queue: &EventQueue<VecDeque<ClientEvent>>) {
    let end = catch_panic(|| driver.run());
    drop(driver);
    shared.end();
    let mut last = VecDeque::new();
    let messages = shared.take_unreported_drops();
    if messages > 0 {
        last.push_back(ClientEvent::MessagesDropped { messages });
    }
    if let End::GaveUp(Failure { reason, status, .. }) = end {
        tracing::debug!(reason, "the client gave up");
        last.push_back(ClientEvent::GaveUp { reason, status });
    }
    queue.push(&mut last);
    queue.close();
}

/// Turns a panic into a reason to give up.
fn catch_panic(run: impl FnOnce() -> End) -> End {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(end) => end,
        Err(panic) => End::GaveUp(panic_message("client", panic.as_ref()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_client_and_is_reported() {
        let End::GaveUp(Failure { reason, .. }) = catch_panic(|| panic!("a bug")) else { panic!() };
        assert!(reason.contains("a bug"), "{reason}");
    }
}
