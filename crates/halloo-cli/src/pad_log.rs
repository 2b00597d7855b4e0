//! What players do with their pads, for people: who plays, which buttons they press and what they write.

use std::collections::HashMap;

use anstyle::{Color, RgbColor, Style};
use halloo::ClientId;
use halloo_proto::name::clean;
use halloo_proto::text::escape;
use serde_json::{Map, Value};

/// Characters of a name that are shown.
const MAX_NAME_CHARS: usize = 24;
/// Bytes of a text that are shown.
const MAX_TEXT_BYTES: usize = 500;

/// The players of the connected clients.
#[derive(Debug, Default)]
pub(crate) struct PadLog {
    names: HashMap<ClientId, String>,
    with_colours: bool,
}

impl PadLog {
    pub(crate) fn new(with_colours: bool) -> PadLog {
        PadLog { names: HashMap::new(), with_colours }
    }

    /// Returns what a message says, one line each, or `None` if it is not the message of a pad. Positions of sticks are left
    /// out, because there are sixty a second.
    pub(crate) fn lines(&mut self, client: ClientId, text: &str) -> Option<Vec<String>> {
        let message: Map<String, Value> = serde_json::from_str(text).ok()?;
        let mut lines = Vec::new();
        if let Some(join) = message.get("join").and_then(Value::as_object) {
            let name = join.get("name").and_then(Value::as_str).unwrap_or_default();
            let name = match clean(name, MAX_NAME_CHARS) {
                name if name.is_empty() => "a player".to_owned(),
                name => name,
            };
            let dot = self.dot(join.get("color").and_then(Value::as_str).unwrap_or_default());
            match self.names.insert(client, name.clone()) {
                None => lines.push(format!("{dot}{name} plays")),
                Some(before) if before != name => lines.push(format!("{dot}{before} is now {name}")),
                Some(_) => {}
            }
        }
        let name = self.names.get(&client)?;
        for (key, value) in &message {
            match value {
                Value::Number(number) if number.as_f64() == Some(1.0) && !["pong", "join"].contains(&key.as_str()) => {
                    lines.push(format!("{name} presses {}", escape(key, MAX_NAME_CHARS)));
                }
                Value::String(text) if key == "text" => {
                    lines.push(format!("{name} writes: {}", escape(text, MAX_TEXT_BYTES)))
                }
                Value::String(direction) if ["left", "right", "up", "down"].contains(&direction.as_str()) => {
                    lines.push(format!("{name} swipes {}", escape(direction, MAX_NAME_CHARS)));
                }
                _ => {}
            }
        }
        Some(lines)
    }

    /// Removes a client that left, and returns the name of its player.
    pub(crate) fn remove(&mut self, client: ClientId) -> Option<String> {
        self.names.remove(&client)
    }

    /// Returns a dot in the color of a player.
    fn dot(&self, color: &str) -> String {
        let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6);
        let Some(rgb) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).filter(|_| self.with_colours)
        else {
            return String::new();
        };
        let [_, red, green, blue] = rgb.to_be_bytes();
        let style = Style::new().fg_color(Some(Color::Rgb(RgbColor(red, green, blue))));
        format!("{style}●{style:#} ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: ClientId = ClientId(1);

    #[test]
    fn people_read_who_plays_and_what_is_pressed() {
        let mut log = PadLog::new(false);
        let mut lines = |text: &str| log.lines(CLIENT, text);
        assert_eq!(lines(r#"{"a":1}"#), None);
        let join = r##"{"join":{"name":"Ada","color":"#2d7dd2","seat":"0"},"left":[0,0],"a":0}"##;
        assert_eq!(lines(join).unwrap(), ["Ada plays"]);
        assert_eq!(lines(join).unwrap(), [""; 0]);
        assert_eq!(lines(r#"{"left":[0.5,-1],"a":1,"b":0}"#).unwrap(), ["Ada presses a"]);
        assert_eq!(lines(r#"{"pong":1,"right":"up"}"#).unwrap(), ["Ada swipes up"]);
        assert_eq!(lines(r#"{"join":1,"right":"away"}"#).unwrap(), [""; 0]);
        assert_eq!(lines(r#"{"text":"hi"}"#).unwrap(), ["Ada writes: hi"]);
        assert_eq!(lines(r#"{"join":{"name":"Bea"}}"#).unwrap(), ["Ada is now Bea"]);
        assert_eq!(lines("hello"), None);
        assert_eq!((log.remove(CLIENT).as_deref(), log.lines(CLIENT, r#"{"a":1}"#)), (Some("Bea"), None));
    }

    #[test]
    fn nothing_from_the_network_reaches_the_terminal_unescaped() {
        let mut log = PadLog::new(true);
        let bad = r#"\u001b[2J\u202e"#;
        for text in [
            format!(r##"{{"join":{{"name":"{bad}","color":"#2d7dd2"}},"{bad}":1,"left":"{bad}","text":"{bad}"}}"##),
            format!(r#"{{"join":{{"name":"x","color":"{bad}"}}}}"#),
        ] {
            let lines = log.lines(CLIENT, &text).unwrap().concat();
            assert!(!lines.contains("\u{1b}[2J") && !lines.contains('\u{202e}'), "{lines}");
        }
    }
}
