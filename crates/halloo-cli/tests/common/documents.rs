//! The commands and programs in documents, and a network in which tests run them literally.

use std::path::{Path, PathBuf};
use std::process::Command;

use halloo_test_support::{python, wait_until};

use super::run;

/// Shell commands that make a network with the address 192.168.77.1, which others could reach.
pub(crate) const NETWORK: &str = "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
     ip link add near type veth peer name far; ip link set near up; ip link set far up
     ip addr add 192.168.77.1/24 dev near; ip route add default dev near";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap().replace("\r\n", "\n")
}

/// Returns the code blocks of a document in a language, also those in a list.
pub(crate) fn code(document: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == format!("```{language}") {
            let indent = line.len() - line.trim_start().len();
            let block = lines.by_ref().take_while(|line| line.trim_start() != "```");
            blocks.push(block.flat_map(|line| [line.get(indent..).unwrap_or(""), "\n"]).collect());
        }
    }
    blocks
}

/// Returns a command that a shell runs in `directory`, which finds this program as `halloo`, and the Python of the tests with
/// the package in `clients/python`.
pub(crate) fn shell_command(command: &str, directory: &Path) -> Option<Command> {
    let interpreter = PathBuf::from(python("")?.get_program());
    let program = Path::new(env!("CARGO_BIN_EXE_halloo"));
    let mut path = vec![program.parent().unwrap().to_owned(), interpreter.parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("exec {command}")])
        .current_dir(directory)
        .env("PATH", std::env::join_paths(path).unwrap());
    shell.env("PYTHONPATH", root().join("clients/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(shell)
}

/// Waits until a server replies to a search.
pub(crate) fn wait_for_server() {
    wait_until(|| run(&["discover", "--first"]).status.success());
}
