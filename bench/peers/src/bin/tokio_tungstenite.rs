//! A server on tokio-tungstenite with its default settings.

use peers::{Kind, Outcome, converse, serve};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

fn main() -> Outcome {
    serve(|stream, application| async move {
        let kind = |message: &Message| match message {
            Message::Text(_) => Kind::Text,
            Message::Binary(_) => Kind::Binary,
            _ => Kind::Other,
        };
        converse(accept_async(stream).await?, application, kind, Message::text).await
    })
}
