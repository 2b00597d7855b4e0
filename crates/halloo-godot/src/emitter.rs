//! Emits the signals of the server.

use std::rc::Rc;

use godot::classes::Object;
use godot::prelude::*;
use halloo::{ClientId, Event, Message};

use crate::convert;

/// Emits on one object, which has the signals of `HallooServer`.
pub(crate) struct Emitter {
    target: Gd<Object>,
    names: Rc<Names>,
    listeners: Listeners,
}

/// The names of the signals, created once because the engine looks each new name up in a table of all names.
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

/// Which signals for messages have connections.
#[derive(Clone, Copy)]
struct Listeners {
    /// A signal that is emitted for each message.
    per_message: bool,
    /// The signal that is emitted for each batch.
    per_batch: bool,
}

impl Emitter {
    pub(crate) fn new(target: Gd<Object>, names: Rc<Names>) -> Emitter {
        let listeners = Listeners::of(&target, &names);
        Emitter { target, names, listeners }
    }

    /// Returns whether the target still exists: a handler may have freed it.
    pub(crate) fn is_alive(&self) -> bool {
        self.target.is_instance_valid()
    }

    /// Returns whether each message calls a handler.
    pub(crate) fn calls_per_message(&self) -> bool {
        self.listeners.per_message
    }

    /// Emits the signals for a message, and returns its text for the batch.
    ///
    /// If one of the signals has a connection, all are emitted: a handler may connect to, or await, a signal that had no
    /// connection before. Without a connection, a signal costs little.
    pub(crate) fn message(&mut self, client: ClientId, message: &Message<'_>) -> Option<GString> {
        if !self.listeners.per_message && !self.listeners.per_batch {
            return None;
        }
        match message {
            Message::Text(text) => {
                let string = convert::string(text);
                if self.listeners.per_message {
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
            Message::Binary(bytes) if self.listeners.per_message => {
                let packed = PackedByteArray::from(&bytes[..]);
                let string = packed.get_string_from_utf8();
                self.emit(|names| &names.model_data_received, &[string.to_variant()]);
                self.emit(|names| &names.binary_received, &[id(client), packed.to_variant()]);
                None
            }
            Message::Binary(_) => None,
        }
    }

    /// Emits a batch of text messages, if the signal has a connection.
    pub(crate) fn batch(&mut self, ids: Vec<i64>, texts: Vec<GString>) {
        if self.is_alive() && has_connections(&self.target, &self.names.messages_received) {
            let (ids, texts) = (PackedInt64Array::from(ids), PackedStringArray::from(texts));
            self.emit(|names| &names.messages_received, &[ids.to_variant(), texts.to_variant()]);
        }
    }

    /// Emits the signal for an event other than a message.
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
        // Handlers of these signals often connect to those for messages.
        if self.is_alive() {
            self.listeners = Listeners::of(&self.target, &self.names);
        }
    }

    fn emit(&mut self, name: impl Fn(&Names) -> &StringName, arguments: &[Variant]) {
        if self.is_alive() {
            self.target.emit_signal(name(&self.names), arguments);
        }
    }
}

impl Listeners {
    fn of(target: &Gd<Object>, names: &Names) -> Listeners {
        let per_message = [&names.model_data_received, &names.message_received, &names.binary_received];
        Listeners {
            per_message: per_message.into_iter().any(|signal| has_connections(target, signal)),
            per_batch: has_connections(target, &names.messages_received),
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

fn has_connections(target: &Gd<Object>, signal: &StringName) -> bool {
    !target.get_signal_connection_list(signal).is_empty()
}

fn id(client: ClientId) -> Variant {
    (client.0 as i64).to_variant()
}
