#!/usr/bin/env node
// Runs the program halloo: that of the package for this platform, else the one on the PATH.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const name = process.platform === "win32" ? "halloo.exe" : "halloo";
const require = createRequire(import.meta.url);
const platform = `${process.platform}-${process.arch}`;
// npm installs the one for this machine. A program linked with musl needs no other library.
const packages = [`halloo-${platform}`, `halloo-${platform}-musl`];

function find() {
  for (const packaged of packages) {
    try {
      return require.resolve(`${packaged}/bin/${name}`);
    } catch {
      // The next one, if it is installed.
    }
  }
  // npm links this script as `halloo`, which may be on the PATH as well.
  const own = fileURLToPath(import.meta.url), paths = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  const isOther = path => existsSync(path) && realpathSync(path) !== realpathSync(own);
  return paths.map(path => join(path, name)).find(isOther);
}

/** The C library that the program needs, if that of this machine is older; the system then says so in its own words only. */
function missingLibrary(program) {
  let needed;
  try {
    needed = JSON.parse(readFileSync(join(dirname(program), "../package.json"), "utf8")).halloo?.glibc;
  } catch {
    return undefined;
  }
  const found = process.report?.getReport().header.glibcVersionRuntime;
  const minor = version => Number(version.split(".")[1]);
  return needed && found && minor(found) < minor(needed) ? { needed, found } : undefined;
}

const program = find();
if (program === undefined) {
  console.error(`halloo: there is no program for this machine (${platform}): npm installed none of ${packages.join(", ")}, and there `
    + "is none on the PATH; install with optional dependencies, or build it in the repository of halloo with "
    + "`cargo install --path crates/halloo-cli`");
  process.exit(127);
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", error => {
  console.error(`halloo: cannot start ${program}: ${error.message}; install the program again`);
  process.exitCode = 126;
});
child.on("exit", (code, signal) => {
  const library = code === 1 ? missingLibrary(program) : undefined;
  if (library !== undefined) {
    console.error(`halloo: the program needs glibc ${library.needed} or newer, and this machine has ${library.found}; update the `
      + `system, or put a halloo that was built on it on the PATH and remove the package ${packages[0]}`);
  }
  if (signal === null) process.exitCode = code;
  else {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
});
