//! Lists that follow from the table of settings: they are written when `HALLOO_GENERATE` is set (`cargo xtask generate`), and
//! compared otherwise.

// The table has one row less without this feature.
#![cfg(feature = "mdns")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::fmt::Write as _;
use std::path::PathBuf;

use halloo::settings::{Kind, Level, SETTINGS, Setting, Value};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap().replace("\r\n", "\n")
}

/// Compares the part of `file` between the lines `begin` and `end` with `generated`, or writes it.
fn check(file: &str, begin: &str, end: &str, generated: &str) {
    let text = read(file);
    let (head, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{file} has no line {begin}"));
    let (current, tail) = rest.split_once(end).unwrap_or_else(|| panic!("{file} has no line {end}"));
    if current == generated {
        return;
    }
    if std::env::var_os("HALLOO_GENERATE").is_some() {
        return std::fs::write(root().join(file), [head, begin, generated, end, tail].concat()).unwrap();
    }
    let stale = generated.lines().find(|line| !current.contains(line)).unwrap_or("the order, or a line too many");
    panic!("{file} is not current; run `cargo xtask generate`. It lacks:\n{stale}");
}

/// Returns the option of the command line, with its dashes.
fn option(setting: &Setting) -> String {
    let kebab = setting.name.replace('_', "-");
    let no = if setting.default_value() == Value::Flag(true) { "no-" } else { "" };
    format!("--{no}{kebab}")
}

fn default(setting: &Setting) -> String {
    // It depends on the machine.
    if setting.name == "name" { "the host name".into() } else { setting.kind.describe(&setting.default_value()) }
}

#[test]
fn limits_are_documented() {
    // Three columns, because more do not fit on a phone.
    let mut table = String::from("\n| setting | meaning | default; what is allowed |\n|---|---|---|\n");
    for setting in SETTINGS {
        let Setting { path, kind, text, when_exceeded, .. } = setting;
        let (default, range, option) = (default(setting), kind.range(), option(setting));
        let consequence =
            if when_exceeded.is_empty() { String::new() } else { format!(". When exceeded: {when_exceeded}") };
        writeln!(table, "| `{path}`<br>`{option}` | {text}{consequence} | {default}; {range} |").unwrap();
    }
    check("docs/limits.md", "<!-- settings: begin -->\n", "\n<!-- settings: end -->", &table);
}

#[test]
fn addon_documents_its_settings() {
    let mut table =
        String::from("\n| setting | default | allowed | meaning | when exceeded |\n|---|---|---|---|---|\n");
    for setting in SETTINGS.iter().filter(|setting| setting.is_in_godot()) {
        let Setting { name, kind, text, when_exceeded, .. } = setting;
        let default = if ["name", "app"].contains(name) { "that of the project".to_owned() } else { default(setting) };
        writeln!(table, "| `{name}` | {default} | {} | {text} | {when_exceeded} |", kind.range()).unwrap();
    }
    check("godot/addons/halloo/README.md", "<!-- settings: begin -->\n", "\n<!-- settings: end -->", &table);
}

#[test]
fn editor_shows_the_settings_of_the_addon() {
    let mut lists = String::new();
    for (name, levels) in [("basic", &[Level::Basic][..]), ("advanced", &[Level::Advanced, Level::Rare])] {
        writeln!(lists, "static var server_{name}: Array[Array] = [").unwrap();
        for setting in SETTINGS.iter().filter(|setting| levels.contains(&setting.level)) {
            let (value, hint, text) = editor(setting);
            writeln!(lists, "\t[\"{}\", {value}, PROPERTY_HINT_{hint}, \"{text}\"],", setting.name).unwrap();
        }
        lists += "]\n";
    }
    check("godot/addons/halloo/editor/settings.gd", "# settings: begin\n", "# settings: end", &lists);
}

/// Returns the default as GDScript has it, and how the editor edits it.
fn editor(setting: &Setting) -> (String, &'static str, String) {
    // A slider for everything that is allowed would be too coarse.
    let slider = |max: u64, most: u64| (max.min(most), if max > most { ",or_greater" } else { "" });
    match (setting.kind, setting.default_value()) {
        (Kind::Flag, value) => (value.to_string(), "NONE", String::new()),
        (Kind::Count { min, max: 65_535 }, value) => (value.to_string(), "RANGE", format!("{min},65535")),
        (Kind::Count { min, max }, value) => {
            let (most, greater) = slider(max, 1000);
            (value.to_string(), "RANGE", format!("{min},{most},1{greater}"))
        }
        (Kind::Bytes { min, max }, value) => {
            let (most, greater) = slider(max, 16 << 20);
            (value.to_string(), "RANGE", format!("{min},{most},1{greater},suffix:B"))
        }
        (Kind::Duration { min_millis, max_millis, or_zero }, Value::Duration(time)) => {
            let min = if or_zero { 0.0 } else { min_millis as f64 / 1000.0 };
            let (most, greater) = slider(max_millis / 1000, 60);
            (format!("{:?}", time.as_secs_f64()), "RANGE", format!("{min},{most},0.1{greater},suffix:s"))
        }
        (Kind::Choice(words), value) => (format!("\"{value}\""), "ENUM", words.join(",")),
        (Kind::Properties | Kind::PadLayout, _) => ("{}".into(), "NONE", String::new()),
        (Kind::Origins | Kind::Hosts | Kind::Subprotocols | Kind::Interfaces, _) => {
            ("PackedStringArray()".into(), "NONE", String::new())
        }
        (Kind::Address, _) => ("\"\"".into(), "PLACEHOLDER_TEXT", "every address of this machine".into()),
        (Kind::AdvertisedAddress, _) => ("\"\"".into(), "PLACEHOLDER_TEXT", "the addresses of this machine".into()),
        _ => ("\"\"".into(), "PLACEHOLDER_TEXT", "the name of the project".into()),
    }
}

#[test]
fn addon_reads_its_settings() {
    let (mut lines, mut line) = (String::new(), String::from("\t"));
    for setting in SETTINGS.iter().filter(|setting| setting.is_in_godot()) {
        let name = format!("\"{}\", ", setting.name);
        if line.len() + name.len() > 112 {
            writeln!(lines, "{}", line.trim_end()).unwrap();
            line = String::from("\t");
        }
        line += &name;
    }
    writeln!(lines, "{}", line.trim_end()).unwrap();
    check("godot/addons/halloo/websocket_server.gd", "\t# settings: begin\n", "\t# settings: end", &lines);
}

#[test]
fn field_docs_state_the_default() {
    let config = read("crates/halloo/src/config.rs").replace("(into)", "");
    let limits = read("crates/halloo-proto/src/limits.rs");
    for setting in SETTINGS {
        let docs = match setting.path.split_once('.') {
            None => docs(&config, setting.path),
            Some((part, field)) => {
                let (_, rest) = config.split_once(&format!("pub {part}: ")).unwrap();
                let of_struct = rest.split(' ').next().map(|name| format!("pub struct {name} {{"));
                // `AccessRules` has no defaults to speak of.
                let Some((_, fields)) = limits.split_once(&of_struct.unwrap()) else { continue };
                docs(fields, field)
            }
        };
        let expected = match (setting.kind, setting.default_value()) {
            (Kind::Address | Kind::AdvertisedAddress | Kind::OptionalText | Kind::PadLayout, _) => "None".to_owned(),
            (Kind::Count { .. }, Value::Number(0)) => "None".to_owned(),
            (Kind::Flag, value) => value.to_string(),
            _ => default(setting),
        };
        let stated = docs.split_once("Default: ").map_or("", |(_, rest)| rest.trim_end_matches('.'));
        let plain = |text: &str| text.replace([' ', ',', '`', '[', ']'], "").replace("SlowClient::", "").to_lowercase();
        let path = setting.path;
        assert_eq!(plain(stated), plain(&expected), "the documentation of Config::{path} states another default");
    }
}

#[test]
fn npm_package_contains_the_scripts_of_the_server() {
    for name in ["client.js", "access.js"] {
        let (script, copy) = (read(&format!("crates/halloo/src/assets/{name}")), format!("clients/js/src/{name}"));
        if std::env::var_os("HALLOO_GENERATE").is_some() {
            std::fs::write(root().join(copy), script).unwrap();
        } else {
            assert!(read(&copy) == script, "{copy} is not current; run `cargo xtask generate`");
        }
    }
}

/// Returns the documentation of a field as one line.
fn docs(fields: &str, field: &str) -> String {
    let (above, _) = fields.split_once(&format!("pub {field}: ")).unwrap();
    // The last line is what stands before the field itself.
    let lines = above.lines().rev().skip(1).map(str::trim).take_while(|line| line.starts_with(['/', '[']));
    let docs: Vec<&str> = lines.filter_map(|line| line.strip_prefix("/// ")).collect();
    docs.into_iter().rev().collect::<Vec<_>>().join(" ")
}
