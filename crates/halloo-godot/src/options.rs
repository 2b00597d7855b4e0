//! The settings of a project, read from a dictionary.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use godot::prelude::*;
use halloo::{Config, SlowClient, Token};

/// Drained in one frame at most, in milliseconds: an eighth of a frame at 60 a second.
pub(crate) const FRAME_BUDGET_MS: f64 = 2.0;

/// What a dictionary said, and what was wrong in it.
pub(crate) struct Options {
    pub(crate) config: Config,
    pub(crate) frame_budget: Duration,
    pub(crate) verbosity: u8,
    /// One sentence per value that was replaced by its default.
    pub(crate) complaints: Vec<String>,
    /// Why no server may be started: one that was to have a token does not run without.
    pub(crate) refusal: Option<String>,
}

impl Options {
    /// Reads every setting that `options` has; the others keep their defaults, and so do those with a wrong value.
    pub(crate) fn read(options: &VarDictionary) -> Options {
        let mut read = Reader { options, known: Vec::new(), complaints: Vec::new() };
        let mut config = Config::default();
        config.port = read.number("port", 0..=65_535, i64::from(config.port)) as u16;
        config.strict_port = read.flag("strict_port", config.strict_port);
        config.bind = read.bind();
        config.name = read.text("name", "Godot");
        config.discovery = read.flag("discovery", config.discovery);
        config.discovery_port = read.number("discovery_port", 1..=65_535, i64::from(config.discovery_port)) as u16;
        config.discovery_interval = read.seconds("discovery_interval", 0.1..=3600.0, config.discovery_interval);
        // 2^20 clients are more than a machine has descriptors for.
        config.max_clients = match read.number("max_clients", 0..=1 << 20, 0) {
            0 => None,
            most => Some(most as usize),
        };
        let size = config.messages.max_message_bytes as i64;
        config.messages.max_message_bytes = read.number("max_message_size", 1..=1 << 30, size) as usize;
        config.heartbeat = read.seconds("heartbeat", 0.0..=3600.0, config.heartbeat);
        config.access.allowed_origins = read.list("allowed_origins");
        config.access.allowed_hosts = read.list("allowed_hosts");
        config.access.allow_public = read.flag("allow_public", config.access.allow_public);
        let refusal = match read.token() {
            Ok(token) => {
                config.access.token = token;
                None
            }
            Err(why) => Some(format!("halloo/token is not what it has to be: {why}")),
        };
        config.outbox.when_full = read.slow_client();
        let budget = read.real("frame_budget_ms", 0.0..=1000.0, FRAME_BUDGET_MS);
        let verbosity = read.number("verbosity", 0..=2, 1) as u8;
        read.complain_of_unknown();
        let complaints = read.complaints;
        Options { config, frame_budget: Duration::from_secs_f64(budget / 1000.0), verbosity, complaints, refusal }
    }
}

struct Reader<'a> {
    options: &'a VarDictionary,
    known: Vec<&'static str>,
    complaints: Vec<String>,
}

impl Reader<'_> {
    fn value(&mut self, key: &'static str) -> Option<Variant> {
        self.known.push(key);
        self.options.get(key).filter(|value| !value.is_nil())
    }

    /// The value as `read` understands it, or `default` and a complaint that says what is `wanted`.
    fn read<T>(
        &mut self,
        key: &'static str,
        default: T,
        shown: &dyn Display,
        wanted: &dyn Display,
        read: impl FnOnce(&Variant) -> Option<T>,
    ) -> T {
        let Some(value) = self.value(key) else { return default };
        read(&value).unwrap_or_else(|| {
            let value = halloo_proto::text::escape(&value.to_string(), 60);
            self.complaints.push(format!("halloo/{key} is {value}, but has to be {wanted}; {shown} is used"));
            default
        })
    }

    fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.read(key, default, &default, &"true or false", |value| value.try_to().ok())
    }

    fn number(&mut self, key: &'static str, range: RangeInclusive<i64>, default: i64) -> i64 {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(key, default, &default, &wanted, |value| {
            let whole = |real: f64| Some(real as i64).filter(|&whole| whole as f64 == real);
            let number = value.try_to::<i64>().ok().or_else(|| whole(value.try_to().ok()?))?;
            Some(number).filter(|number| range.contains(number))
        })
    }

    fn real(&mut self, key: &'static str, range: RangeInclusive<f64>, default: f64) -> f64 {
        let wanted = format!("a number from {} to {}", range.start(), range.end());
        self.read(key, default, &default, &wanted, |value| {
            let real = value.try_to::<f64>().ok().or_else(|| value.try_to::<i64>().ok().map(|number| number as f64))?;
            Some(real).filter(|real| range.contains(real))
        })
    }

    fn seconds(&mut self, key: &'static str, range: RangeInclusive<f64>, default: Duration) -> Duration {
        Duration::from_secs_f64(self.real(key, range, default.as_secs_f64()))
    }

    fn text(&mut self, key: &'static str, default: &str) -> String {
        let text = self.read(key, default.to_owned(), &default, &"a text", text_of);
        if text.is_empty() { default.to_owned() } else { text }
    }

    fn list(&mut self, key: &'static str) -> Vec<String> {
        self.read(key, Vec::new(), &"an empty list", &"a list of texts", |value| {
            let packed = value.try_to::<PackedStringArray>().ok();
            let packed = packed.map(|list| list.as_slice().iter().map(GString::to_string).collect());
            packed.or_else(|| value.try_to::<VarArray>().ok()?.iter_shared().map(|text| text_of(&text)).collect())
        })
    }

    fn bind(&mut self) -> Option<IpAddr> {
        let wanted = "an IP address of this machine, or empty for all of them";
        self.read("bind", None, &"all of them", &wanted, |value| match text_of(value)?.as_str() {
            "" | "*" => Some(None),
            address => address.parse().ok().map(Some),
        })
    }

    /// The token; `random` stands for one that is new at each start. Nothing repeats it.
    fn token(&mut self) -> Result<Option<Token>, String> {
        let Some(value) = self.value("token") else { return Ok(None) };
        match text_of(&value).ok_or("it is a text")?.as_str() {
            "" => Ok(None),
            "random" => halloo::random_token().map(Some).map_err(|error| error.to_string()),
            token => Token::new(token).map(Some).map_err(|error| error.to_string()),
        }
    }

    fn slow_client(&mut self) -> SlowClient {
        let wanted = "\"disconnect\", \"drop_oldest\" or \"drop_newest\"";
        self.read("slow_client", SlowClient::Disconnect, &"disconnect", &wanted, |value| {
            match text_of(value)?.as_str() {
                "disconnect" => Some(SlowClient::Disconnect),
                "drop_oldest" => Some(SlowClient::DropOldest),
                "drop_newest" => Some(SlowClient::DropNewest),
                _ => None,
            }
        })
    }

    fn complain_of_unknown(&mut self) {
        for (key, _) in self.options.iter_shared() {
            let key = key.to_string();
            if !self.known.contains(&key.as_str()) {
                let key = halloo_proto::text::escape(&key, 60);
                self.complaints.push(format!("there is no setting halloo/{key}; there are {}", self.known.join(", ")));
            }
        }
    }
}

fn text_of(value: &Variant) -> Option<String> {
    let name = || value.try_to::<StringName>().ok().map(|name| name.to_string());
    value.try_to::<GString>().ok().map(|text| text.to_string()).or_else(name)
}
