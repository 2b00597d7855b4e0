//! A server on sockudo-ws with its default settings.

use peers::{Kind, Outcome, converse, serve, shake_hands};
use sockudo_ws::protocol::Message;
use sockudo_ws::{Config, WebSocketStream};

fn main() -> Outcome {
    serve(|mut stream, application| async move {
        shake_hands(&mut stream).await?;
        let kind = |message: &Message| match message {
            Message::Text(_) => Kind::Text,
            Message::Binary(_) => Kind::Binary,
            _ => Kind::Other,
        };
        let socket = WebSocketStream::server(stream, Config::default());
        converse(socket, application, kind, |text| Message::Text(text.into())).await
    })
}
