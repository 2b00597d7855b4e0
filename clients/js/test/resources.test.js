// Nothing is left behind: no socket, no timer, and a process that ends without being told.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "halloo";
import { Fixture, within } from "../test-support/fixture.js";

const LEFT = /^(TCP|TLS|UDP|Timeout|Immediate)/;

// Runs a script in a process of its own, and resolves to what it prints when it has ended.
async function run(script, ...args) {
  const program = process.versions.deno ? ["run", "-A"] : [];
  const child = spawn(process.execPath, [...program, fileURLToPath(new URL(script, import.meta.url)), ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", text => { output += text; });
  const ended = new Promise(resolve => child.on("close", resolve));
  try {
    assert.equal(await within(ended, "the end of the process"), 0);
  } finally {
    child.kill("SIGKILL");
  }
  return output;
}

test("1,000 connections, searches and browsers leave no socket and no timer, and the process ends", async context => {
  const fixture = await Fixture.start(context, connect), server = await fixture.serve("den");
  const report = JSON.parse(await run("../test-support/cycles.js", fixture.discoveryPort, server.url));
  assert.deepEqual(report.left.filter(kind => LEFT.test(kind)), []);
  assert.equal(report.opened, 1000);
});
