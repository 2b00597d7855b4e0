//! What the tests need that is not written in Rust: interpreters, browsers, compilers and programs of other projects.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::report::{Report, Tally};
use crate::{avahi, chromium, cplusplus, micropython, mono, nats, node, python, webkit};

/// The Python interpreter.
pub(crate) const PYTHON: &str = "HALLOO_TEST_PYTHON";
/// The directory with the library `ws` for Node.js.
pub(crate) const NODE_MODULES: &str = "HALLOO_TEST_NODE_MODULES";
/// The Chromium in which the pages are tested.
pub(crate) const CHROMIUM: &str = "HALLOO_TEST_CHROMIUM";

/// One of them, which is prepared in a step of its own.
struct Environment {
    name: &'static str,
    remedy: &'static str,
    /// The variable that tells the tests where it is; unset if there is none.
    variable: &'static str,
    /// Fetches it if it is missing, with the help of those before it.
    prepare: fn(&Path, &Environments) -> Result<Option<PathBuf>>,
}

const ALL: [Environment; 13] = [
    Environment {
        name: "Python environment",
        remedy: "install python3 with venv, or delete target/python and try again",
        variable: PYTHON,
        prepare: |root, _| python::prepare(root),
    },
    Environment {
        name: "MicroPython",
        remedy: "check the network connection, or delete target/micropython and try again",
        variable: "HALLOO_TEST_MICROPYTHON",
        prepare: |root, environments| micropython::prepare(root, environments.get(PYTHON)),
    },
    Environment {
        name: "Node.js environment",
        remedy: "install Node.js with npm, or delete target/node and try again",
        variable: NODE_MODULES,
        prepare: |root, _| node::prepare(root),
    },
    Environment {
        name: "Chromium",
        remedy: "set CHROMIUM to its program, or delete target/chromium and try again",
        variable: CHROMIUM,
        prepare: |root, _| chromium::prepare(root),
    },
    Environment {
        name: "Vite",
        remedy: "check the network connection, or delete target/vite and try again",
        variable: "HALLOO_TEST_VITE",
        prepare: |root, _| node::prepare_vite(root),
    },
    Environment {
        name: "Bun",
        remedy: "check the network connection, or delete target/bun and try again",
        variable: "HALLOO_TEST_BUN",
        prepare: |root, _| node::prepare_bun(root),
    },
    Environment {
        name: "Deno",
        remedy: "check the network connection, or delete target/deno and try again",
        variable: "HALLOO_TEST_DENO",
        prepare: |root, _| node::prepare_deno(root),
    },
    Environment {
        name: "tools for npm",
        remedy: "check the network connection, or delete target/npm-tools and try again",
        variable: "HALLOO_TEST_NPM_TOOLS",
        prepare: |root, _| node::prepare_npm_tools(root),
    },
    Environment {
        name: "WebKit",
        remedy: "check the network connection; elsewhere than on Debian, WebKit is not fetched",
        variable: "HALLOO_TEST_WEBKIT",
        prepare: |root, _| webkit::prepare(root),
    },
    Environment {
        name: "Avahi",
        remedy: "check the network connection and try again; elsewhere than on Debian, Avahi is not fetched",
        variable: "HALLOO_TEST_AVAHI",
        prepare: |root, _| avahi::prepare(root),
    },
    Environment {
        name: "C++ compiler",
        remedy: "install g++ or clang++",
        variable: "HALLOO_TEST_CPLUSPLUS",
        prepare: |_, _| cplusplus::prepare(),
    },
    Environment {
        name: "Mono",
        remedy: "check the network connection; elsewhere than on Debian, Mono is not fetched",
        variable: "HALLOO_TEST_MONO",
        prepare: |root, _| mono::prepare(root),
    },
    Environment {
        name: "NATS",
        remedy: "check the network connection, or delete target/nats and try again",
        variable: "HALLOO_TEST_NATS",
        prepare: |root, environments| nats::prepare(root, environments.get(PYTHON)),
    },
];

/// Where they are, by their variables.
#[derive(Default)]
pub(crate) struct Environments {
    found: Vec<(&'static str, Option<PathBuf>)>,
}

impl Environments {
    /// Prepares all of them. One that is missing is a step that was skipped, or that failed in a CI service.
    pub(crate) fn prepare(root: &Path, report: &mut Report) -> Result<Environments> {
        let mut environments = Environments::default();
        for Environment { name, remedy, variable, prepare } in &ALL {
            let mut found = None;
            report.step(name, remedy, || {
                found = prepare(root, &environments)?;
                Ok(found.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
            })?;
            environments.found.push((variable, found));
        }
        Ok(environments)
    }

    pub(crate) fn get(&self, variable: &str) -> Option<&Path> {
        self.found.iter().find(|(name, _)| *name == variable)?.1.as_deref()
    }

    /// Tells the tests that `command` runs where they are.
    pub(crate) fn set(&self, command: &mut Command) {
        for (variable, path) in &self.found {
            match path {
                Some(path) => command.env(variable, path),
                None => command.env_remove(variable),
            };
        }
    }
}
