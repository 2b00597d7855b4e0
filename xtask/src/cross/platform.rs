//! How cargo builds for a platform, and how it runs what it built.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use super::host::{directory, path_with};
use super::standard_library::StandardLibrary;
use crate::command::cargo;
use crate::debian::output;

/// A platform that this machine builds for.
pub(super) struct Platform {
    /// The name that rustc uses.
    pub(super) target: &'static str,
    /// Tests of what the emulator lacks, and the reasons.
    pub(super) not_emulated: &'static [(&'static str, &'static str)],
    variables: Vec<(OsString, OsString)>,
    flags: Vec<String>,
    /// A program, with its arguments, in which cargo runs the programs it built; empty if it needs none.
    within: Vec<OsString>,
    /// A program, with its argument, that ends what the programs left behind.
    end: Option<(PathBuf, &'static str)>,
}

impl Platform {
    pub(super) fn new(target: &'static str, library: StandardLibrary) -> Platform {
        let mut platform = Platform {
            target,
            not_emulated: &[],
            variables: Vec::new(),
            flags: Vec::new(),
            within: Vec::new(),
            end: None,
        };
        if let Some(rustc) = library.rustc {
            platform.set("RUSTC", rustc);
        }
        if let Some(sysroot) = library.sysroot {
            let flag = format!("--sysroot={}", sysroot.display());
            platform.set("RUSTDOCFLAGS", &flag);
            platform.add_flag(&flag);
        }
        platform
    }

    /// Returns an error unless programs can be run within the command for them.
    pub(super) fn check(&self) -> Result<()> {
        let Some((program, arguments)) = self.within.split_first() else { return Ok(()) };
        let mut command = Command::new(program);
        command.args(arguments).arg("true");
        output(command.envs(self.variables.iter().map(|(variable, value)| (variable, value)))).map(drop)
    }

    /// Adds a flag for rustc.
    pub(super) fn add_flag(&mut self, flag: &str) {
        self.flags.push(flag.to_owned());
        self.set_of_target("RUSTFLAGS", self.flags.join(" "));
    }

    /// Sets a variable for cargo and what it starts.
    pub(super) fn set(&mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.variables.push((variable.as_ref().to_owned(), value.as_ref().to_owned()));
    }

    /// Sets one of the variables of cargo for this target, such as `LINKER`.
    pub(super) fn set_of_target(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.set(format!("CARGO_TARGET_{}_{name}", self.target.to_uppercase().replace('-', "_")), value);
    }

    /// Searches for programs in `directory` first.
    pub(super) fn add_programs(&mut self, directory: &Path) {
        self.set("PATH", path_with(directory));
    }

    /// Runs programs of this platform inside of this command.
    pub(super) fn run_within(&mut self, command: &[&OsStr]) {
        self.within = command.iter().map(|&word| word.to_owned()).collect();
    }

    /// Runs this command when the platform is no longer used.
    pub(super) fn end_with(&mut self, program: PathBuf, argument: &'static str) {
        self.end = Some((program, argument));
    }

    /// Returns a cargo that builds for this platform.
    pub(super) fn build(&self, root: &Path, arguments: &str) -> Command {
        self.with_target(cargo(root, arguments), root)
    }

    /// Returns a cargo that also runs programs of this platform.
    pub(super) fn run(&self, root: &Path, arguments: &str) -> Command {
        let inner = cargo(root, arguments);
        let Some((program, first)) = self.within.split_first() else { return self.with_target(inner, root) };
        let mut command = Command::new(program);
        command.current_dir(root).args(first).arg(inner.get_program()).args(inner.get_args());
        self.with_target(command, root)
    }

    fn with_target(&self, mut command: Command, root: &Path) -> Command {
        command.envs(self.variables.iter().map(|(variable, value)| (variable, value)));
        command.env("CARGO_BUILD_TARGET", self.target).env("CARGO_TARGET_DIR", directory(root).join("build"));
        command
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if let Some((program, argument)) = &self.end {
            let mut command = Command::new(program);
            command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null());
            // It fails if nothing was left behind.
            let _ = command.envs(self.variables.iter().map(|(variable, value)| (variable, value))).status();
        }
    }
}
