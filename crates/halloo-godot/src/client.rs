//! A client as a node.

use std::time::{Duration, Instant};

use godot::classes::{INode, Node};
use godot::global::Error;
use godot::prelude::*;
use godot::signal::ConnectHandle;
use halloo::{
    Browser, BrowserConfig, BrowserEvent, Client, ClientConfig, ClientEvent, Delivery, Message, Stopped, Token,
};

use crate::{convert, frame, log};

/// The time for emitting signals in one frame: an eighth of a frame at 60 frames per second. Other events wait.
const FRAME_BUDGET: Duration = Duration::from_millis(2);

/// A connection to a server. While the node is in the tree, it reconnects when the connection is lost.
///
/// ```gdscript
/// var client := HallooClient.new()
/// client.message_received.connect(func(text): print(text))
/// client.connected.connect(func(_url): client.send("hello"))
/// add_child(client)
/// ```
#[derive(GodotClass)]
#[class(base = Node)]
pub(crate) struct HallooClient {
    /// The server's name, or its address, such as `ws://192.168.1.5:8765`. Empty for the first server found.
    #[export]
    target: GString,
    /// The server's token, if it requires one and `target` does not contain it.
    #[export]
    token: GString,
    /// The application id of the server, if `target` is a name or empty: other servers are left out. Empty for any server.
    #[export]
    app: GString,
    /// Searches for the first server while `client` is `None`.
    browser: Option<Browser>,
    client: Option<Client>,
    frame_connection: Option<ConnectHandle>,
    base: Base<Node>,
}

#[godot_api]
impl INode for HallooClient {
    fn init(base: Base<Node>) -> Self {
        let (target, token, app) = (GString::new(), GString::new(), GString::new());
        HallooClient { target, token, app, browser: None, client: None, frame_connection: None, base }
    }

    fn enter_tree(&mut self) {
        self.frame_connection = Some(frame::each_frame(&self.to_gd(), HallooClient::frame));
        let target = self.target.clone();
        self.connect_to_server(target);
    }

    fn exit_tree(&mut self) {
        frame::disconnect(&mut self.frame_connection);
        self.disconnect();
    }
}

#[godot_api]
impl HallooClient {
    fn frame(mut this: Gd<Self>) {
        this.bind_mut().connect_to_first_found();
        let start = Instant::now();
        loop {
            let Some(event) = this.bind().try_event() else { break };
            emit(&this, event);
            // A handler may have freed the node.
            if !this.is_instance_valid() {
                return;
            }
            if start.elapsed() >= FRAME_BUDGET {
                break;
            }
        }
        log::print_some();
    }

    fn try_event(&self) -> Option<ClientEvent> {
        self.client.as_ref()?.try_event()
    }

    /// Emitted when the connection is established, for the first time or again.
    #[signal]
    fn connected(url: GString);

    /// Emitted for each text message.
    #[signal]
    fn message_received(text: GString);

    /// Emitted for each binary message.
    #[signal]
    fn binary_received(bytes: PackedByteArray);

    /// Emitted when the connection has ended, with its close code and reason. `code` is 1006 if there was no close frame. The
    /// next attempt to connect begins in `retry_in` seconds; -1 means that there is none.
    #[signal]
    fn disconnected(code: i64, reason: GString, retry_in: f64);

    /// Emitted when an attempt to connect has failed. The next one begins in `retry_in` seconds.
    #[signal]
    fn attempt_failed(reason: GString, retry_in: f64);

    /// Emitted when messages were dropped, because the outbox was full or the connection was lost.
    #[signal]
    fn messages_dropped(count: i64);

    /// Emitted when the client makes no further attempt to connect.
    #[signal]
    fn gave_up(reason: GString);

    /// Closes the current connection, if there is one, and connects to the server `target`. Called automatically when the node
    /// enters the tree.
    ///
    /// Returns OK, ERR_INVALID_PARAMETER if the address or the token is invalid, or ERR_CANT_CREATE if the system refuses a
    /// socket or a thread.
    #[func]
    fn connect_to_server(&mut self, target: GString) -> Error {
        self.disconnect();
        self.target = target;
        let target = self.target.to_string();
        if !target.is_empty() {
            return self.connect(&target);
        }
        match Browser::start(self.browser_config()) {
            Ok(browser) => {
                self.browser = Some(browser);
                Error::OK
            }
            Err(error) => {
                log::error(&format!("cannot search for servers: {error}; allow the game to use the network"));
                Error::ERR_CANT_CREATE
            }
        }
    }

    /// Sends a text message. Without a connection, it is queued until there is one.
    ///
    /// Returns OK, ERR_BUSY if the outbox is full, or ERR_UNCONFIGURED if no server was found yet or the client was closed.
    #[func]
    fn send(&self, text: GString) -> Error {
        self.deliver(Message::from(convert::text(&text)))
    }

    /// Sends a binary message. Returns the same errors as `send`.
    #[func]
    fn send_binary(&self, bytes: PackedByteArray) -> Error {
        self.deliver(Message::from(bytes.as_slice()))
    }

    /// Sends the queued messages, closes the connection and does not reconnect. `code` is 1000, or 3000 to 4999 for codes of
    /// the application; `reason` is at most 123 bytes long in UTF-8.
    ///
    /// Returns OK, or ERR_INVALID_PARAMETER if the code or the reason is invalid.
    #[func]
    fn close(&mut self, #[opt(default = 1000)] code: i64, #[opt(default = "")] reason: GString) -> Error {
        let reason = reason.to_string();
        let Some(code) = convert::close_code(code, &reason) else {
            log::error("cannot close the connection: use code 1000 or 3000 to 4999, and a reason of at most 123 bytes");
            return Error::ERR_INVALID_PARAMETER;
        };
        self.browser = None;
        if let Some(client) = &self.client {
            client.close(code, &reason);
        }
        Error::OK
    }

    /// Returns the URL of the server; empty without a connection.
    #[func]
    fn get_url(&self) -> GString {
        GString::from(&self.client.as_ref().and_then(Client::url).unwrap_or_default())
    }

    /// Returns the round trip to the server in milliseconds; -1 before the first heartbeat.
    #[func]
    fn get_latency_ms(&self) -> f64 {
        let latency = self.client.as_ref().and_then(Client::latency);
        latency.map_or(-1.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

impl HallooClient {
    fn connect(&mut self, target: impl Into<halloo::Target>) -> Error {
        let mut config = ClientConfig::new(target);
        config.search.browser = self.browser_config();
        let token = self.token.to_string();
        if !token.is_empty() {
            match Token::new(token) {
                Ok(token) => config.token = Some(token),
                Err(error) => {
                    log::error(&error.to_string());
                    return Error::ERR_INVALID_PARAMETER;
                }
            }
        }
        match Client::start(config) {
            Ok(client) => {
                self.client = Some(client);
                Error::OK
            }
            Err(error) => {
                log::error(&error.to_string());
                Error::ERR_INVALID_PARAMETER
            }
        }
    }

    fn browser_config(&self) -> BrowserConfig {
        let mut config = BrowserConfig::default();
        config.app = Some(self.app.to_string()).filter(|app| !app.is_empty());
        config
    }

    /// Connects to the first server that the browser has found.
    fn connect_to_first_found(&mut self) {
        while let Some(event) = self.browser.as_ref().and_then(Browser::try_event) {
            if let BrowserEvent::Found(server) = event {
                self.browser = None;
                self.connect(&server);
                return;
            }
        }
    }

    fn disconnect(&mut self) {
        (self.browser, self.client) = (None, None);
    }

    fn deliver(&self, message: Message<'_>) -> Error {
        let sent: Result<Delivery, Stopped> = self.client.as_ref().map_or(Err(Stopped), |client| client.send(message));
        convert::delivery(sent)
    }
}

fn emit(this: &Gd<HallooClient>, event: ClientEvent) {
    let mut signals = this.signals();
    match event {
        ClientEvent::Connected { url, .. } => signals.connected().emit(&GString::from(&url)),
        ClientEvent::MessageReceived { message: Message::Text(text) } => {
            signals.message_received().emit(&convert::string(&text));
        }
        ClientEvent::MessageReceived { message: Message::Binary(bytes) } => {
            signals.binary_received().emit(&PackedByteArray::from(&bytes[..]));
        }
        ClientEvent::Disconnected { code, reason, retry_in } => {
            let retry_in = retry_in.map_or(-1.0, |wait| wait.as_secs_f64());
            signals.disconnected().emit(i64::from(code.number()), &GString::from(&reason), retry_in);
        }
        ClientEvent::AttemptFailed { reason, retry_in } => {
            signals.attempt_failed().emit(&GString::from(&reason), retry_in.as_secs_f64());
        }
        ClientEvent::MessagesDropped { messages } => signals.messages_dropped().emit(messages as i64),
        ClientEvent::GaveUp { reason, .. } => signals.gave_up().emit(&GString::from(&reason)),
        _ => {}
    }
}
