//! `cargo xtask package --test`: installs each package into an empty directory, and uses the program from there.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::packer::{Packer, VERSION};
use super::target::Target;
use super::{archive, deb, files, lintian, npm, target};
use crate::command::{run as run_command, succeeds};

pub(super) fn run(packer: &Packer<'_>) -> Result<()> {
    let Some(host) = packer.programs.iter().map(|program| program.target).find(|target| target.is_host()) else {
        println!("SKIPPED: no package is for this machine, so none was installed");
        return Ok(());
    };
    let directory = packer.directory.join("installed");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    let empty = |name: &str| -> Result<PathBuf> {
        let path = directory.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    };
    use_program("archive", &unpack(packer, host, &empty("archive")?)?)?;
    match host.debian {
        Some(architecture) if succeeds(Command::new("dpkg-deb").arg("--version")) => {
            let package = packer.directory.join(deb::name(architecture));
            use_program("Debian package", &install_deb(&package, &empty("deb")?)?)?;
        }
        _ => println!("SKIPPED: no dpkg-deb, so the Debian package was not installed"),
    }
    if succeeds(Command::new("npm").arg("--version")) {
        use_program("npm package", &install_npm(packer, host, &empty("npm")?)?)?;
    } else {
        println!("SKIPPED: no npm, so the npm packages were not installed");
    }
    // The Python packages were tested when they were built.
    if succeeds(Command::new("sha256sum").arg("--version")) {
        run_command(Command::new("sha256sum").current_dir(&packer.directory).args([
            "--quiet",
            "--check",
            "SHA256SUMS",
        ]))?;
    }
    Ok(())
}

/// Examines the Debian packages with lintian.
pub(super) fn examine_deb(packer: &Packer<'_>) -> Result<()> {
    for name in files::names(&packer.directory)?.iter().filter(|name| name.ends_with(".deb")) {
        lintian::examine(packer.root, &packer.directory.join(name))?;
    }
    Ok(())
}

fn unpack(packer: &Packer<'_>, host: &Target, directory: &Path) -> Result<PathBuf> {
    let archive = packer.directory.join(archive::name(host));
    // The one of Windows reads .zip too.
    run_command(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(directory))?;
    Ok(directory.join(format!("halloo-{VERSION}-{}", host.triple)).join(target::executable(host)))
}

/// Unpacks the package, and examines its units if systemd is installed.
fn install_deb(package: &Path, directory: &Path) -> Result<PathBuf> {
    run_command(Command::new("dpkg-deb").arg("--extract").arg(package).arg(directory))?;
    run_command(Command::new("dpkg-deb").stdout(Stdio::null()).arg("--info").arg(package))?;
    let program = directory.join("usr/bin/halloo");
    if succeeds(Command::new("systemd-analyze").arg("--version")) {
        verify_units(directory, &program)?;
    } else {
        println!("SKIPPED: systemd-analyze is not installed, so the units were not examined");
    }
    Ok(program)
}

/// Verifies copies of the units that start the unpacked program.
fn verify_units(directory: &Path, program: &Path) -> Result<()> {
    let units = directory.join("units");
    fs::create_dir(&units)?;
    let names = ["halloo.service", "halloo.socket"];
    for name in names {
        let unit = fs::read_to_string(directory.join("usr/lib/systemd/system").join(name))?;
        fs::write(units.join(name), unit.replace("/usr/bin/halloo", &program.display().to_string()))?;
    }
    let mut verify = Command::new("systemd-analyze");
    let output = verify.args(["verify", "--man=no"]).args(names.map(|name| units.join(name))).output()?;
    // It only warns of keys that it does not know.
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = text.lines().filter(|line| line.contains("halloo")).collect();
    ensure!(output.status.success() && ours.is_empty(), "systemd-analyze finds: {text}");
    Ok(())
}

fn install_npm(packer: &Packer<'_>, host: &Target, directory: &Path) -> Result<PathBuf> {
    fs::write(directory.join("package.json"), "{\"private\":true}")?;
    let mut install = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    install.current_dir(directory).args(["install", "--offline", "--silent", "--no-audit", "--no-fund"]);
    for name in [npm::name(host), "halloo".into()] {
        install.arg(packer.directory.join(format!("{name}-{VERSION}.tgz")));
    }
    run_command(&mut install).context("cannot install the npm packages")?;
    let modules = directory.join("node_modules");
    let packed = modules.join(npm::name(host)).join("bin").join(target::executable(host));
    ensure!(packed.is_file(), "npm did not install {}", packed.display());
    Ok(modules.join(".bin").join(if cfg!(windows) { "halloo.cmd" } else { "halloo" }))
}

/// Runs a server with the program, and finds it.
fn use_program(name: &str, program: &Path) -> Result<()> {
    serve_and_discover(program).with_context(|| format!("the program of the {name} does not work"))?;
    println!("the program of the {name} serves, discovers and diagnoses");
    Ok(())
}

fn serve_and_discover(program: &Path) -> Result<()> {
    // Free for now; if not, the server uses the next one and says so.
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    // No other program of this name can be found.
    let halloo = |arguments: &[&str]| {
        let mut command = Command::new(program);
        command.env_remove("HALLOO_PROGRAM").args(arguments);
        command
    };
    let version = halloo(&["--version"]).output().with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(String::from_utf8_lossy(&version.stdout).contains(VERSION), "it has another version");
    let options = ["serve", "--json", "--bind", "127.0.0.1", "--port", "0", "--no-mdns", "--name", "packed"];
    let mut serve = halloo(&options);
    serve.args(["--exit-with-stdin", "--discovery-port", &port]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = serve.spawn()?;
    let mut input = server.stdin.take().context("a pipe")?;
    let mut output = BufReader::new(server.stdout.take().context("a pipe")?);
    let mut line = String::new();
    output.read_line(&mut line)?;
    let ready: Value = serde_json::from_str(&line).context("`halloo serve` did not start")?;
    let port = ready["discovery_port"].to_string();

    let options =
        ["discover", "--json", "--first", "--local", "--no-mdns", "--timeout", "20s", "--discovery-port", &port];
    let found = halloo(&options).output()?;
    let found: Value = serde_json::from_slice(&found.stdout).context("`halloo discover` found nothing")?;
    ensure!(found["name"] == "packed" && found["url"] == ready["urls"][0], "`halloo discover` found {found}");
    // Whether this machine is healthy does not matter.
    let diagnosis: Value = serde_json::from_slice(&halloo(&["doctor", "--json"]).output()?.stdout)?;
    ensure!(diagnosis["findings"].is_array(), "`halloo doctor` printed {diagnosis}");

    input.write_all(b"{\"cmd\":\"stop\"}\n")?;
    let status = server.wait()?;
    ensure!(status.success(), "`halloo serve` ended with {status}");
    Ok(())
}
