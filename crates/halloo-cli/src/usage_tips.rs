//! Tips for invalid usage, beyond those of clap.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use strsim::damerau_levenshtein;

use crate::tls_mode;

/// The edits, of which a swap of neighbours is one, after which a word is no longer a typing mistake.
const MAX_EDITS: usize = 2;

/// Adds a tip to `error`, if there is one.
pub(crate) fn add(mut error: clap::Error, command: &clap::Command) -> clap::Error {
    if let Some(name) = context(&error, ContextKind::InvalidSubcommand).map(str::to_owned) {
        error.remove(ContextKind::SuggestedSubcommand);
        let similar = similar_commands(command, &name);
        if !similar.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(similar));
        }
    }
    if let Some(tip) = tip(&error, command) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Returns the commands that `name` is closest to. clap measures similarity otherwise, and suggests `discover` for `srve`.
fn similar_commands(command: &clap::Command, name: &str) -> Vec<String> {
    let names = command.get_subcommands().map(clap::Command::get_name);
    let rated: Vec<(usize, &str)> = names.map(|known| (damerau_levenshtein(known, name), known)).collect();
    let best = rated.iter().map(|(edits, _)| *edits).min().filter(|edits| *edits <= MAX_EDITS);
    rated.iter().filter(|(edits, _)| Some(*edits) == best).map(|(_, known)| (*known).to_owned()).collect()
}

fn tip(error: &clap::Error, command: &clap::Command) -> Option<String> {
    let argument = context(error, ContextKind::InvalidArg);
    let unexpected = context(error, ContextKind::InvalidSubcommand).or(argument);
    if let Some(port) = unexpected.and_then(|text| text.parse::<u16>().ok()) {
        return Some(format!("to serve on port {port}, use `halloo --port {port}`"));
    }
    if let Some(value) = unexpected.filter(|value| follows_tls(value)) {
        return Some(format!("use `--tls={value}`, with an equals sign"));
    }
    let (option, value) = (argument?, context(error, ContextKind::InvalidValue).unwrap_or_default());
    if error.kind() == ErrorKind::InvalidValue && option.starts_with("--token") && value.is_empty() {
        let tip = "the server shows its token and its invitation link when it starts; give the token in HALLOO_TOKEN or as \
                   `--token TOKEN`, or connect to the link";
        return Some(tip.to_owned());
    }
    // The option in the message is not on the command line when its value is from the environment.
    if error.kind() == ErrorKind::ArgumentConflict {
        let options = [Some(option), context(error, ContextKind::PriorArg)];
        let (option, variable, _) =
            options.into_iter().flatten().find_map(|option| from_environment(command, option))?;
        return Some(format!("the environment variable {variable} sets {option}; unset it"));
    }
    let (_, variable, set) = from_environment(command, option)?;
    (set == value).then(|| format!("the value is that of the environment variable {variable}"))
}

/// Returns whether `value` is one of `--tls`, and behind it on the command line.
fn follows_tls(value: &str) -> bool {
    let words: Vec<OsString> = std::env::args_os().collect();
    tls_mode::parse(value).is_ok() && words.windows(2).any(|pair| pair[0] == "--tls" && pair[1] == value)
}

/// Returns the option that a message calls `option`, its environment variable and the value, if it is from there.
fn from_environment(command: &clap::Command, option: &str) -> Option<(String, String, OsString)> {
    let commands = std::iter::once(command).chain(command.get_subcommands());
    let name = option.split([' ', '[']).next()?.strip_prefix("--")?;
    let option = format!("--{name}");
    let arg = commands.flat_map(clap::Command::get_arguments).find(|arg| arg.get_long() == Some(name))?;
    let variable = arg.get_env()?;
    let is_on_command_line = std::env::args_os().any(|text| text.to_string_lossy().split('=').next() == Some(&*option));
    let set = std::env::var_os(variable).filter(|_| !is_on_command_line)?;
    Some((option, variable.to_string_lossy().into_owned(), set))
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}
