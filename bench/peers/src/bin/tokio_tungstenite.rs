//! A WebSocket server with tokio-tungstenite with its default settings.

use peers::{Kind, Outcome, handle_client, serve};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

fn main() -> Outcome {
    serve(|stream, application| async move {
        let kind = |message: &Message| match message {
            Message::Text(_) => Kind::Text,
            Message::Binary(_) => Kind::Binary,
            _ => Kind::Other,
        };
        handle_client(accept_async(stream).await?, application, kind, Message::text).await
    })
}
