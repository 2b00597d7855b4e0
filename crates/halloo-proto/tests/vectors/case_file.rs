//! The files in `vectors/`: what a client is given in each case is written there by hand, and what follows is decided by the
//! code of this workspace.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// The version of the format; see `vectors/README.md`.
const VERSION: u64 = 1;
/// Bytes of all files together, so that a small device can have them.
const MAX_TOTAL_BYTES: u64 = 200_000;
/// Columns after which a value is divided into lines.
const WIDTH: usize = 120;
/// Keys that come before the others.
const FIRST: [&str; 7] = ["version", "about", "at_ms", "between_ms", "id", "name", "why"];
/// The key of what the code decides, which comes last.
const EXPECT: &str = "expect";

/// What a case gives to a client.
pub(crate) type Case = Map<String, Value>;

/// Runs every case of `file` and compares the results with those in the file. With `HALLOO_GENERATE` in the environment, it
/// writes them instead.
pub(crate) fn check(file: &str, run: impl Fn(&Case) -> Value) {
    let path = directory().join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let text = text.replace("\r\n", "\n");
    let mut document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(document["version"], VERSION, "{file} has another version");
    let is_writing = std::env::var_os("HALLOO_GENERATE").is_some();
    let mut names = BTreeSet::new();
    for case in document["cases"].as_array_mut().expect("the file has cases") {
        let case = case.as_object_mut().expect("a case is an object");
        let name = text_of(case, "name").to_owned();
        assert!(!text_of(case, "why").is_empty(), "{file}: `{name}` does not say why");
        assert!(names.insert(name.clone()), "{file}: there are two cases called `{name}`");
        let result = run(case);
        let stated = case.insert(EXPECT.into(), result.clone());
        assert!(
            is_writing || stated.as_ref() == Some(&result),
            "{file}: `{name}` does not expect what the code does; correct one of them, or run `cargo xtask vectors`:\n\
             stated {}\nfound  {result}",
            stated.unwrap_or_default()
        );
    }
    let mut current = String::new();
    write(&document, 0, &mut current);
    current.push('\n');
    if is_writing && current != text {
        return fs::write(&path, current).expect("the file can be written");
    }
    assert!(current == text, "{file} is not formatted; run `cargo xtask vectors`");
}

/// Returns the text that a case has for `key`.
pub(crate) fn text_of<'a>(case: &'a Case, key: &str) -> &'a str {
    let text = case.get(key).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("`{}` has no text `{key}`", case.get("name").unwrap_or_default()))
}

/// Returns the whole number that a case has for `key`.
pub(crate) fn number_of(case: &Case, key: &str) -> u64 {
    let number = case.get(key).and_then(Value::as_u64);
    number.unwrap_or_else(|| panic!("`{}` has no number `{key}`", case.get("name").unwrap_or_default()))
}

/// Returns the bytes of which `text` has the hexadecimal digits, which may be separated by spaces.
#[allow(dead_code, reason = "not every file has such bytes")]
pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// Returns the bytes of all files.
#[allow(dead_code, reason = "one of the test programs counts them")]
pub(crate) fn check_sizes() {
    let files = fs::read_dir(directory()).expect("there is a directory of vectors");
    let total: u64 = files.map(|entry| entry.and_then(|entry| entry.metadata()).unwrap().len()).sum();
    assert!(total <= MAX_TOTAL_BYTES, "{total} bytes");
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

/// Writes `value` on one line if it fits, and otherwise its parts on lines of their own. A change of one case then changes
/// few lines.
fn write(value: &Value, indentation: usize, out: &mut String) {
    let line = on_one_line(value);
    let is_document = indentation == 0;
    if !is_document && indentation + line.len() <= WIDTH {
        return out.push_str(&line);
    }
    let (begin, parts, end): (_, Vec<(String, &Value)>, _) = match value {
        Value::Array(items) => ('[', items.iter().map(|item| (String::new(), item)).collect(), ']'),
        Value::Object(fields) => {
            ('{', in_order(fields).map(|(key, value)| (format!("{}: ", quoted(key)), value)).collect(), '}')
        }
        _ => return out.push_str(&line),
    };
    out.push(begin);
    for (number, (key, part)) in parts.into_iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        out.push_str(&format!("{comma}\n{:1$}{key}", "", indentation + 2));
        write(part, indentation + 2, out);
    }
    out.push_str(&format!("\n{:1$}{end}", "", indentation));
}

fn on_one_line(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(on_one_line).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = in_order(fields).map(|(key, value)| format!("{}: {}", quoted(key), on_one_line(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => quoted(text),
        scalar => scalar.to_string(),
    }
}

fn in_order(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(key, _)| (*key == EXPECT, place(key), *key));
    fields.into_iter()
}

/// Returns `text` as JSON in ASCII: some characters would not be displayed, or would change what is displayed.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for character in Value::from(text).to_string().chars() {
        if matches!(character, ' '..='~') {
            quoted.push(character);
        } else {
            let units = character.encode_utf16(&mut [0; 2]).to_vec();
            quoted.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    quoted
}
