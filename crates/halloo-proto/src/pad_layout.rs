//! The layout of the pad, the game controller that the server has for browsers.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::escape;
use control::{ButtonName, Buttons, Color, Control, Label, TextField};

mod control;

/// Maximum size of a layout in bytes.
pub const MAX_LAYOUT_BYTES: usize = 16 * 1024;

/// A layout to begin with.
const EXAMPLE: &str = r#"{"left": "stick", "right": ["a"]}"#;

/// What is on the pad: a validated layout in JSON, as `docs/pad.md` describes it.
///
/// The default has a stick and the buttons `a` and `b`.
///
/// ```
/// use halloo_proto::pad_layout::PadLayout;
///
/// let layout = r#"{"left": "dpad", "right": ["jump"], "labels": {"jump": "Jump"}, "orientation": "landscape"}"#;
/// let layout: PadLayout = layout.parse()?;
/// assert_eq!(layout.to_json().parse(), Ok(layout));
///
/// let error = r#"{"left": "joystick"}"#.parse::<PadLayout>().unwrap_err();
/// assert!(error.to_string().starts_with("line 1 column 19: unknown control `joystick`; use stick, dpad, swipe, or"));
/// # Ok::<(), halloo_proto::pad_layout::PadLayoutError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PadLayout {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<Control>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    middle: Option<Control>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    right: Option<Control>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    top: Option<Buttons>,
    #[serde(default, skip_serializing_if = "is_false")]
    tilt: bool,
    #[serde(default, skip_serializing_if = "TextField::is_off")]
    text: TextField,
    #[serde(default)]
    orientation: Orientation,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<ButtonName, Label>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    colors: BTreeMap<ButtonName, Color>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Orientation {
    #[default]
    Any,
    Landscape,
    Portrait,
}

/// Why a text is not a layout, and where: lines and columns are counted from 1, columns in bytes, and a value that is wrong
/// in itself is reported at its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} column {column}: {fault}")]
pub struct PadLayoutError {
    line: usize,
    column: usize,
    fault: String,
}

impl PadLayout {
    /// Returns the layout as JSON on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn places(&self) -> impl Iterator<Item = &Control> {
        [&self.left, &self.middle, &self.right].into_iter().flatten()
    }

    fn buttons(&self) -> impl Iterator<Item = &ButtonName> {
        self.places().filter_map(Control::buttons).chain(&self.top).flat_map(Buttons::names)
    }

    /// Checks what concerns more than one part of the layout that was read from `text`.
    fn check(&self, text: &str) -> Result<(), PadLayoutError> {
        let fault_at = |name: &ButtonName, occurrence, fault| {
            let found = text.match_indices(&format!("\"{name}\"")).nth(occurrence);
            Err(error_at(text, found.map_or(0, |(start, _)| start), fault))
        };
        let mut known: Vec<&str> = Vec::new();
        for name in self.buttons() {
            if known.contains(&name.as_str()) {
                let fault =
                    format!("the button `{name}` is on the pad twice; give it another name, and a label for people");
                return fault_at(name, 1, fault);
            }
            known.push(name.as_str());
        }
        if let Some(name) = self.labels.keys().chain(self.colors.keys()).find(|name| !known.contains(&name.as_str())) {
            let list = if known.is_empty() { "there is none".to_owned() } else { format!("use {}", known.join(", ")) };
            return fault_at(name, 0, format!("there is no button `{name}` on this pad; {list}"));
        }
        if known.is_empty() && self.places().next().is_none() && !self.tilt && self.text.is_off() {
            return Err(error_at(text, 0, format!("the layout has no control; begin with {EXAMPLE}")));
        }
        Ok(())
    }
}

impl Default for PadLayout {
    fn default() -> Self {
        PadLayout {
            left: Some(Control::Stick),
            middle: None,
            right: Some(Control::Buttons(Buttons::of(["a", "b"]))),
            top: None,
            tilt: false,
            text: TextField::default(),
            orientation: Orientation::Any,
            labels: BTreeMap::new(),
            colors: BTreeMap::new(),
        }
    }
}

impl FromStr for PadLayout {
    type Err = PadLayoutError;

    fn from_str(text: &str) -> Result<Self, PadLayoutError> {
        // An editor on Windows may have put a byte order mark in front.
        let text = text.trim_start_matches('\u{feff}');
        if text.len() > MAX_LAYOUT_BYTES {
            return Err(error_at(text, 0, format!("the layout has more than {MAX_LAYOUT_BYTES} bytes; shorten it")));
        }
        let start = text.len() - text.trim_start().len();
        if !text[start..].starts_with('{') {
            let fault = format!("this is not a layout, which is an object in JSON, such as {EXAMPLE}");
            return Err(error_at(text, start, fault));
        }
        let layout: PadLayout = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = if error.is_data() { "" } else { "this is not JSON: " };
            let fault = error.to_string();
            let fault = fault.trim_end_matches(&format!(" at line {line} column {column}"));
            PadLayoutError { line, column, fault: what.to_owned() + &escape(fault, 300) }
        })?;
        layout.check(text)?;
        Ok(layout)
    }
}

fn error_at(text: &str, offset: usize, fault: String) -> PadLayoutError {
    let before = &text[..offset];
    let column = offset - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
    PadLayoutError { line: before.matches('\n').count() + 1, column, fault }
}

impl fmt::Display for PadLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r##"{
  "left": "stick", "middle": ["select", "start"], "right": ["a", "b", "x", "y"], "top": ["l", "r"],
  "tilt": true, "text": "Your answer", "orientation": "landscape",
  "labels": {"a": "Jump"}, "colors": {"a": "#2D7dd2"}
}"##;

    fn error(text: &str) -> String {
        text.parse::<PadLayout>().unwrap_err().to_string()
    }

    #[test]
    fn a_layout_is_the_same_after_it_was_written_and_read() {
        for text in [FULL, "{\"left\":\"swipe\"}", "{\"text\":true}", "\u{feff}{\"tilt\":true}", "{\"right\":\"dpad\"}"]
        {
            let layout: PadLayout = text.parse().unwrap();
            assert_eq!(layout.to_json().parse(), Ok(layout), "{text}");
        }
        let default = PadLayout::default().to_json();
        assert_eq!(default, r#"{"left":"stick","right":["a","b"],"orientation":"any"}"#);
        assert_eq!(default.parse(), Ok(PadLayout::default()));
    }

    #[test]
    fn an_error_names_the_place_and_what_exists() {
        for (text, expected) in [
            (
                "{\n  \"left\": \"stik\"}",
                "line 2 column 16: unknown control `stik`; use stick, dpad, swipe, or a list of buttons",
            ),
            (
                r#"{"lefty": "stick"}"#,
                "line 1 column 8: unknown field `lefty`, expected one of `left`, `middle`, `right`, `top`",
            ),
            (
                r#"{"left": {}}"#,
                "line 1 column 11: invalid type: map, expected stick, dpad, swipe, or a list of buttons",
            ),
            (
                r#"{"left": ["a", "B!"]}"#,
                "line 1 column 19: `B!` is not a name of a button; use 1 to 16 of the characters",
            ),
            (r#"{"left": ["join"]}"#, "line 1 column 16: `join` has another meaning in messages; choose another name"),
            (r#"{"left": ["stick"]}"#, "line 1 column 17: `stick` has another meaning in messages"),
            (r#"{"top": []}"#, "line 1 column 10: there are 0 buttons in one place; give 1 to 6"),
            (
                r#"{"top": "l"}"#,
                "line 1 column 11: invalid type: string \"l\", expected a list of buttons such as [\"l\", \"r\"]",
            ),
            ("{\"left\":[\"a\"],\n \"right\":[\"a\"]}", "line 2 column 11: the button `a` is on the pad twice"),
            (r#"{"right":["a"],"labels":{"c":"x"}}"#, "line 1 column 26: there is no button `c` on this pad; use a"),
            (r#"{"right":["a"],"labels":{"a":""}}"#, "line 1 column 31: a label has 1 to 12 characters"),
            (
                r#"{"right":["a"],"colors":{"a":"red"}}"#,
                "line 1 column 34: `red` is not a color; write it like #2d7dd2",
            ),
            (
                r#"{"orientation":"up","tilt":true}"#,
                "unknown variant `up`, expected one of `any`, `landscape`, `portrait`",
            ),
            ("{}", "line 1 column 1: the layout has no control; begin with"),
            ("{\"left\":\"\u{1b}[2J\"}", "control character"),
            ("", "line 1 column 1: this is not a layout, which is an object in JSON, such as {\"left\""),
            ("\n [\"stick\"]", "line 2 column 2: this is not a layout, which is an object in JSON"),
            ("{\"left\": \"stick\",\n}", "line 2 column 1: this is not JSON: trailing comma"),
            ("{\"left\": \"stick\"", "line 1 column 16: this is not JSON: EOF while parsing an object"),
        ] {
            let error = error(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(error(&" ".repeat(MAX_LAYOUT_BYTES + 1)).contains("more than 16384 bytes"));
        assert!(!error("{\"left\":\"\\u001b[2J\"}").contains('\u{1b}'));
    }
}
