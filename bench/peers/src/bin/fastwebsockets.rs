//! A WebSocket server with fastwebsockets with its default settings.

use std::rc::Rc;

use bytes::Bytes;
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocket, WebSocketError,
};
use peers::{Action, Application, Kind, Outcome, handshake, serve};
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::spawn_local;

/// A message to several clients.
type Shared = (OpCode, Bytes);

fn main() -> Outcome {
    serve(|mut stream, application: Rc<Application<Shared>>| async move {
        handshake(&mut stream).await?;
        let socket = WebSocket::after_handshake(stream, Role::Server);
        if application.sends_to_others() { relay(socket, application).await } else { reply(socket, application).await }
    })
}

async fn reply(socket: WebSocket<TcpStream>, application: Rc<Application<Shared>>) -> Outcome {
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match application.handle(kind(frame.opcode)) {
            Action::Return => socket.write_frame(frame).await?,
            Action::SendCount(count) => socket.write_frame(Frame::text(Payload::Owned(count.into_bytes()))).await?,
            Action::SendToAll | Action::Nothing => {}
        }
    }
}

async fn relay(socket: WebSocket<TcpStream>, application: Rc<Application<Shared>>) -> Outcome {
    let (reader, mut writer) = socket.split(tokio::io::split);
    let mut reader = FragmentCollectorRead::new(reader);
    let (sender, mut receiver) = unbounded_channel::<Shared>();
    let number = application.clients.borrow_mut().insert(sender.clone());
    spawn_local(async move {
        while let Some((opcode, payload)) = receiver.recv().await {
            let frame = Frame::new(true, opcode, None, Payload::Borrowed(&payload));
            if writer.write_frame(frame).await.is_err() {
                return;
            }
        }
    });
    let outcome = loop {
        let mut ignore = |_: Frame<'_>| async { Ok::<(), WebSocketError>(()) };
        let frame = match reader.read_frame(&mut ignore).await {
            Ok(frame) => frame,
            Err(error) => break Err(error.into()),
        };
        let message = (frame.opcode, Bytes::copy_from_slice(&frame.payload));
        match application.handle(kind(frame.opcode)) {
            Action::Return => drop(sender.send(message)),
            Action::SendToAll => application.send_to_all(&message),
            Action::SendCount(_) | Action::Nothing => {}
        }
    };
    application.clients.borrow_mut().remove(number);
    outcome
}

fn kind(opcode: OpCode) -> Kind {
    match opcode {
        OpCode::Text => Kind::Text,
        OpCode::Binary => Kind::Binary,
        _ => Kind::Other,
    }
}
