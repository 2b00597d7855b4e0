//! Completion of the names of servers in a shell.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Command;

use common::{JsonServer, run, stdout};
use halloo_test_support::unused_discovery_port;

/// Returns the completions of the last of `words` in Bash, one per line.
fn complete_in_bash(words: &[&str], discovery_port: u16) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    let script = format!(
        "{}\nhalloo() {{ {} \"$@\" --local --no-mdns; }}\nCOMP_WORDS=({}); COMP_CWORD={}\n\
         _halloo_servers halloo \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        stdout(&run(&["completions", "bash"])),
        env!("CARGO_BIN_EXE_halloo"),
        quoted.join(" "),
        words.len() - 1
    );
    let mut bash = Command::new("bash");
    let output = bash.args(["--norc", "-c", &script]).env("HALLOO_DISCOVERY_PORT", discovery_port.to_string()).output();
    let output = output.unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    stdout(&output).lines().map(str::to_owned).collect()
}

#[test]
fn names_of_servers_are_completed_and_quoted_in_bash() {
    if Command::new("bash").arg("--version").output().is_err() {
        eprintln!("SKIPPED: bash is not installed");
        return;
    }
    let port = unused_discovery_port();
    let names = ["Living room", "Lab", "a $(touch pwned) `b` \"c\" 'd'"];
    let _servers = names.map(|name| JsonServer::start_announced(port, &["--name", name]));
    let complete = |words: &[&str]| complete_in_bash(words, port);
    let [hostile] = &complete(&["halloo", "connect", "a"])[..] else { panic!() };
    // The shell reads it as the name, and runs nothing.
    let read_back = Command::new("bash").args(["-c", &format!("printf %s {hostile}")]).output().unwrap();
    assert_eq!(stdout(&read_back), names[2]);
    for command in ["connect", "status"] {
        assert_eq!(complete(&["halloo", command, "L"]), ["Lab", r"Living\ room"]);
    }
    assert_eq!(complete(&["halloo", "-v", "connect", "--once", "Li"]), [r"Living\ room"]);
    assert_eq!(complete(&["halloo", "connect", r"Living\ r"]), [r"Living\ room"]);
    assert_eq!(complete(&["halloo", "connect", "\"Li"]), ["Living room"]);
    assert_eq!(complete(&["halloo", "connect", "'Li"]), ["Living room"]);
    assert_eq!(complete(&["halloo", "connect", "--onc"]), ["--once"]);
    assert_eq!(complete(&["halloo", "connect", "--token", "Living"]), [""], "a value is no name");
    assert_eq!(complete(&["halloo", "discover", "L"]), [""]);
}

#[test]
fn scripts_of_other_shells_ask_for_names() {
    for (shell, count) in [("zsh", 1), ("fish", 2)] {
        let script = stdout(&run(&["completions", shell]));
        assert_eq!(script.matches("halloo discover --names").count(), count, "{script}");
    }
    assert_eq!(stdout(&run(&["completions", "zsh"])).matches(":_halloo_servers'").count(), 2);
}
