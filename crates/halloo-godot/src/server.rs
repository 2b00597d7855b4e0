//! The server as a node.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use godot::classes::{Engine, INode, Node, Object};
use godot::global::Error;
use godot::prelude::*;
use godot::signal::ConnectHandle;
use halloo::{ClientId, Delivery, Event, Message, Server, Stopped};

use crate::emitter::{Emitter, Names};
use crate::options::{FRAME_BUDGET_MS, Options};
use crate::rates::Rates;
use crate::{convert, drain, frame, log, qr};

/// A WebSocket server for the local network that announces itself until somebody connects.
///
/// The autoload `WebSocketServer` is made of this node. It works alone, too: add it to the tree, connect its signals and
/// call `start`. The network is served on a thread of its own; signals are emitted on the main thread, once a frame, also
/// while the game is paused.
#[derive(GodotClass)]
#[class(base = Node)]
pub(crate) struct HallooServer {
    /// The last server that was started. It is kept when it has stopped, for the ids of its clients are not used again.
    server: Option<Server>,
    /// Emits the signals in this node's place.
    receiver: Option<Gd<Object>>,
    frame_budget: Duration,
    /// What a message of the last batch cost its handlers.
    cost_of_batched_message: Cell<Duration>,
    /// Something was asked of the server that its published state may not show yet.
    asked: Cell<bool>,
    /// It was said already that nothing can be sent.
    told_stopped: Cell<bool>,
    names: Rc<Names>,
    rates: Rates,
    frames: Option<ConnectHandle>,
    base: Base<Node>,
}

#[godot_api]
impl INode for HallooServer {
    fn init(base: Base<Node>) -> Self {
        HallooServer {
            server: None,
            receiver: None,
            frame_budget: Duration::from_secs_f64(FRAME_BUDGET_MS / 1000.0),
            cost_of_batched_message: Cell::default(),
            asked: Cell::new(false),
            told_stopped: Cell::new(false),
            names: Rc::new(Names::new()),
            rates: Rates::default(),
            frames: None,
            base,
        }
    }

    fn enter_tree(&mut self) {
        self.frames = Some(frame::each_frame(&self.to_gd(), HallooServer::frame));
    }

    fn exit_tree(&mut self) {
        frame::no_more(&mut self.frames);
        // When the tree is gone, nobody may serve any more. Nobody is told, for who would listen is leaving, too.
        self.halt();
        log::print_rest();
    }
}

#[godot_api]
impl HallooServer {
    /// A client finished its handshake; ids count from 1 and are never used again.
    #[signal]
    pub(crate) fn client_joined(id: i64);

    /// A client is gone, with its close code or 1006, and why.
    #[signal]
    pub(crate) fn client_left(id: i64, code: i64, reason: GString);

    /// A message came from any client: text as it is, binary as UTF-8.
    #[signal]
    pub(crate) fn model_data_received(data: GString);

    /// A text message came.
    #[signal]
    pub(crate) fn message_received(id: i64, text: GString);

    /// A binary message came.
    #[signal]
    pub(crate) fn binary_received(id: i64, bytes: PackedByteArray);

    /// All text messages of a frame, in order, with the ids of their senders: the fast way. When somebody joins or leaves
    /// in between, there is one before and one after.
    #[signal]
    pub(crate) fn messages_received(ids: PackedInt64Array, texts: PackedStringArray);

    /// Announcing began or paused.
    #[signal]
    pub(crate) fn discovery_changed(active: bool);

    /// Messages for a client that does not take them fast enough were dropped.
    #[signal]
    pub(crate) fn messages_dropped(id: i64, count: i64);

    /// The server failed and does not run any more; `start` starts it again.
    #[signal]
    pub(crate) fn server_failed(message: GString);

    /// Starts the server, after stopping it if it runs. `options` has the settings of Project Settings > Halloo, without
    /// their prefix; what is missing has its default. A wrong value is an error in the console, and its default is used;
    /// with a wrong token, no server is started.
    ///
    /// Answers OK, ERR_INVALID_PARAMETER when the token is none, ERR_ALREADY_IN_USE when all ports are taken, or what else
    /// kept it from listening.
    #[func(gd_self)]
    fn start(mut this: Gd<Self>, options: VarDictionary) -> Error {
        if Engine::singleton().is_editor_hint() {
            log::complain("a server does not run inside the editor; run the project");
            return Error::ERR_UNAVAILABLE;
        }
        let options = Options::read(&options);
        options.complaints.iter().for_each(|complaint| log::complain(complaint));
        log::set_verbosity(options.verbosity);
        let last_events = this.bind().halt();
        if let Some(why) = options.refusal {
            drain::tell_all(this.bind().emitter(), last_events);
            log::complain(&why);
            return Error::ERR_INVALID_PARAMETER;
        }
        let outcome = this.bind_mut().launch(options);
        drain::tell_all(this.bind().emitter(), last_events);
        log::print_waiting();
        let Err(error) = outcome else { return Error::OK };
        let (code, sentence) = convert::start_error(&error);
        log::complain(&sentence);
        code
    }

    /// Stops the server: its clients are closed with 1001 and have left when this returns, which takes as long as they
    /// need to answer, at most a second. Messages that were not taken yet are dropped.
    #[func(gd_self)]
    fn stop(this: Gd<Self>) {
        let last_events = this.bind().halt();
        drain::tell_all(this.bind().emitter(), last_events);
        log::print_waiting();
    }

    /// Lets `receiver`, which has the same signals, emit them in this node's place.
    #[func]
    fn forward_to(&mut self, receiver: Gd<Object>) {
        self.receiver = Some(receiver);
    }

    /// Sends a text to one client.
    ///
    /// Answers OK, ERR_DOES_NOT_EXIST when the client has left, ERR_BUSY when too much waits already, or
    /// ERR_UNCONFIGURED when the server does not run.
    #[func]
    fn send(&self, id: i64, text: GString) -> Error {
        let text = convert::text(&text);
        self.log_sent(&format_args!("client {id}"), &text, text.len());
        self.answer(|server| server.send(client(id), text))
    }

    /// Sends bytes to one client; answers as `send`.
    #[func]
    fn send_binary(&self, id: i64, bytes: PackedByteArray) -> Error {
        self.log_sent(&format_args!("client {id}"), "(binary)", bytes.len());
        self.answer(|server| server.send(client(id), bytes.as_slice()))
    }

    /// Sends a text to all clients; answers as `send`. That there are none is no error.
    #[func]
    fn send_to_all(&self, text: GString) -> Error {
        let text = convert::text(&text);
        self.log_sent(&"all clients", &text, text.len());
        self.answer(|server| server.send_to_all(text))
    }

    /// Sends bytes to all clients; answers as `send`.
    #[func]
    fn send_binary_to_all(&self, bytes: PackedByteArray) -> Error {
        self.log_sent(&"all clients", "(binary)", bytes.len());
        self.answer(|server| server.send_to_all(Message::from(bytes.as_slice())))
    }

    /// Disconnects a client with a code (1000, or 3000 to 4999 for your own) and a reason of at most 123 bytes.
    ///
    /// Answers OK, ERR_INVALID_PARAMETER when code or reason cannot be sent, ERR_DOES_NOT_EXIST when the client has
    /// left, or ERR_UNCONFIGURED when the server does not run.
    #[func]
    fn disconnect_client(&self, id: i64, code: i64, reason: GString) -> Error {
        let reason = reason.to_string();
        let Some(code) = convert::own_close_code(code, &reason) else {
            log::complain("a client is disconnected with code 1000 or 3000 to 4999 and a reason of at most 123 bytes");
            return Error::ERR_INVALID_PARAMETER;
        };
        self.asked.set(true);
        self.answer(|server| match self.running() {
            Some(_) => server.disconnect(client(id), code, &reason),
            None => Err(Stopped),
        })
    }

    /// Announces the server now, if discovery is on.
    #[func]
    fn broadcast_now(&self) -> Error {
        self.ask(Server::broadcast_now)
    }

    /// Stops announcing, and answering those who search, until `start_service_discovery`.
    #[func]
    fn stop_service_discovery(&self) -> Error {
        self.ask(Server::stop_service_discovery)
    }

    /// Starts discovery again.
    #[func]
    fn start_service_discovery(&self) -> Error {
        self.ask(Server::start_service_discovery)
    }

    /// The state of the server: the six keys of the contract, and everything else under `halloo`.
    #[func]
    fn get_status(&self) -> VarDictionary {
        match &self.server {
            Some(server) if self.asked.replace(false) => convert::status(&server.status()),
            Some(server) => convert::status(&server.summary()),
            None => convert::no_status(),
        }
    }

    /// Each client: `id`, `address`, `latency_ms` (-1 before the first heartbeat), `waiting` and `dropped` messages.
    #[func]
    fn get_clients(&self) -> Array<VarDictionary> {
        let status = self.running().map(Server::status);
        status.iter().flat_map(|status| &status.extras.clients).map(convert::client).collect()
    }

    /// Every `ws://` address of the server, the one of this machine alone first, then the best for others.
    #[func]
    fn get_urls(&self) -> PackedStringArray {
        let urls = self.running().map(Server::urls).unwrap_or_default();
        urls.iter().map(GString::from).collect()
    }

    /// Returns the URL of the page that a phone opens in its browser, without secrets; empty when the server does not run.
    #[func]
    fn get_page_url(&self) -> GString {
        let url = self.running().map(Server::page_url);
        GString::from(&url.unwrap_or_default())
    }

    /// Returns the link to share, for example as a QR code: the page with the token and the certificate fingerprint, if there
    /// are any. It grants access. Empty when the server does not run.
    #[func]
    fn get_invitation(&self) -> GString {
        let url = self.running().map(Server::invitation);
        GString::from(&url.unwrap_or_default())
    }

    /// The QR code of `text` as grey levels, one byte a module, square; empty when the text is too long.
    #[func]
    fn get_qr_modules(text: GString) -> PackedByteArray {
        qr::modules(&text.to_string())
    }

    /// The id by which others know this start of the server; empty before the first.
    #[func]
    fn get_id(&self) -> GString {
        GString::from(self.server.as_ref().map_or("", Server::id))
    }

    /// Events that wait to be told because earlier frames had no time for them.
    #[func]
    fn get_waiting_events(&self) -> i64 {
        self.waiting_events() as i64
    }

    /// Messages that came in and went out in the last second, in this order.
    #[func]
    fn get_rates(&mut self) -> Vector2 {
        let status = self.server.as_ref().map(Server::summary);
        let (received, sent) = status.map_or((0, 0), |s| (s.extras.messages_received, s.extras.messages_sent));
        self.rates.update(Instant::now(), received, sent)
    }
}

impl HallooServer {
    fn frame(this: Gd<Self>) {
        // Most frames end here, for a few microseconds.
        if this.bind().waiting_events() == 0 && !log::is_waiting() {
            return;
        }
        log::print_waiting();
        let (emitter, budget, waiting) = {
            let node = this.bind();
            (node.emitter(), node.frame_budget(), node.waiting_events())
        };
        drain::drain(drain::Source {
            emitter,
            budget,
            waiting,
            next: &|| if this.is_instance_valid() { this.bind().try_event() } else { None },
            batched_cost: &|| match this.is_instance_valid() {
                true => this.bind().cost_of_batched_message(),
                false => Duration::ZERO,
            },
            note_batch: &|took, messages| {
                if this.is_instance_valid() {
                    this.bind().note_batch(took, messages);
                }
            },
        });
    }

    pub(crate) fn emitter(&self) -> Emitter {
        let own = || self.to_gd().upcast::<Object>();
        Emitter::new(self.receiver.clone().filter(Gd::is_instance_valid).unwrap_or_else(own), Rc::clone(&self.names))
    }

    pub(crate) fn waiting_events(&self) -> usize {
        self.server.as_ref().map_or(0, Server::waiting_events)
    }

    pub(crate) fn try_event(&self) -> Option<Event<'static>> {
        self.server.as_ref()?.try_event()
    }

    pub(crate) fn frame_budget(&self) -> Duration {
        self.frame_budget
    }

    pub(crate) fn cost_of_batched_message(&self) -> Duration {
        self.cost_of_batched_message.get()
    }

    /// Learns what the handlers of a batch took.
    pub(crate) fn note_batch(&self, took: Duration, messages: usize) {
        self.cost_of_batched_message.set(took.div_f64(messages as f64));
    }

    fn running(&self) -> Option<&Server> {
        self.server.as_ref().filter(|server| server.summary().server_running)
    }

    fn launch(&mut self, options: Options) -> Result<(), halloo::StartError> {
        self.frame_budget = options.frame_budget;
        self.asked.set(true);
        self.told_stopped.set(false);
        match &mut self.server {
            Some(server) => server.restart(options.config),
            None => {
                self.server = Some(Server::start(options.config)?);
                Ok(())
            }
        }
    }

    /// Stops the server and answers what is still to be told of it.
    fn halt(&self) -> Vec<Event<'static>> {
        let Some(server) = self.running() else { return Vec::new() };
        let was_active = server.summary().discovery_active;
        server.stop();
        let mut last: Vec<_> =
            server.events().filter(|event| !matches!(event, Event::MessageReceived { .. })).collect();
        if was_active {
            last.push(Event::DiscoveryChanged { active: false });
        }
        last
    }

    fn answer(&self, send: impl FnOnce(&Server) -> Result<Delivery, Stopped>) -> Error {
        let delivery = convert::delivery(self.server.as_ref().map_or(Err(Stopped), send));
        if delivery == Error::ERR_UNCONFIGURED {
            self.tell_stopped();
        }
        delivery
    }

    fn ask(&self, request: impl FnOnce(&Server)) -> Error {
        let Some(server) = self.running() else {
            self.tell_stopped();
            return Error::ERR_UNCONFIGURED;
        };
        request(server);
        self.asked.set(true);
        Error::OK
    }

    /// Once, since a game that sends in every frame would fill the console.
    fn tell_stopped(&self) {
        if !self.told_stopped.replace(true) {
            log::complain("nothing is sent because the server does not run; start it with start_server()");
        }
    }

    fn log_sent(&self, to: &dyn std::fmt::Display, text: &str, bytes: usize) {
        if log::is_verbose() {
            tracing::debug!("{bytes} bytes sent to {to}: {}", halloo_proto::text::escape(text, 200));
        }
    }
}

/// A negative number is nobody's id.
fn client(id: i64) -> ClientId {
    ClientId(u64::try_from(id).unwrap_or(0))
}
