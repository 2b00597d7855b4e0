//! Programs in other languages, in the environments that `cargo xtask test` prepares.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{ChildProcess, RemoteHost};

/// Returns a command that runs `tests/python/SCRIPT`, or `None` with a note if there is no interpreter.
pub fn python(script: &str) -> Option<Command> {
    let mut command = Command::new(prepared("HALLOO_TEST_PYTHON")?);
    command.arg(tests().join("python").join(script));
    Some(command)
}

/// Returns a command that runs the tests of the client in `clients/python` in the file `MODULE.py`, or `None` with a note if
/// there is no interpreter.
pub fn python_client_tests(module: &str) -> Option<Command> {
    let mut command = Command::new(prepared("HALLOO_TEST_PYTHON")?);
    let client = tests().join("../clients/python");
    command.current_dir(client.join("tests")).env("PYTHONPATH", client).env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["-X", "dev", "-W", "error::ResourceWarning", "-m", "unittest", "-v", module]);
    Some(command)
}

/// Returns a command that runs the tests of the client for MicroPython that use a server, or `None` with a note if MicroPython or
/// the interpreter is missing.
pub fn micropython_client_tests() -> Option<Command> {
    let micropython = prepared("HALLOO_TEST_MICROPYTHON")?;
    let mut command = Command::new(prepared("HALLOO_TEST_PYTHON")?);
    command.current_dir(tests().join("../clients/micropython/tests")).env("HALLOO_TEST_MICROPYTHON", micropython);
    command.env("PYTHONDONTWRITEBYTECODE", "1").args(["-W", "error::ResourceWarning"]);
    command.args(["-m", "unittest", "-v", "test_serve"]);
    Some(command)
}

/// Returns a command that runs `clients/micropython/SCRIPT` in MicroPython, or `None` as above.
pub fn micropython(script: &str) -> Option<Command> {
    let micropython = prepared("HALLOO_TEST_MICROPYTHON")?;
    let client = tests().join("../clients/micropython");
    let mut command = Command::new(prepared("HALLOO_TEST_PYTHON")?);
    command.env("PYTHONPATH", micropython).env("MICROPYPATH", &client);
    command.args(["-m", "micropython_unix"]).arg(client.join(script));
    Some(command)
}

/// Compiles `clients/arduino/tests/SOURCE` for this machine to `program`, with warnings as errors and with sanitizers, and
/// returns a command that runs it, or `None` with a note if there is no compiler. `options` are further ones of the compiler.
pub fn arduino_program(source: &str, options: &[&str], program: &Path) -> Option<Command> {
    let mut compiler = Command::new(prepared("HALLOO_TEST_CPLUSPLUS")?);
    compiler.current_dir(tests().join("../clients/arduino")).arg("-o").arg(program);
    compiler.args(["-std=c++11", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fno-exceptions", "-fno-rtti"]);
    compiler.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Isrc", "-Itests/stubs"]);
    let output = compiler.args(options).arg(format!("tests/{source}")).output().expect("the compiler starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(Command::new(program))
}

/// Compiles the client in `clients/csharp` together with `Tests~/SOURCE` to `program`, and returns a command that runs it with
/// Mono, or `None` with a note if there is no Mono. `options` are further ones of the compiler.
pub fn csharp_program(source: &str, options: &[&str], program: &Path) -> Option<Command> {
    let mono = prepared("HALLOO_TEST_MONO")?;
    let mut compiler = Command::new(&mono);
    compiler.current_dir(tests().join("../clients/csharp")).arg("mcs");
    compiler.args(["-langversion:latest", "-warnaserror", "-r:System.Core.dll", "-recurse:Runtime/*.cs"]);
    compiler.arg(format!("-out:{}", program.display())).args(options);
    compiler.args(["Tests~/TestProcess.cs".to_owned(), format!("Tests~/{source}")]);
    let output = compiler.output().expect("the compiler starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut command = Command::new(mono);
    command.arg(program);
    Some(command)
}

/// Returns a command that runs the tests of the client in `clients/js` in these files on Node.js, or `None` with a note if its
/// packages are not installed.
pub fn js_client_tests(files: &[&str]) -> Option<Command> {
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=tap"]);
    in_js_client(command, files)
}

/// The same on Bun.
pub fn js_client_tests_on_bun(files: &[&str]) -> Option<Command> {
    let mut command = Command::new(prepared("HALLOO_TEST_BUN")?);
    command.arg("test");
    in_js_client(command, files)
}

/// The same on Deno, which keeps its cache in `cache`.
pub fn js_client_tests_on_deno(files: &[&str], cache: &Path) -> Option<Command> {
    let mut command = Command::new(prepared("HALLOO_TEST_DENO")?);
    command.args(["test", "--allow-all", "--no-check", "--no-lock"]);
    command.envs([("NO_COLOR", "1"), ("DENO_NO_UPDATE_CHECK", "1")]).env("DENO_DIR", cache);
    in_js_client(command, files)
}

/// Returns the directory of the programs that examine the npm package, or `None` with a note if they are not installed.
pub fn npm_tools() -> Option<OsString> {
    prepared("HALLOO_TEST_NPM_TOOLS")
}

fn in_js_client(mut command: Command, files: &[&str]) -> Option<Command> {
    command.env("NODE_MODULES", prepared("HALLOO_TEST_NODE_MODULES")?);
    command.current_dir(tests().join("../clients/js")).args(files.iter().map(|file| format!("./test/{file}.test.js")));
    Some(command)
}

/// Returns a command that runs `tests/node/SCRIPT`, or `None` with a note if its packages are not installed.
pub fn node(script: &str) -> Option<Command> {
    let modules = prepared("HALLOO_TEST_NODE_MODULES")?;
    let mut command = Command::new("node");
    command.arg(tests().join("node").join(script)).env("NODE_MODULES", modules);
    Some(command)
}

/// Returns a command as [`node`], for a script that uses the page in Chromium, or `None` with a note if that is missing too.
pub fn browser(script: &str) -> Option<Command> {
    let chromium = prepared("HALLOO_TEST_CHROMIUM")?;
    let mut command = node(script)?;
    command.env("CHROMIUM", chromium);
    Some(command)
}

/// Returns a command as [`browser`], for a script that also builds a page with Vite, or `None` with a note if that is missing.
pub fn vite(script: &str) -> Option<Command> {
    let vite = prepared("HALLOO_TEST_VITE")?;
    let mut command = browser(script)?;
    command.env("VITE", vite);
    Some(command)
}

/// Returns a command as [`node`], for a script that uses pages in WebKit, or `None` with a note if that is missing too.
pub fn webkit(script: &str) -> Option<Command> {
    let webkit = prepared("HALLOO_TEST_WEBKIT")?;
    let mut command = node(script)?;
    command.env("WEBKIT", webkit);
    Some(command)
}

/// Starts Avahi on `host` and then one of its programs, such as `avahi-browse`. The daemon ends with the program. `None` with
/// a note if Avahi was not fetched.
pub fn avahi(host: &RemoteHost, reflects: bool, arguments: &[&str]) -> Option<ChildProcess> {
    let launcher = prepared("HALLOO_TEST_AVAHI")?;
    let mut command = host.command("unshare");
    command.args(["-m", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"]);
    command.arg(tests().join("avahi").join("host.sh")).arg(launcher).arg(if reflects { "yes" } else { "no" });
    let mut process = ChildProcess::start(command.args(arguments));
    while process.next_line() != "ready" {}
    Some(process)
}

/// Returns whether Avahi was fetched, with a note if not.
pub fn has_avahi() -> bool {
    prepared("HALLOO_TEST_AVAHI").is_some()
}

pub(crate) fn prepared(variable: &str) -> Option<OsString> {
    let value = std::env::var_os(variable);
    if value.is_none() {
        eprintln!("SKIPPED: {variable} is not set; `cargo xtask test` sets it");
    }
    value
}

/// The directory of the programs, at the root of the workspace.
fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}
