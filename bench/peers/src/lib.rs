//! What the servers on tokio share: a single thread, the four roles, and the list of clients.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::rc::Rc;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use slab::Slab;
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};

pub type Outcome = Result<(), Box<dyn Error>>;

/// The kind of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Binary,
    /// A control frame, which is not for the application.
    Other,
}

/// What to do with a message.
pub enum Action {
    Return,
    SendToAll,
    SendCount(String),
    Nothing,
}

/// The application: its role, the number of messages received, and its clients.
pub struct Application<M> {
    role: String,
    received: Cell<u64>,
    pub clients: RefCell<Slab<UnboundedSender<M>>>,
}

impl<M> Application<M> {
    pub fn handle(&self, kind: Kind) -> Action {
        match (self.role.as_str(), kind) {
            (_, Kind::Other) => Action::Nothing,
            ("echo", _) | ("mixed", Kind::Text) => Action::Return,
            ("sink", Kind::Text) => Action::SendCount(self.received.get().to_string()),
            ("sink", _) => {
                self.received.set(self.received.get() + 1);
                Action::Nothing
            }
            _ => Action::SendToAll,
        }
    }

    /// Returns whether messages are sent to other clients, too.
    pub fn sends_to_others(&self) -> bool {
        self.role == "fanout" || self.role == "mixed"
    }
}

impl<M: Clone> Application<M> {
    pub fn send_to_all(&self, message: &M) {
        for (_, client) in self.clients.borrow().iter() {
            let _ = client.send(message.clone());
        }
    }
}

/// Serves on one thread. The arguments of the program are the role and the port.
pub fn serve<M: 'static, F>(handle: fn(TcpStream, Rc<Application<M>>) -> F) -> Outcome
where
    F: Future<Output = Outcome> + 'static,
{
    let mut arguments = std::env::args().skip(1);
    let (Some(role), Some(port)) = (arguments.next(), arguments.next()) else {
        return Err("usage: PROGRAM ROLE PORT".into());
    };
    let port: u16 = port.parse()?;
    let application = Rc::new(Application { role, received: Cell::new(0), clients: RefCell::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let application = Rc::clone(&application);
            // A client that resets its connection ends its task with an error, which is expected.
            spawn_local(async move { handle(stream, application).await.is_ok() });
        }
    })
}

/// Serves a client over a stream and sink of messages.
pub async fn handle_client<S, M, E>(
    mut socket: S,
    application: Rc<Application<M>>,
    kind: fn(&M) -> Kind,
    text: fn(String) -> M,
) -> Outcome
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: Clone,
    E: Error + Debug + 'static,
{
    if !application.sends_to_others() {
        while let Some(message) = socket.next().await {
            let message = message?;
            match application.handle(kind(&message)) {
                Action::Return => socket.send(message).await?,
                Action::SendCount(count) => socket.send(text(count)).await?,
                Action::SendToAll | Action::Nothing => {}
            }
        }
        return Ok(());
    }
    let (sender, mut receiver) = unbounded_channel();
    let number = application.clients.borrow_mut().insert(sender);
    let outcome = loop {
        tokio::select! {
            message = socket.next() => match message {
                None => break Ok(()),
                Some(Err(error)) => break Err(error.into()),
                Some(Ok(message)) => match application.handle(kind(&message)) {
                    Action::Return => if let Err(error) = socket.send(message).await { break Err(error.into()) },
                    Action::SendToAll => application.send_to_all(&message),
                    Action::SendCount(_) | Action::Nothing => {}
                },
            },
            Some(message) = receiver.recv() => if let Err(error) = socket.send(message).await { break Err(error.into()) },
        }
    };
    application.clients.borrow_mut().remove(number);
    outcome
}

/// Does the handshake, for libraries that leave it to the application.
pub async fn handshake(stream: &mut TcpStream) -> Outcome {
    let mut head = bytes::BytesMut::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err("the connection was closed during the handshake".into());
        }
        if let Some((request, _)) = parse_request(&head)? {
            let response = build_response(&generate_accept_key(request.key), None, None);
            return Ok(stream.write_all(&response).await?);
        }
    }
}
