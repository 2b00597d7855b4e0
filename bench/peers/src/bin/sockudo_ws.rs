//! A WebSocket server with sockudo-ws with its default settings.

use peers::{Kind, Outcome, handle_client, handshake, serve};
use sockudo_ws::protocol::Message;
use sockudo_ws::{Config, WebSocketStream};

fn main() -> Outcome {
    serve(|mut stream, application| async move {
        handshake(&mut stream).await?;
        let kind = |message: &Message| match message {
            Message::Text(_) => Kind::Text,
            Message::Binary(_) => Kind::Binary,
            _ => Kind::Other,
        };
        let socket = WebSocketStream::server(stream, Config::default());
        handle_client(socket, application, kind, |text| Message::Text(text.into())).await
    })
}
