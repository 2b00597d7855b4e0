//! What the servers on tokio share: one thread, the four roles, and the list of clients that a message to all goes to.

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

/// Text, binary, or nothing for the application.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Binary,
    Other,
}

/// What becomes of a message.
pub enum Fate {
    Return,
    SendToAll,
    TellCount(String),
    Nothing,
}

/// The application: its role, its count, its clients.
pub struct Application<M> {
    role: String,
    taken: Cell<u64>,
    pub clients: RefCell<Slab<UnboundedSender<M>>>,
}

impl<M> Application<M> {
    pub fn handle(&self, kind: Kind) -> Fate {
        match (self.role.as_str(), kind) {
            (_, Kind::Other) => Fate::Nothing,
            ("echo", _) | ("mixed", Kind::Text) => Fate::Return,
            ("sink", Kind::Text) => Fate::TellCount(self.taken.get().to_string()),
            ("sink", _) => {
                self.taken.set(self.taken.get() + 1);
                Fate::Nothing
            }
            _ => Fate::SendToAll,
        }
    }

    /// Whether messages come from others, too.
    pub fn has_audience(&self) -> bool {
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

/// Serves `PROGRAM ROLE PORT` on one thread.
pub fn serve<M: 'static, F>(handle: fn(TcpStream, Rc<Application<M>>) -> F) -> Outcome
where
    F: Future<Output = Outcome> + 'static,
{
    let mut arguments = std::env::args().skip(1);
    let (Some(role), Some(port)) = (arguments.next(), arguments.next()) else { return Err("ROLE PORT".into()) };
    let port: u16 = port.parse()?;
    let application = Rc::new(Application { role, taken: Cell::new(0), clients: RefCell::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let application = Rc::clone(&application);
            // A client that resets its connection ends its task with an error, which is no news.
            spawn_local(async move { handle(stream, application).await.is_ok() });
        }
    })
}

/// Speaks with one client over a stream and sink of messages.
pub async fn converse<S, M, E>(
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
    if !application.has_audience() {
        while let Some(message) = socket.next().await {
            let message = message?;
            match application.handle(kind(&message)) {
                Fate::Return => socket.send(message).await?,
                Fate::TellCount(count) => socket.send(text(count)).await?,
                Fate::SendToAll | Fate::Nothing => {}
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
                    Fate::Return => if let Err(error) = socket.send(message).await { break Err(error.into()) },
                    Fate::SendToAll => application.send_to_all(&message),
                    Fate::TellCount(_) | Fate::Nothing => {}
                },
            },
            Some(message) = receiver.recv() => if let Err(error) = socket.send(message).await { break Err(error.into()) },
        }
    };
    application.clients.borrow_mut().remove(number);
    outcome
}

/// The handshake, for libraries that leave it to the application.
pub async fn shake_hands(stream: &mut TcpStream) -> Outcome {
    let mut head = bytes::BytesMut::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err("hung up".into());
        }
        if let Some((request, _)) = parse_request(&head)? {
            let response = build_response(&generate_accept_key(request.key), None, None);
            return Ok(stream.write_all(&response).await?);
        }
    }
}
