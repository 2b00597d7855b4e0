//! `cargo xtask autobahn`: the Autobahn suite against an echo server of the library, judged strictly.
//!
//! The suite is a Python 2 program. It comes as a container where there is Docker, else from the package registry into
//! `target/autobahn` for a Python 2.7 that is there.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::command::{cargo, run as run_command, succeeds};

const SUITE: &str = "autobahntestsuite==25.10.1";
const IMAGE: &str = "crossbario/autobahn-testsuite:25.10.1";
/// Starts the suite from a directory that pip filled: its packages need their `.pth` files.
const START: &str =
    "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite import wstest; wstest.run()";

/// What the suite says about one case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    behavior: String,
    behavior_close: String,
}

impl Outcome {
    /// INFORMATIONAL is said of cases that the suite itself does not judge.
    fn is_strict(&self) -> bool {
        [&self.behavior, &self.behavior_close].into_iter().all(|said| said == "OK" || said == "INFORMATIONAL")
    }
}

/// Runs the cases that match `cases`, such as `*` or `6.*`, and fails when one is not passed strictly.
pub(crate) fn run(root: &Path, cases: &str) -> Result<()> {
    let directory = root.join("target").join("autobahn");
    fs::create_dir_all(&directory)?;
    let Some(mut suite) = suite(&directory)? else {
        if std::env::var_os("CI").is_some_and(|value| value == "true") {
            bail!("neither Docker nor Python 2.7 is there to run the Autobahn suite");
        }
        println!("SKIPPED: without Docker or Python 2.7 (or PYTHON2, its program), the Autobahn suite was NOT run");
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
    judge(&fs::read_to_string(&index).context("the suite left no report")?)?;
    println!("the report: {}", directory.join("reports").join("index.html").display());
    Ok(())
}

/// The suite, ready to be given arguments; `None` when it cannot run here.
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
        run_command(&mut install).context("cannot install the suite; is there a network?")?;
    }
    let mut suite = Command::new(python);
    suite.current_dir(directory).args(["-c", START]).arg(packages);
    Ok(Some(suite))
}

/// Prints what was passed, group by group, and fails when anything was not.
fn judge(index: &str) -> Result<()> {
    let agents: BTreeMap<String, BTreeMap<String, Outcome>> = serde_json::from_str(index)?;
    let cases = agents.get("halloo").context("the report knows nothing of halloo")?;
    let mut groups: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    let mut failed = Vec::new();
    for (case, outcome) in cases {
        let group = case.split('.').next().and_then(|group| group.parse().ok()).unwrap_or_default();
        let (all, informational) = groups.entry(group).or_default();
        *all += 1;
        *informational += usize::from(outcome.behavior == "INFORMATIONAL");
        if !outcome.is_strict() {
            failed.push(format!("{case} ({}, its close {})", outcome.behavior, outcome.behavior_close));
        }
    }
    for (group, (all, informational)) in groups {
        println!("group {group:>2}: {all:>3} cases, {informational} of them only informational");
    }
    match (cases.len(), failed.len()) {
        (0, _) => bail!("no case was run"),
        (_, 0) => Ok(()),
        (all, count) => bail!("{count} of {all} cases are not passed strictly: {}", failed.join(", ")),
    }
}

/// The echo server, which ends with this value.
struct Server {
    child: Child,
}

impl Server {
    fn start(root: &Path) -> Result<Server> {
        let name = format!("autobahn{}", std::env::consts::EXE_SUFFIX);
        let program = root.join("target").join("release").join("examples").join(name);
        let child = Command::new(&program).arg("0").stdout(Stdio::piped()).spawn();
        Ok(Server { child: child.with_context(|| format!("cannot start {}", program.display()))? })
    }

    /// What the server prints first.
    fn url(&mut self) -> Result<String> {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().context("the server was asked twice")?).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that ended by itself has failed the suite already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn only_strict_results_pass() {
        let said = |behavior: &str, close: &str| {
            let case =
                format!(r#"{{"1.1.1": {{"behavior": "{behavior}", "behaviorClose": "{close}", "duration": 1}}}}"#);
            judge(&format!(r#"{{"halloo": {case}}}"#))
        };
        assert!(said("OK", "OK").is_ok());
        assert!(said("INFORMATIONAL", "INFORMATIONAL").is_ok());
        for other in ["NON-STRICT", "FAILED", "UNIMPLEMENTED", "WRONG CODE"] {
            assert!(said(other, "OK").is_err());
            assert!(said("OK", other).unwrap_err().to_string().contains("1.1.1"));
        }
        assert!(judge(r#"{"halloo": {}}"#).is_err());
    }
}
