//! The C++ compiler of the system, for the tests of the library for Arduino.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::ci::or_skip;
use crate::command::succeeds;

const COMPILER: &str = "c++";

/// Returns the compiler; `None` if there is none, which is an error in a CI service.
pub(crate) fn prepare() -> Result<Option<PathBuf>> {
    let found = succeeds(Command::new(COMPILER).arg("--version")).then(|| PathBuf::from(COMPILER));
    let found = found.ok_or_else(|| anyhow!("`{COMPILER}` does not start; install a C++ compiler, such as g++"));
    or_skip(found, |error| format!("no C++ compiler, so the library for Arduino was not tested: {error:#}"))
}
