//! The signals, as the engine emits them.

use std::rc::Rc;

use godot::classes::Object;
use godot::prelude::*;
use halloo::{ClientId, Event, Message};

use crate::convert;

/// Emits on one object, which has all the signals of [`HallooServer`](crate::server::HallooServer).
pub(crate) struct Emitter {
    target: Gd<Object>,
    names: Rc<Names>,
    listened: Listened,
}

/// The names of the signals, made once: the engine looks a new name up among all there are.
pub(crate) struct Names {
    client_joined: StringName,
    client_left: StringName,
    model_data_received: StringName,
    message_received: StringName,
    binary_received: StringName,
    messages_received: StringName,
    discovery_changed: StringName,
    messages_dropped: StringName,
    server_failed: StringName,
}

/// Who is listened to, as far as it pays to know.
#[derive(Clone, Copy)]
struct Listened {
    /// Some signal that is emitted once a message.
    single: bool,
    batch: bool,
}

impl Emitter {
    pub(crate) fn new(target: Gd<Object>, names: Rc<Names>) -> Emitter {
        let listened = Listened::of(&target, &names);
        Emitter { target, names, listened }
    }

    /// Whether there is still something to emit on: a handler may have freed it.
    pub(crate) fn is_alive(&self) -> bool {
        self.target.is_instance_valid()
    }

    /// Whether a message calls a handler.
    pub(crate) fn calls_for_each(&self) -> bool {
        self.listened.single
    }

    /// Emits what `message` means, and answers its text if that is to be kept for the batch.
    ///
    /// Once any handler is called, that handler may connect another, or await a signal that nobody had connected. So
    /// all are emitted from then on, which costs little where nobody listens, and none is missed.
    pub(crate) fn message(&mut self, client: ClientId, message: &Message<'_>) -> Option<GString> {
        if !self.listened.single && !self.listened.batch {
            return None;
        }
        match message {
            Message::Text(text) => {
                let string = convert::string(text);
                if self.listened.single {
                    let text_variant = string.to_variant();
                    if convert::is_plain(text) {
                        self.emit(|names| &names.model_data_received, std::slice::from_ref(&text_variant));
                    } else {
                        let string = convert::script_string(text.as_bytes());
                        self.emit(|names| &names.model_data_received, &[string.to_variant()]);
                    }
                    self.emit(|names| &names.message_received, &[id(client), text_variant]);
                }
                Some(string)
            }
            Message::Binary(bytes) if self.listened.single => {
                let packed = PackedByteArray::from(&bytes[..]);
                let string = packed.get_string_from_utf8();
                self.emit(|names| &names.model_data_received, &[string.to_variant()]);
                self.emit(|names| &names.binary_received, &[id(client), packed.to_variant()]);
                None
            }
            Message::Binary(_) => None,
        }
    }

    /// Emits the messages of a frame together, if anybody listens by now.
    pub(crate) fn batch(&mut self, ids: Vec<i64>, texts: Vec<GString>) {
        if self.is_alive() && is_listened_to(&self.target, &self.names.messages_received) {
            let (ids, texts) = (PackedInt64Array::from(ids), PackedStringArray::from(texts));
            self.emit(|names| &names.messages_received, &[ids.to_variant(), texts.to_variant()]);
        }
    }

    /// Emits what `event` means; messages go another way.
    pub(crate) fn event(&mut self, event: Event<'_>) {
        match event {
            Event::ClientJoined { client, .. } => self.emit(|names| &names.client_joined, &[id(client)]),
            Event::ClientLeft { client, code, reason, .. } => {
                let reason = GString::from(&reason.to_string());
                let arguments = [id(client), i64::from(code.number()).to_variant(), reason.to_variant()];
                self.emit(|names| &names.client_left, &arguments);
            }
            Event::MessagesDropped { client, messages } => {
                self.emit(|names| &names.messages_dropped, &[id(client), (messages as i64).to_variant()]);
            }
            Event::DiscoveryChanged { active } => {
                self.emit(|names| &names.discovery_changed, &[active.to_variant()]);
            }
            Event::ServerFailed { message } => {
                self.emit(|names| &names.server_failed, &[GString::from(&message).to_variant()]);
            }
            _ => {}
        }
        // Such a handler is where others get connected: whoever joins is listened to from now on.
        if self.is_alive() {
            self.listened = Listened::of(&self.target, &self.names);
        }
    }

    fn emit(&mut self, name: impl Fn(&Names) -> &StringName, arguments: &[Variant]) {
        if self.is_alive() {
            self.target.emit_signal(name(&self.names), arguments);
        }
    }
}

impl Listened {
    fn of(target: &Gd<Object>, names: &Names) -> Listened {
        let single = [&names.model_data_received, &names.message_received, &names.binary_received];
        Listened {
            single: single.into_iter().any(|signal| is_listened_to(target, signal)),
            batch: is_listened_to(target, &names.messages_received),
        }
    }
}

impl Names {
    pub(crate) fn new() -> Names {
        Names {
            client_joined: StringName::from("client_joined"),
            client_left: StringName::from("client_left"),
            model_data_received: StringName::from("model_data_received"),
            message_received: StringName::from("message_received"),
            binary_received: StringName::from("binary_received"),
            messages_received: StringName::from("messages_received"),
            discovery_changed: StringName::from("discovery_changed"),
            messages_dropped: StringName::from("messages_dropped"),
            server_failed: StringName::from("server_failed"),
        }
    }
}

fn is_listened_to(target: &Gd<Object>, signal: &StringName) -> bool {
    !target.get_signal_connection_list(signal).is_empty()
}

fn id(client: ClientId) -> Variant {
    (client.0 as i64).to_variant()
}
