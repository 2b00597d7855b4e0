//! `cargo xtask autobahn`: runs the Autobahn test suite against an echo server of the library and requires strict passes.
//!
//! The suite is a Python 2 program. It runs in its container if Docker is available; otherwise it is installed from the
//! package registry into `target/autobahn` for an installed Python 2.7.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::ci::is_ci;
use crate::command::{cargo, executable, run as run_command, succeeds};

const SUITE: &str = "autobahntestsuite==25.10.1";
const IMAGE: &str = "crossbario/autobahn-testsuite:25.10.1";
/// Starts the suite from a directory that pip installed it into: its packages need their `.pth` files.
const START: &str =
    "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite import wstest; wstest.run()";

/// The result of a case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    behavior: String,
    behavior_close: String,
}

impl Outcome {
    /// Returns whether the case passed strictly. `INFORMATIONAL` marks cases that the suite itself does not check_report.
    fn is_strict(&self) -> bool {
        [&self.behavior, &self.behavior_close].into_iter().all(|result| result == "OK" || result == "INFORMATIONAL")
    }
}

/// Runs the cases that match `cases`, such as `*` or `6.*`. Returns an error if one does not pass strictly.
pub(crate) fn run(root: &Path, cases: &str) -> Result<()> {
    let directory = root.join("target").join("autobahn");
    fs::create_dir_all(&directory)?;
    let Some(mut suite) = suite(&directory)? else {
        if is_ci() {
            bail!(
                "the Autobahn suite needs Docker or Python 2.7; install one of them, or set PYTHON2 to the interpreter"
            );
        }
        println!(
            "SKIPPED: the Autobahn suite needs Docker or Python 2.7; set PYTHON2 if the interpreter is not on the PATH"
        );
        return Ok(());
    };
    run_command(&mut cargo(root, "build --quiet --release --locked --package halloo --example autobahn"))?;
    let mut server = Server::start(root)?;
    let specification = json!({
        "outdir": "reports",
        "servers": [{ "agent": "halloo", "url": server.url()? }],
        "cases": [cases], "exclude-cases": [], "exclude-agent-cases": {},
    });
    fs::write(directory.join("specification.json"), specification.to_string())?;
    let index = directory.join("reports").join("index.json");
    if index.exists() {
        fs::remove_file(&index)?;
    }
    run_command(suite.args(["-m", "fuzzingclient", "-s", "specification.json"]))?;
    check_report(&fs::read_to_string(&index).context("the suite wrote no report")?)?;
    println!("report: {}", directory.join("reports").join("index.html").display());
    Ok(())
}

/// Returns a command that runs the suite, without its arguments; `None` if neither Docker nor Python 2.7 is available.
fn suite(directory: &Path) -> Result<Option<Command>> {
    if succeeds(Command::new("docker").arg("version")) {
        let mut suite = Command::new("docker");
        suite.args(["run", "--rm", "--network", "host", "--workdir", "/suite", "--volume"]);
        suite.arg(format!("{}:/suite", directory.display())).args([IMAGE, "wstest"]);
        return Ok(Some(suite));
    }
    let python = std::env::var_os("PYTHON2").unwrap_or_else(|| "python2.7".into());
    if !succeeds(Command::new(&python).args(["-m", "pip", "--version"])) {
        return Ok(None);
    }
    let packages = directory.join("python");
    if !packages.join("autobahntestsuite").exists() {
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--target"]).arg(&packages).arg(SUITE);
        run_command(&mut install).context("cannot install the suite; check the network connection")?;
    }
    let mut suite = Command::new(python);
    suite.current_dir(directory).args(["-c", START]).arg(packages);
    Ok(Some(suite))
}

/// Prints the results by group. Returns an error if a case did not pass strictly.
fn check_report(index: &str) -> Result<()> {
    let agents: BTreeMap<String, BTreeMap<String, Outcome>> = serde_json::from_str(index)?;
    let cases = agents.get("halloo").context("the report contains no results for halloo")?;
    let mut groups: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    let mut failed = Vec::new();
    for (case, outcome) in cases {
        let group = case.split('.').next().and_then(|group| group.parse().ok()).unwrap_or_default();
        let (all, informational) = groups.entry(group).or_default();
        *all += 1;
        *informational += usize::from(outcome.behavior == "INFORMATIONAL");
        if !outcome.is_strict() {
            failed.push(format!("{case} ({}, close: {})", outcome.behavior, outcome.behavior_close));
        }
    }
    for (group, (all, informational)) in groups {
        println!("group {group:>2}: {all:>3} cases, {informational} of them informational");
    }
    match (cases.len(), failed.len()) {
        (0, _) => bail!("no case matched"),
        (_, 0) => Ok(()),
        (all, count) => bail!("{count} of {all} cases did not pass strictly: {}", failed.join(", ")),
    }
}

/// The echo server, which is killed when this value is dropped.
struct Server {
    child: Child,
}

impl Server {
    fn start(root: &Path) -> Result<Server> {
        let program = root.join("target").join("release").join("examples").join(executable("autobahn"));
        let child = Command::new(&program).arg("0").stdout(Stdio::piped()).spawn();
        Ok(Server { child: child.with_context(|| format!("cannot start {}", program.display()))? })
    }

    /// Reads the URL, which is the first line that the server prints.
    fn url(&mut self) -> Result<String> {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().context("the URL was already read")?).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it has already ended, the suite has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::check_report;

    #[test]
    fn only_strict_results_pass() {
        let result = |behavior: &str, close: &str| {
            let case =
                format!(r#"{{"1.1.1": {{"behavior": "{behavior}", "behaviorClose": "{close}", "duration": 1}}}}"#);
            check_report(&format!(r#"{{"halloo": {case}}}"#))
        };
        assert!(result("OK", "OK").is_ok());
        assert!(result("INFORMATIONAL", "INFORMATIONAL").is_ok());
        for other in ["NON-STRICT", "FAILED", "UNIMPLEMENTED", "WRONG CODE"] {
            assert!(result(other, "OK").is_err());
            assert!(result("OK", other).unwrap_err().to_string().contains("1.1.1"));
        }
        assert!(check_report(r#"{"halloo": {}}"#).is_err());
    }
}
