//! `halloo completions`: the scripts of clap, in which `connect` and `status` complete the names of servers.
//!
//! The names come from `halloo discover --names`, so from the network: a script must quote them, and never evaluate them.

use std::io::{self, Write};

use clap_complete::Shell;

/// Offers the names for a word that is no option and no value of one. Within quotes, only names that need no escaping there.
const BASH: &str = r#"
_halloo_servers() {
    _halloo "$@"
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= word name reply
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* ]] || { command=$word; break; }
    done
    [[ $command == connect || $command == status ]] && [[ $cur != -* && $previous != @(VALUE_OPTIONS) ]] || return 0
    local -a servers=()
    while IFS= read -r name; do
        case $cur in
            \"*) [[ $name == *[\\\"\$\`\!]* ]] || [[ \"$name != "$cur"* ]] || servers+=("$name") ;;
            \'*) [[ $name == *\'* ]] || [[ \'$name != "$cur"* ]] || servers+=("$name") ;;
            *)
                printf -v reply %q "$name"
                [[ $reply != "$cur"* ]] || servers+=("$reply")
                ;;
        esac
    done < <(halloo discover --names 2>/dev/null)
    [[ ${#servers[@]} -eq 0 ]] || COMPREPLY=("${servers[@]}")
}
complete -F _halloo_servers -o bashdefault -o default halloo
"#;

const ZSH: &str = r#"_halloo_servers() {
    local -a servers=(${(f)"$(halloo discover --names 2>/dev/null)"})
    compadd -a servers
}

"#;

const FISH: &str = r#"complete -c halloo -n "__fish_halloo_using_subcommand connect" -f -a "(halloo discover --names 2>/dev/null)"
complete -c halloo -n "__fish_halloo_using_subcommand status" -f -a "(halloo discover --names 2>/dev/null)"
"#;

/// Writes the script for `shell`.
pub(crate) fn write(shell: Shell, command: &mut clap::Command, out: &mut impl Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "halloo", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script += &BASH.replace("VALUE_OPTIONS", &options_with_values(command).join("|")),
        Shell::Fish => script += FISH,
        Shell::Zsh => {
            let is_server = |line: &str| ["'::target -- ", "'::server -- "].iter().any(|start| line.starts_with(start));
            let complete = |line| match is_server(line) {
                true => format!("{}\n", line.replace(":_default'", ":_halloo_servers'")),
                false => format!("{line}\n"),
            };
            script = script.lines().map(complete).collect();
            // Before the line that runs the completion.
            script = script.replacen("\n_halloo() {", &format!("\n{ZSH}_halloo() {{"), 1);
        }
        _ => {}
    }
    out.write_all(script.as_bytes())
}

/// Returns the options of `connect` and `status` that take a value.
fn options_with_values(command: &clap::Command) -> Vec<String> {
    let commands = command.get_subcommands().filter(|command| ["connect", "status"].contains(&command.get_name()));
    let arguments = commands.flat_map(clap::Command::get_arguments);
    let arguments = arguments.filter(|argument| argument.get_num_args().is_some_and(|number| number.takes_values()));
    arguments.filter_map(|argument| argument.get_long()).map(|long| format!("--{long}")).collect()
}
