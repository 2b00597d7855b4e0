#!/usr/bin/env node
// Runs the program halloo: that of the package for this platform, else the one on the PATH.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const name = process.platform === "win32" ? "halloo.exe" : "halloo";
const packaged = `halloo-${process.platform}-${process.arch}`;

function find() {
  try {
    return createRequire(import.meta.url).resolve(`${packaged}/bin/${name}`);
  } catch {
    // npm links this script as `halloo`, which may be on the PATH as well.
    const own = fileURLToPath(import.meta.url), paths = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
    const isOther = path => existsSync(path) && realpathSync(path) !== realpathSync(own);
    return paths.map(path => join(path, name)).find(isOther);
  }
}

const program = find();
if (program === undefined) {
  console.error(`halloo: the program is neither in the npm package ${packaged} nor on the PATH; in the repository of halloo, `
    + "`cargo install --path crates/halloo-cli` installs it");
  process.exit(127);
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", error => {
  console.error(`halloo: cannot start ${program}: ${error.message}; install the program again`);
  process.exitCode = 126;
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exitCode = code;
  else {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
});
