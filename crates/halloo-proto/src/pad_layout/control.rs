//! The parts of a layout, each of which refuses an invalid text where it is read.

use std::fmt;

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Serialize};

use crate::text::escape;

const MAX_BUTTONS: usize = 6;
const MAX_BUTTON_CHARS: usize = 16;
// Longer labels are unreadable on the button of a phone.
const MAX_LABEL_CHARS: usize = 12;
const MAX_PLACEHOLDER_CHARS: usize = 40;

/// The keys of messages that are not buttons, and the controls, which are probably meant instead.
const RESERVED: [&str; 18] = [
    "left",
    "middle",
    "right",
    "top",
    "tilt",
    "text",
    "join",
    "ping",
    "pong",
    "layout",
    "color",
    "vibrate",
    "name",
    "seat",
    "stick",
    "dpad",
    "swipe",
    "orientation",
];

/// What is in one place of the pad.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Control {
    Stick,
    Dpad,
    Swipe,
    #[serde(untagged)]
    Buttons(Buttons),
}

/// One to six buttons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Buttons(Vec<ButtonName>);

/// The name of a button, which is a key in messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct ButtonName(String);

/// What a button shows instead of its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Label(String);

/// A color like `#2d7dd2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Color(String);

/// Whether there is a field to enter text, and what it shows while it is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected true, false or a placeholder of 1 to 40 characters")]
pub(super) enum TextField {
    Shown(bool),
    WithPlaceholder(Placeholder),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Placeholder(String);

impl Control {
    pub(super) fn buttons(&self) -> Option<&Buttons> {
        if let Control::Buttons(buttons) = self { Some(buttons) } else { None }
    }
}

impl Buttons {
    /// Returns buttons of valid names.
    pub(super) fn of<const N: usize>(names: [&str; N]) -> Buttons {
        Buttons(names.map(|name| ButtonName(name.to_owned())).into())
    }

    pub(super) fn names(&self) -> &[ButtonName] {
        &self.0
    }
}

impl ButtonName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ButtonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TextField {
    pub(super) fn is_off(&self) -> bool {
        *self == TextField::Shown(false)
    }
}

impl Default for TextField {
    fn default() -> Self {
        TextField::Shown(false)
    }
}

impl<'de> Deserialize<'de> for Control {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Control, D::Error> {
        struct ControlVisitor;
        impl<'de> Visitor<'de> for ControlVisitor {
            type Value = Control;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("stick, dpad, swipe, or a list of buttons such as [\"a\", \"b\"]")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Control, E> {
                match name {
                    "stick" => Ok(Control::Stick),
                    "dpad" => Ok(Control::Dpad),
                    "swipe" => Ok(Control::Swipe),
                    _ => Err(E::custom(format!(
                        "unknown control `{}`; use stick, dpad, swipe, or a list of buttons such as [\"a\", \"b\"]",
                        shown(name)
                    ))),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<Control, A::Error> {
                Buttons::deserialize(SeqAccessDeserializer::new(names)).map(Control::Buttons)
            }
        }
        deserializer.deserialize_any(ControlVisitor)
    }
}

impl<'de> Deserialize<'de> for Buttons {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Buttons, D::Error> {
        struct ButtonsVisitor;
        impl<'de> Visitor<'de> for ButtonsVisitor {
            type Value = Buttons;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of buttons such as [\"l\", \"r\"]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Buttons, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                match names.len() {
                    1..=MAX_BUTTONS => Ok(Buttons(names)),
                    count => Err(A::Error::custom(format!(
                        "there are {count} buttons in one place; give 1 to {MAX_BUTTONS}"
                    ))),
                }
            }
        }
        deserializer.deserialize_seq(ButtonsVisitor)
    }
}

/// Implements `Deserialize` for a string that a function checks.
macro_rules! checked_string {
    ($name:ident, $check:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                struct CheckedVisitor;
                impl Visitor<'_> for CheckedVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a string")
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        let check: fn(&str) -> Result<(), String> = $check;
                        check(text).map_err(E::custom)?;
                        Ok($name(text.to_owned()))
                    }
                }
                deserializer.deserialize_str(CheckedVisitor)
            }
        }
    };
}

checked_string!(ButtonName, |name| {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !(1..=MAX_BUTTON_CHARS).contains(&name.len()) || !name.bytes().all(is_allowed) {
        let name = shown(name);
        return Err(format!(
            "`{name}` is not a name of a button; use 1 to {MAX_BUTTON_CHARS} of the characters a-z 0-9 _"
        ));
    }
    match RESERVED.contains(&name) {
        true => Err(format!("`{name}` has another meaning in messages; choose another name")),
        false => Ok(()),
    }
});

checked_string!(Label, |text| check_shown(text, "a label", MAX_LABEL_CHARS));

checked_string!(Placeholder, |text| check_shown(text, "a placeholder", MAX_PLACEHOLDER_CHARS));

checked_string!(Color, |text| {
    let digits = text.strip_prefix('#').unwrap_or_default();
    match digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(format!("`{}` is not a color; write it like #2d7dd2", shown(text))),
    }
});

/// Checks a text that people read.
fn check_shown(text: &str, what: &str, max_chars: usize) -> Result<(), String> {
    match (1..=max_chars).contains(&text.chars().count()) && escape(text, usize::MAX) == text {
        true => Ok(()),
        false => Err(format!("{what} has 1 to {max_chars} characters, none of them a control character")),
    }
}

/// Returns a text that may be anything for an error.
fn shown(text: &str) -> String {
    escape(text, 40)
}
