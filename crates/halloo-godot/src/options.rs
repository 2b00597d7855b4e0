//! Reads the settings of a project from a dictionary.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use godot::classes::Engine;
use godot::prelude::*;
use halloo::settings::{Kind, SETTINGS, Setting, Value};
use halloo::{Config, SettingNames, Token};

use crate::{convert, pad_layout};

/// The default time for emitting signals in one frame, in milliseconds: an eighth of a frame at 60 frames per second.
pub(crate) const FRAME_BUDGET_MS: f64 = 2.0;

/// The settings, and the errors in them.
pub(crate) struct Options {
    pub(crate) config: Config,
    pub(crate) frame_budget: Duration,
    pub(crate) verbosity: u8,
    /// One sentence for each invalid value, which was replaced by its default, and for each unknown setting.
    pub(crate) errors: Vec<String>,
    /// The error that prevents a start: a server with an invalid token must not run without a token.
    pub(crate) fatal_error: Option<String>,
}

impl Options {
    /// Reads every setting in `options`. Settings that are missing or have an invalid value keep their defaults.
    pub(crate) fn read(options: &VarDictionary) -> Options {
        let mut read = Reader { options, known: Vec::new(), errors: Vec::new() };
        let mut config = Config::default();
        config.name = "Godot".into();
        config.app = project_name();
        config.access.setting_names = SettingNames::Godot;
        for setting in SETTINGS.iter().filter(|setting| setting.is_in_godot()) {
            read.setting(setting, &mut config);
        }
        let fatal_error = match read.token() {
            Ok(token) => {
                config.access.token = token;
                None
            }
            Err(error) => Some(format!("the server was not started: halloo/token is invalid: {error}")),
        };
        let budget = read.real("frame_budget_ms", 0.0..=1000.0, FRAME_BUDGET_MS);
        let verbosity = read.number("verbosity", 0..=2, 1) as u8;
        read.report_unknown();
        let (frame_budget, errors) = (Duration::from_secs_f64(budget / 1000.0), read.errors);
        Options { config, frame_budget, verbosity, errors, fatal_error }
    }
}

struct Reader<'a> {
    options: &'a VarDictionary,
    /// The names of all settings read so far.
    known: Vec<&'static str>,
    errors: Vec<String>,
}

impl Reader<'_> {
    fn value(&mut self, key: &'static str) -> Option<Variant> {
        self.known.push(key);
        self.options.get(key).filter(|value| !value.is_nil())
    }

    /// Returns the value that `read` returns, or `default` and an error that says what is `allowed`.
    fn read<T: Display>(
        &mut self,
        key: &'static str,
        default: T,
        allowed: &dyn Display,
        read: impl FnOnce(&Variant) -> Option<T>,
    ) -> T {
        let Some(value) = self.value(key) else { return default };
        read(&value).unwrap_or_else(|| {
            let value = halloo_proto::text::escape(&value.to_string(), 60);
            self.errors.push(format!("halloo/{key} is {value}, but must be {allowed}; {default} is used"));
            default
        })
    }

    /// Reads one setting of the server into `config`.
    fn setting(&mut self, setting: &'static Setting, config: &mut Config) {
        let Some(given) = self.value(setting.name) else { return };
        let is_text = matches!(setting.kind, Kind::Text | Kind::OptionalText);
        // The default is the name of the project.
        if is_text && text_of(&given).is_some_and(|text| text.is_empty()) {
            return;
        }
        let value = value_of(&given, setting.kind);
        if setting.kind == Kind::PadLayout
            && let Some(Value::Text(json)) = &value
            && let Some(fault) = pad_layout::fault(json)
        {
            return self.errors.push(format!("halloo/{} is no layout of the pad: {fault}", setting.name));
        }
        if value.is_none_or(|value| setting.set(config, value).is_err()) {
            let given = halloo_proto::text::escape(&given.to_string(), 60);
            let (allowed, default) = (allowed(setting.kind), setting.kind.describe(&setting.get(config)));
            let error = format!("halloo/{} is {given}, but must be {allowed}; {default} is used", setting.name);
            self.errors.push(error);
        }
    }

    fn number(&mut self, key: &'static str, range: RangeInclusive<i64>, default: i64) -> i64 {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(key, default, &allowed, |value| whole_number(value).filter(|number| range.contains(number)))
    }

    fn real(&mut self, key: &'static str, range: RangeInclusive<f64>, default: f64) -> f64 {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        self.read(key, default, &allowed, |value| real_number(value).filter(|real| range.contains(real)))
    }

    /// Returns the token; `random` means a new one at each start. Errors do not contain it.
    fn token(&mut self) -> Result<Option<Token>, String> {
        let Some(value) = self.value("token") else { return Ok(None) };
        match text_of(&value).ok_or("it must be a string")?.as_str() {
            "" => Ok(None),
            "random" => halloo::random_token().map(Some).map_err(|error| error.to_string()),
            token => Token::new(token).map(Some).map_err(|error| error.to_string()),
        }
    }

    fn report_unknown(&mut self) {
        for (key, _) in self.options.iter_shared() {
            let key = key.to_string();
            if !self.known.contains(&key.as_str()) {
                let key = halloo_proto::text::escape(&key, 60);
                self.errors
                    .push(format!("there is no setting halloo/{key}; the settings are {}", self.known.join(", ")));
            }
        }
    }
}

/// Returns the values that a setting of this kind can have in GDScript, where times are in seconds.
fn allowed(kind: Kind) -> String {
    match kind {
        Kind::Bytes { min, max } => format!("a whole number of bytes from {min} to {max}"),
        Kind::Duration { min_millis, max_millis, or_zero } => {
            let zero = if or_zero { ", or 0" } else { "" };
            format!("a number of seconds from {} to {}{zero}", min_millis as f64 / 1000.0, max_millis / 1000)
        }
        Kind::Origins | Kind::Hosts | Kind::Subprotocols | Kind::Interfaces => format!("a list of {}", kind.allowed()),
        Kind::Choice(words) => format!("\"{}\"", words.join("\", \"")),
        Kind::Properties => format!("a dictionary of {}", kind.allowed()),
        Kind::PadLayout => format!("a dictionary with {}", kind.allowed()),
        Kind::Flag | Kind::Count { .. } | Kind::Text | Kind::OptionalText => kind.allowed(),
        Kind::Address | Kind::AdvertisedAddress => kind.allowed(),
    }
}

/// Converts a value from GDScript; `None` if it has another type.
fn value_of(given: &Variant, kind: Kind) -> Option<Value> {
    match kind {
        Kind::Flag => given.try_to().ok().map(Value::Flag),
        Kind::Count { .. } | Kind::Bytes { .. } => whole_number(given)?.try_into().ok().map(Value::Number),
        Kind::Duration { .. } => Duration::try_from_secs_f64(real_number(given)?).ok().map(Value::Duration),
        Kind::Address => text_of(given).map(|text| Value::Text(if text == "*" { String::new() } else { text })),
        Kind::Text | Kind::OptionalText | Kind::AdvertisedAddress | Kind::Choice(_) => text_of(given).map(Value::Text),
        Kind::PadLayout => pad_layout::json_of(given).map(Value::Text),
        Kind::Properties => given.try_to().ok().map(|pairs| Value::List(convert::pairs(&pairs))),
        Kind::Origins | Kind::Hosts | Kind::Subprotocols | Kind::Interfaces => list_of(given).map(Value::List),
    }
}

/// Returns the name of the project, unless it is blank.
fn project_name() -> Option<String> {
    let mut settings = Engine::singleton().get_singleton("ProjectSettings")?;
    let name = text_of(&settings.call("get_setting", vslice!["application/config/name"]));
    name.filter(|name| !halloo_proto::name::is_blank(name))
}

fn whole_number(value: &Variant) -> Option<i64> {
    let whole = |real: f64| Some(real as i64).filter(|&whole| whole as f64 == real);
    value.try_to::<i64>().ok().or_else(|| whole(value.try_to().ok()?))
}

fn real_number(value: &Variant) -> Option<f64> {
    value.try_to::<f64>().ok().or_else(|| value.try_to::<i64>().ok().map(|number| number as f64))
}

fn list_of(value: &Variant) -> Option<Vec<String>> {
    let packed = value.try_to::<PackedStringArray>().ok();
    let packed = packed.map(|list| list.as_slice().iter().map(GString::to_string).collect());
    packed.or_else(|| value.try_to::<VarArray>().ok()?.iter_shared().map(|text| text_of(&text)).collect())
}

fn text_of(value: &Variant) -> Option<String> {
    let name = || value.try_to::<StringName>().ok().map(|name| name.to_string());
    value.try_to::<GString>().ok().map(|text| text.to_string()).or_else(name)
}
