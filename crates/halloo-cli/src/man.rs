//! `halloo man`: the manual pages of the program and of its commands.

use std::io::{self, Write};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args;

/// The exit codes of each command, apart from 2; the empty name is the program without a command.
const EXIT_CODES: &[(&[&str], u8, &str)] = &[
    (&["", "serve"], 0, "the server was stopped"),
    (&["", "serve"], 1, "the server failed, or lines of standard output were lost because the disk is full"),
    (&["", "serve"], 3, "no port could be bound"),
    (&["discover"], 0, "a server was found"),
    (&["discover"], 1, "the network could not be searched"),
    (&["discover", "connect", "status"], 4, "no server was found in time"),
    (&["connect"], 0, "the connection was closed, by a signal, by this side or by the server"),
    (&["connect"], 1, "the server refused, the client gave up, or the connection was lost"),
    (&["status"], 0, "the status was printed"),
    (&["status"], 1, "the server refused or cannot be reached, or several servers have the name"),
    (&["doctor"], 0, "no check failed"),
    (&["doctor"], 1, "a check failed"),
    (&["bench", "completions", "man"], 0, "success"),
    (&["bench", "completions", "man"], 1, "failure"),
];

/// The exit code of invalid usage, which all commands have.
const USAGE: (u8, &str) = (2, "invalid usage");

/// Writes the manual page of `name`, or of the program.
pub(crate) fn write(name: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let mut program = args::command();
    program.build();
    let command = name.and_then(|name| program.find_subcommand(name)).unwrap_or(&program).clone();
    // The page omits the text of options that a short help does not have.
    let command = command.mut_args(|arg| arg.hide_short_help(false));
    let man = Man::new(command.clone()).source(concat!("halloo ", env!("CARGO_PKG_VERSION")));
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    let mut page = Roff::new();
    examples(&mut page, &command);
    environment(&mut page, &command);
    exit_status(&mut page, name.unwrap_or_default());
    page.control("SH", ["VERSION"]).text([roman(format!("halloo {}", env!("CARGO_PKG_VERSION")))]);
    page.to_writer(out)
}

/// Adds the text that follows the options in the help.
fn examples(page: &mut Roff, command: &clap::Command) {
    let Some(text) = command.get_after_long_help().or(command.get_after_help()) else { return };
    let text = text.to_string();
    page.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in text.lines().skip_while(|line| *line == "Examples:") {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}

fn environment(page: &mut Roff, command: &clap::Command) {
    page.control("SH", ["ENVIRONMENT"]);
    page.text([roman(
        "An option on the command line has precedence. A flag is off when its variable is empty, 0, false, no or off.",
    )]);
    for arg in command.get_arguments() {
        if let (Some(variable), Some(option)) = (arg.get_env(), arg.get_long()) {
            page.control("TP", []).text([bold(variable.to_string_lossy())]);
            page.text([roman("the same as "), bold(format!("--{option}"))]);
        }
    }
    page.control("TP", []).text([bold("NO_COLOR")]).text([roman("no colours, whatever its value is")]);
}

fn exit_status(page: &mut Roff, name: &str) {
    page.control("SH", ["EXIT STATUS"]);
    let mut codes: Vec<(u8, &str)> = vec![USAGE];
    codes.extend(EXIT_CODES.iter().filter(|(names, ..)| names.contains(&name)).map(|(_, code, text)| (*code, *text)));
    codes.sort_unstable();
    for (code, text) in codes {
        page.control("TP", []).text([bold(code.to_string())]).text([roman(text)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: Option<&str>) -> String {
        let mut page = Vec::new();
        write(name, &mut page).unwrap();
        String::from_utf8(page).unwrap().replace("\\-", "-").replace("\\*(Aq", "'")
    }

    #[test]
    fn every_command_has_a_page_with_its_options_environment_and_exit_status() {
        let program = args::command();
        let pages = program.get_subcommands().map(|command| (Some(command.get_name()), command));
        for (name, command) in pages.chain([(None, &program)]) {
            let page = page(name);
            let title = name.map_or("halloo".to_owned(), |name| format!("halloo-{name}"));
            assert!(page.contains(&format!(".TH {title} 1")), "{page}");
            for part in [".SH ENVIRONMENT", "HALLOO_QUIET", "NO_COLOR", ".SH \"EXIT STATUS\"", "invalid usage"] {
                assert!(page.contains(part), "the page of {title} lacks {part}: {page}");
            }
            assert!(page.contains("\\fB0\\fR\n") && page.contains("\\fB1\\fR\n"), "{title}: {page}");
            for arg in command.get_arguments() {
                let names = [
                    arg.get_long().map(|long| format!("--{long}\\fR")),
                    arg.get_env().map(|variable| format!(".TP\n\\fB{}\\fR\nthe same as", variable.to_str().unwrap())),
                ];
                let help = arg.get_long_help().or(arg.get_help()).unwrap().to_string();
                let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                let start: String = words(&help).chars().take(60).collect();
                assert!(words(&page).contains(&start), "the page of {title} lacks {start}: {page}");
                for name in names.into_iter().flatten() {
                    assert!(page.contains(&name), "the page of {title} lacks {name}: {page}");
                }
            }
        }
    }

    #[test]
    fn exit_codes_belong_to_commands() {
        let program = args::command();
        for name in EXIT_CODES.iter().flat_map(|(names, ..)| *names).filter(|name| !name.is_empty()) {
            assert!(program.find_subcommand(name).is_some(), "{name}");
        }
        assert!(page(Some("serve")).contains("\\fB3\\fR\nno port could be bound"));
        assert!(page(Some("status")).contains("\\fB4\\fR\nno server was found"));
    }
}
