//! The client as a node.

use std::time::{Duration, Instant};

use godot::classes::{INode, Node};
use godot::global::Error;
use godot::prelude::*;
use godot::signal::ConnectHandle;
use halloo::{
    Browser, BrowserConfig, BrowserEvent, Client, ClientConfig, ClientEvent, Delivery, Message, Stopped, Token,
};

use crate::{convert, frame, log};

/// Signals are emitted for so long in a frame, an eighth of one at 60 a second; the rest waits.
const FRAME_BUDGET: Duration = Duration::from_millis(2);

/// A connection to a server, made again whenever it breaks, for as long as the node is in the tree.
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
    /// The server: its name, or an address such as `ws://192.168.1.5:8765`. Empty for the first one that is found.
    #[export]
    target: GString,
    /// What the server wants to be given, if its address does not bring it.
    #[export]
    token: GString,
    /// Looks for the first server, before there is a client.
    looking: Option<Browser>,
    client: Option<Client>,
    frames: Option<ConnectHandle>,
    base: Base<Node>,
}

#[godot_api]
impl INode for HallooClient {
    fn init(base: Base<Node>) -> Self {
        HallooClient { target: GString::new(), token: GString::new(), looking: None, client: None, frames: None, base }
    }

    fn enter_tree(&mut self) {
        self.frames = Some(frame::each_frame(&self.to_gd(), HallooClient::frame));
        let target = self.target.clone();
        self.connect_to_server(target);
    }

    fn exit_tree(&mut self) {
        frame::no_more(&mut self.frames);
        self.disconnect();
    }
}

#[godot_api]
impl HallooClient {
    fn frame(mut this: Gd<Self>) {
        this.bind_mut().look();
        let start = Instant::now();
        loop {
            let Some(event) = this.bind().try_event() else { break };
            tell(&this, event);
            // A handler may have freed it.
            if !this.is_instance_valid() {
                return;
            }
            if start.elapsed() >= FRAME_BUDGET {
                break;
            }
        }
        log::print_waiting();
    }

    fn try_event(&self) -> Option<ClientEvent> {
        self.client.as_ref()?.try_event()
    }

    /// There is a connection, for the first time or again.
    #[signal]
    fn connected(url: GString);

    /// The server has sent a text.
    #[signal]
    fn message_received(text: GString);

    /// The server has sent bytes.
    #[signal]
    fn binary_received(bytes: PackedByteArray);

    /// The connection is gone, with its close code or 1006, and why. The next attempt begins in `retry_in` seconds; -1 when
    /// there will be none.
    #[signal]
    fn disconnected(code: i64, reason: GString, retry_in: f64);

    /// An attempt to connect failed; the next one begins in `retry_in` seconds.
    #[signal]
    fn attempt_failed(reason: GString, retry_in: f64);

    /// Messages were not sent, because too much waited or a connection broke.
    #[signal]
    fn messages_dropped(count: i64);

    /// No further attempt will be made.
    #[signal]
    fn gave_up(reason: GString);

    /// Connects to another server, as `target` says; the connection there was is closed. Happens by itself when the node
    /// enters the tree.
    ///
    /// Answers OK, ERR_INVALID_PARAMETER when the address or the token is none, or ERR_CANT_CREATE when the system has no means.
    #[func]
    fn connect_to_server(&mut self, target: GString) -> Error {
        self.disconnect();
        self.target = target;
        let target = self.target.to_string();
        if !target.is_empty() {
            return self.connect(&target);
        }
        match Browser::start(BrowserConfig::default()) {
            Ok(browser) => {
                self.looking = Some(browser);
                Error::OK
            }
            Err(error) => {
                log::complain(&format!("cannot look for servers: {error}; is the network allowed?"));
                Error::ERR_CANT_CREATE
            }
        }
    }

    /// Sends a text, now or once there is a connection again.
    ///
    /// Answers OK, ERR_BUSY when too much waits already, or ERR_UNCONFIGURED when no server was found yet or the client was
    /// closed.
    #[func]
    fn send(&self, text: GString) -> Error {
        self.deliver(Message::from(convert::text(&text)))
    }

    /// Sends bytes; answers as `send`.
    #[func]
    fn send_binary(&self, bytes: PackedByteArray) -> Error {
        self.deliver(Message::from(bytes.as_slice()))
    }

    /// Sends what waits, then closes with a code (1000, or 3000 to 4999 for your own) and a reason of at most 123 bytes, and
    /// does not connect again.
    ///
    /// Answers OK, or ERR_INVALID_PARAMETER when code or reason cannot be sent.
    #[func]
    fn close(&mut self, #[opt(default = 1000)] code: i64, #[opt(default = "")] reason: GString) -> Error {
        let reason = reason.to_string();
        let Some(code) = convert::own_close_code(code, &reason) else {
            log::complain("a client closes with code 1000 or 3000 to 4999 and a reason of at most 123 bytes");
            return Error::ERR_INVALID_PARAMETER;
        };
        self.looking = None;
        if let Some(client) = &self.client {
            client.close(code, &reason);
        }
        Error::OK
    }

    /// The address of the server that it is connected to; empty while it is not.
    #[func]
    fn get_url(&self) -> GString {
        GString::from(&self.client.as_ref().and_then(Client::url).unwrap_or_default())
    }

    /// The round trip to the server in milliseconds; -1 before the first heartbeat.
    #[func]
    fn get_latency_ms(&self) -> f64 {
        let latency = self.client.as_ref().and_then(Client::latency);
        latency.map_or(-1.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

impl HallooClient {
    fn connect(&mut self, target: impl Into<halloo::Target>) -> Error {
        let mut config = ClientConfig::new(target);
        let token = self.token.to_string();
        if !token.is_empty() {
            match Token::new(token) {
                Ok(token) => config.token = Some(token),
                Err(error) => {
                    log::complain(&error.to_string());
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
                log::complain(&error.to_string());
                Error::ERR_INVALID_PARAMETER
            }
        }
    }

    /// Takes the first server that is found.
    fn look(&mut self) {
        while let Some(event) = self.looking.as_ref().and_then(Browser::try_event) {
            if let BrowserEvent::Found(server) = event {
                self.looking = None;
                self.connect(&server);
                return;
            }
        }
    }

    fn disconnect(&mut self) {
        (self.looking, self.client) = (None, None);
    }

    fn deliver(&self, message: Message<'_>) -> Error {
        let sent: Result<Delivery, Stopped> = self.client.as_ref().map_or(Err(Stopped), |client| client.send(message));
        convert::delivery(sent)
    }
}

fn tell(this: &Gd<HallooClient>, event: ClientEvent) {
    let mut signals = this.signals();
    match event {
        ClientEvent::Connected { url } => signals.connected().emit(&GString::from(&url)),
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
        ClientEvent::GaveUp { reason } => signals.gave_up().emit(&GString::from(&reason)),
        _ => {}
    }
}
