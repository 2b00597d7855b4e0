//! The options of `serve` that are settings of the server, generated from the table of all settings.

use bytesize::ByteSize;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use halloo::settings::{Group, Kind, SETTINGS, Setting, Value};
use halloo::{Config, Meta};

use crate::pad_file;

/// Short options.
const SHORT: [(&str, char); 2] = [("port", 'p'), ("name", 'n')];

/// Other names of options: former ones, and shorter ones for options that are given once for each value.
const ALIASES: [(&str, &str); 8] = [
    ("interfaces", "interface"),
    ("excluded_interfaces", "no-interface"),
    ("subprotocols", "subprotocol"),
    ("max_message_bytes", "max-message"),
    ("compression", "compress"),
    ("outbox_when_full", "slow-client"),
    ("allowed_origins", "allow-origin"),
    ("allowed_hosts", "allow-host"),
];

/// The settings from the command line and the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingArgs {
    // Boxed because it is large, and most commands do not use it.
    pub(crate) config: Box<Config>,
}

impl Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        SettingArgs::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<SettingArgs, clap::Error> {
        let mut arguments = SettingArgs::default();
        arguments.update_from_arg_matches(matches)?;
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS {
            let invalid =
                |error: String| clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{error}\n"));
            if let Some(value) = value(setting, matches).map_err(invalid)? {
                setting.set(&mut self.config, value).map_err(|error| invalid(error.to_string()))?;
            }
        }
        Ok(())
    }
}

/// Returns the option without its dashes: `max-message-bytes`, or `no-discovery` for a flag that is on by default.
pub(crate) fn option_name(setting: &Setting) -> String {
    let kebab = setting.name.replace('_', "-");
    if setting.default_value() == Value::Flag(true) { format!("no-{kebab}") } else { kebab }
}

/// Returns the value of a setting if it was given.
fn value(setting: &'static Setting, matches: &ArgMatches) -> Result<Option<Value>, String> {
    if setting.kind == Kind::Properties {
        return properties(setting, matches);
    }
    Ok(single_value(setting, matches))
}

/// Returns properties, whose values may contain commas, except in an environment variable.
fn properties(setting: &'static Setting, matches: &ArgMatches) -> Result<Option<Value>, String> {
    let Some(given) = matches.get_many::<String>(setting.name) else { return Ok(None) };
    let is_variable = matches.value_source(setting.name) == Some(ValueSource::EnvVariable);
    let pairs = given.flat_map(|text| text.split(move |character| is_variable && character == ','));
    let pairs: Vec<String> = pairs.filter(|pair| !(is_variable && pair.is_empty())).map(str::to_owned).collect();
    match Meta::parse(&pairs) {
        Ok(_) => Ok(Some(Value::List(pairs))),
        Err(error) => Err(format!("invalid value for '--{}': {error}", option_name(setting))),
    }
}

fn single_value(setting: &'static Setting, matches: &ArgMatches) -> Option<Value> {
    match setting.kind {
        Kind::Flag => matches.get_flag(setting.name).then(|| Value::Flag(setting.default_value() != Value::Flag(true))),
        Kind::Origins | Kind::Hosts | Kind::Subprotocols | Kind::Interfaces => {
            let items = matches.get_many::<String>(setting.name)?;
            Some(Value::List(items.cloned().collect()))
        }
        _ => matches.get_one::<Value>(setting.name).cloned(),
    }
}

fn arg(setting: &'static Setting) -> Arg {
    let option = option_name(setting);
    let variable = format!("HALLOO_{}", option.replace('-', "_").to_uppercase());
    let mut arg = Arg::new(setting.name).long(option).env(variable).help_heading(heading(setting.group));
    if let Some((_, short)) = SHORT.iter().find(|(name, _)| *name == setting.name) {
        arg = arg.short(*short);
    }
    for (_, alias) in ALIASES.iter().filter(|(name, _)| *name == setting.name) {
        arg = arg.alias(*alias);
    }
    let default = setting.default_value();
    let text = match (setting.when_exceeded, &default) {
        (_, Value::Flag(true)) => format!("Do not {}{}", setting.text[..1].to_lowercase(), &setting.text[1..]),
        // No value to show: the manual page would name the machine that it was made on.
        ("", _) if setting.name == "name" => format!("{}; by default, the host name of this machine", setting.text),
        ("", _) => setting.text.to_owned(),
        (consequence, _) => format!("{}. When exceeded: {}", setting.text, with_options(consequence)),
    };
    if !matches!(setting.kind, Kind::Flag | Kind::Choice(_)) {
        let allowed = match setting.kind {
            Kind::PadLayout => pad_file::ALLOWED.to_owned(),
            kind => kind.allowed(),
        };
        arg = arg.long_help(format!("{text}\n\nAllowed: {allowed}"));
    }
    arg = arg.help(text);
    arg = match setting.kind {
        Kind::PadLayout => arg
            .num_args(0..=1)
            .default_missing_value(pad_file::DEFAULT)
            .value_parser(|name: &str| pad_file::parse(name).map(|layout| Value::Text(layout.to_json()))),
        Kind::Flag => return arg.action(ArgAction::SetTrue),
        // Checked together, because a key must not be given twice.
        Kind::Properties => return arg.action(ArgAction::Append).value_name(value_name(setting)),
        Kind::Origins | Kind::Hosts | Kind::Subprotocols | Kind::Interfaces => {
            let parse = move |text: &str| {
                let item = setting.kind.check(Value::List(vec![text.to_owned()]));
                item.map(|_| text.to_owned()).map_err(|error| error.to_string())
            };
            return arg
                .action(ArgAction::Append)
                .value_delimiter(',')
                .value_name(value_name(setting))
                .value_parser(parse);
        }
        // Possible values are listed in help, errors and completions.
        Kind::Choice(words) => {
            let words = words.iter().map(|word| PossibleValue::new(word.replace('_', "-")));
            arg.value_parser(PossibleValuesParser::new(words).map(|word| Value::Text(word.replace('-', "_"))))
        }
        _ => arg.value_parser(move |text: &str| parse(setting, text)),
    };
    arg = arg.value_name(value_name(setting));
    match (setting.kind, default) {
        // The help would show an empty default.
        (Kind::Address | Kind::AdvertisedAddress | Kind::OptionalText | Kind::Text | Kind::PadLayout, _) => arg,
        (kind @ Kind::Bytes { .. }, default) => arg.default_value(kind.describe(&default).replace(' ', "")),
        (Kind::Choice(_), default) => arg.default_value(default.to_string().replace('_', "-")),
        (_, default) => arg.default_value(default.to_string()),
    }
}

/// Replaces the settings that a text names in backticks by their options.
fn with_options(text: &str) -> String {
    let replace = |(index, part): (usize, &str)| match SETTINGS.iter().find(|setting| setting.name == part) {
        _ if index % 2 == 0 => part.to_owned(),
        Some(setting) => format!("`--{}`", option_name(setting)),
        None => format!("`{part}`"),
    };
    text.split('`').enumerate().map(replace).collect()
}

fn heading(group: Group) -> &'static str {
    match group {
        Group::Network => "Network",
        Group::Discovery => "Discovery",
        Group::Access => "Access",
        Group::Pages => "Pages",
        Group::Limits => "Limits",
    }
}

fn value_name(setting: &Setting) -> &'static str {
    match setting.kind {
        Kind::Count { max: 65_535, .. } => "PORT",
        Kind::Flag | Kind::Count { .. } => "N",
        Kind::Bytes { .. } => "SIZE",
        Kind::Duration { .. } => "TIME",
        Kind::Text => "NAME",
        Kind::OptionalText => "ID",
        Kind::Properties => "KEY=VALUE",
        Kind::Address => "ADDR",
        Kind::AdvertisedAddress => "ADDR[:PORT]",
        Kind::Origins => "ORIGIN",
        Kind::Hosts => "HOST",
        Kind::Subprotocols => "NAME",
        Kind::Interfaces => "NAME",
        Kind::PadLayout => "LAYOUT.json",
        Kind::Choice(_) => "HOW",
    }
}

/// Parses the size of a message, which has the same range on both sides.
pub(crate) fn parse_message_size(text: &str) -> Result<usize, String> {
    let setting = halloo::settings::find("max_message_bytes").ok_or("there is no such setting")?;
    usize::try_from(parse(setting, text)?).map_err(|()| format!("give {}", setting.kind.allowed()))
}

/// Parses a value with its usual units.
fn parse(setting: &Setting, text: &str) -> Result<Value, String> {
    let value = match setting.kind {
        Kind::Count { .. } => text.parse().ok().map(Value::Number),
        Kind::Bytes { .. } => text.parse::<ByteSize>().ok().map(|size| Value::Number(size.as_u64())),
        Kind::Duration { .. } => humantime::parse_duration(text).ok().map(Value::Duration),
        Kind::Address => Some(Value::Text(text.trim_start_matches('[').trim_end_matches(']').to_owned())),
        // Nothing would be the default, which is not what was meant.
        Kind::OptionalText if text.is_empty() => None,
        _ => Some(Value::Text(text.to_owned())),
    };
    let value = value.ok_or_else(|| format!("give {}", setting.kind.allowed()))?;
    setting.kind.check(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(line: &str) -> Result<Config, String> {
        let command = SettingArgs::augment_args(Command::new("serve"));
        let matches = command.try_get_matches_from(line.split_whitespace()).map_err(|error| error.to_string())?;
        SettingArgs::from_arg_matches(&matches).map(|arguments| *arguments.config).map_err(|error| error.to_string())
    }

    #[test]
    fn no_options_result_in_the_default_config() {
        assert_eq!(format!("{:?}", config("serve").unwrap()), format!("{:?}", Config::default()));
    }

    #[test]
    fn every_setting_has_an_option_an_environment_variable_and_a_help_text() {
        let command = SettingArgs::augment_args(Command::new("serve"));
        for setting in SETTINGS {
            let arg = command.get_arguments().find(|arg| arg.get_id() == setting.name);
            let arg = arg.unwrap_or_else(|| panic!("the command line has no option for {}", setting.name));
            let variable = arg.get_env().unwrap().to_str().unwrap();
            let option = arg.get_long().unwrap();
            assert_eq!(variable, format!("HALLOO_{}", option.replace('-', "_").to_uppercase()));
            let help = arg.get_help().unwrap_or_else(|| panic!("no help for {option}")).to_string();
            let named = SETTINGS.iter().find(|setting| help.contains(&format!("`{}`", setting.name)));
            assert!(named.is_none(), "the help names a setting instead of its option: {help}");
        }
    }

    #[test]
    fn manual_page_lists_every_option_with_its_default_and_variable() {
        let mut page = Vec::new();
        clap_mangen::Man::new(crate::args::command()).render(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap().replace("\\-", "-");
        let command = SettingArgs::augment_args(Command::new("serve"));
        for arg in command.get_arguments() {
            let (option, variable) = (arg.get_long().unwrap(), arg.get_env().unwrap().to_str().unwrap());
            let entry = page
                .split(".TP")
                .find(|entry| entry.lines().nth(1).is_some_and(|line| line.contains(&format!("--{option}\\fR"))));
            let entry = entry.unwrap_or_else(|| panic!("the manual page lacks --{option}"));
            assert!(entry.contains(&format!("\\fB{variable}\\fR")), "the manual page lacks {variable}: {entry}");
            for default in arg.get_default_values().iter().filter(|_| !matches!(arg.get_action(), ArgAction::SetTrue)) {
                let default = format!("[default: {}]", default.to_str().unwrap());
                assert!(entry.contains(&default), "the manual page lacks {default} of --{option}: {entry}");
            }
        }
    }

    #[test]
    fn values_are_parsed_with_units_and_aliases() {
        for size in ["65536", "64KiB", "64kib"] {
            assert_eq!(
                config(&format!("serve --max-message-bytes {size}")).unwrap().messages.max_message_bytes,
                65_536
            );
        }
        assert_eq!(config("serve --max-message 2MB").unwrap().messages.max_message_bytes, 2_000_000);
        assert_eq!(config("serve --heartbeat 0s").unwrap().heartbeat, std::time::Duration::ZERO);
        assert_eq!(config("serve --bind [::1]").unwrap().bind, "::1".parse().ok());
        assert_eq!(
            config("serve --outbox-when-full drop-oldest").unwrap().outbox.when_full,
            halloo::SlowClient::DropOldest
        );
        assert!(!config("serve --no-discovery").unwrap().discovery);
        assert_eq!(config("serve --max-clients 0").unwrap().max_clients, None);
        let config_with_meta = config("serve --app Tanks --meta map=a,b --meta players=3").unwrap();
        assert_eq!(config_with_meta.app.as_deref(), Some("Tanks"));
        assert_eq!(config_with_meta.meta, Meta::parse(["map=a,b", "players=3"]).unwrap());
        let filtered = config("serve --interface wlan0 --interface eth* --no-interface docker*,veth*").unwrap();
        assert_eq!(filtered.interfaces, ["wlan0", "eth*"]);
        assert_eq!(filtered.excluded_interfaces, ["docker*", "veth*"]);
        let origins =
            config("serve --allow-origin http://a.example,null --allowed-origins *").unwrap().access.allowed_origins;
        assert_eq!(origins, ["http://a.example", "null", "*"]);
    }

    #[test]
    fn invalid_values_are_rejected_with_the_allowed_range() {
        for (line, allowed) in [
            ("--max-message-bytes 0", "64KiB"),
            ("--max-message-bytes 1XB", "64KiB"),
            ("--heartbeat 499ms", "500ms"),
            ("--heartbeat 5", "with its unit"),
            ("--discovery-interval 99ms", "100ms"),
            ("--bind 127.0.0.1:80", "without a port"),
            ("--bind localhost", "IP address"),
            ("--allowed-origins example.org/page", "https://example.org"),
            ("--allowed-hosts http://game", "without a scheme or a port"),
            ("--port 65536", "65535"),
            ("--advertise game.example.org", "no host name"),
            ("--advertise [fe80::1]:9000", "IPv6"),
            ("--app=", "not empty or blank"),
            ("--meta map", "invalid value for '--meta': `map` is not a property; write KEY=VALUE"),
            ("--meta map=a --meta Map=b", "given twice"),
            ("--outbox-when-full explode", "drop-newest"),
        ] {
            let error = config(&format!("serve {line}")).unwrap_err();
            assert!(error.contains(allowed), "{line}: {error}");
        }
    }
}

#[cfg(test)]
mod followed_advice;
