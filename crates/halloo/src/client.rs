//! The handle of a running client.

mod config;
mod event;
mod target;

mod line;
mod locate;

mod connection;
mod dial;
mod driver;
mod greeting;
mod keys;
mod status;

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
use line::Line;

/// A connection to a server, which a thread of its own makes and restores until this is dropped.
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
/// let client = Client::connect(target)?; // an address, a server's name, or one that `discover` found
/// client.send("hello")?; // waits until there is a connection
/// for event in client.events() {
///     match event {
///         ClientEvent::Connected { url, .. } => println!("connected to {url}"),
///         ClientEvent::MessageReceived { message, .. } => {
///             println!("Received: {message}");
///             client.close(1000, "that was all");
///         }
///         ClientEvent::Disconnected { reason, retry_in, .. } => println!("{reason}; again in {retry_in:?}"),
///         ClientEvent::GaveUp { reason, .. } => println!("gave up: {reason}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// Messages are delivered in order and at most once. While there is no connection they wait in a bounded queue
/// ([`ClientConfig::outbox`]). Messages that were on their way when a connection broke may be lost, and are never sent
/// twice.
#[derive(Debug)]
pub struct Client {
    line: Arc<Line>,
    receiver: EventReceiver<VecDeque<ClientEvent>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects to `target` and reconnects whenever the connection breaks. The target is a `&ServerInfo` as
    /// [`discover`] returns it, an address such as `ws://192.168.1.5:8765`, or the name of a server, which is searched
    /// for on the network.
    ///
    /// Returns at once. The events, or [`Client::wait_connected`], report the outcome; messages may be sent before.
    ///
    /// [`discover`]: crate::discover
    ///
    /// # Errors
    /// [`ConnectError::Address`] when the address is invalid. A server that cannot be reached is an event, not an
    /// error.
    pub fn connect(target: impl Into<Target>) -> Result<Client, ConnectError> {
        Client::start(ClientConfig::new(target))
    }

    /// Does the same with other settings.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn start(config: ClientConfig) -> Result<Client, ConnectError> {
        let queue = Arc::new(EventQueue::new(config.event_queue));
        let (mut driver, line) = Driver::new(config, Arc::clone(&queue))?;
        let (thread_line, thread_queue) = (Arc::clone(&line), Arc::clone(&queue));
        let run = move || {
            let mut last = Vec::new();
            let end = guarded(|| driver.run());
            drop(driver);
            thread_line.end(&mut last);
            if let End::GaveUp(reason) = end {
                tracing::debug!(reason, "the client gave up");
                last.push(ClientEvent::GaveUp { reason });
            }
            thread_queue.push(&mut last.into());
            thread_queue.close();
        };
        let builder = std::thread::Builder::new().name("halloo-client".into());
        let thread = builder.spawn(run).map_err(ConnectError::system("start the client's thread"))?;
        let resume = Arc::clone(&line);
        let receiver = EventReceiver::new(queue, move || resume.resume());
        Ok(Client { line, receiver, thread: Some(thread) })
    }

    /// Sends one message, now or once there is a connection again. Does not block.
    ///
    /// Returns [`Delivery::Backpressure`] when the queue of [`ClientConfig::outbox`] is full.
    ///
    /// # Errors
    /// [`Stopped`] when the client was closed or gave up.
    pub fn send<'m>(&self, message: impl Into<Message<'m>>) -> Result<Delivery, Stopped> {
        self.line.send(message.into().into_owned())
    }

    /// Sends what waits, then closes with a code (1000, or 3000 to 4999 for your own) and a reason of at most 123
    /// bytes. The events end when the server has agreed, or after 3 s.
    ///
    /// While messages wait and there is no connection, the client still tries to connect, within
    /// [`ClientConfig::retry_limit`]. Drop the client to end at once.
    pub fn close(&self, code: impl Into<CloseCode>, reason: &str) {
        self.line.close(code.into(), reason);
    }

    /// Ends without sending what waits: closes with 1001 and emits no more events. Dropping the client does the same
    /// and waits for it.
    pub fn stop(&self) {
        self.line.stop();
    }

    /// Waits at most `timeout` until at least half of the message queue is free, and returns whether it is. For
    /// programs that would rather wait than lose messages. Returns early when the client has ended.
    pub fn wait_room(&self, timeout: Duration) -> bool {
        self.line.wait_room(timeout)
    }

    /// Returns whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.line.url().is_some()
    }

    /// Waits at most `timeout` for a connection, and returns whether there is one. Returns early when the client gives
    /// up, which the events explain.
    ///
    /// ```
    /// # let server = halloo::Server::start(halloo::Config::local())?;
    /// let client = halloo::Client::connect(server.url())?;
    /// assert!(client.wait_connected(std::time::Duration::from_secs(5)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_connected(&self, timeout: Duration) -> bool {
        self.line.wait_connected(timeout)
    }

    /// Returns the URL of the server it is connected to; `None` while it is not.
    pub fn url(&self) -> Option<String> {
        self.line.url()
    }

    /// Returns the round trip of the last answered ping; `None` before the first.
    pub fn latency(&self) -> Option<Duration> {
        self.line.latency()
    }

    /// Returns how many messages were not sent: refused with [`Delivery::Backpressure`], evicted by newer ones, or
    /// lost with a connection before the system had accepted them.
    pub fn messages_dropped(&self) -> u64 {
        self.line.messages_dropped()
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
    /// Closes with 1001, and waits for the server to agree for at most a second.
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // The thread catches its panics, so there is nothing to learn from its end.
            let _ = thread.join();
        }
    }
}

/// Turns a panic into a reason to give up.
fn guarded(run: impl FnOnce() -> End) -> End {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(end) => end,
        Err(panic) => End::GaveUp(panic_message("client", panic.as_ref())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_reason_to_give_up_and_not_an_abort() {
        let End::GaveUp(reason) = guarded(|| panic!("as the test wants")) else { panic!() };
        assert!(reason.contains("as the test wants"), "{reason}");
    }
}
