// The examples run as they are; `servers.js` searches on this machine only.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "halloo";
import { Fixture, within } from "../test-support/fixture.js";

const pathOf = name => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));

// A program that runs, and the lines that it prints.
class Example {
  #lines;

  constructor(context, path, ...args) {
    this.process = spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "ignore"] });
    this.ended = new Promise(resolve => this.process.on("exit", resolve));
    this.#lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    context.after(async () => {
      this.process.kill("SIGKILL");
      await this.ended;
    });
  }

  async line() { return (await within(this.#lines.next(), "a line")).value; }
}

test("chat.js sends lines and prints those of others", async context => {
  const fixture = await Fixture.start(context, connect), server = await fixture.serve("den", "--relay");
  const [one, other] = [1, 2].map(() => new Example(context, pathOf("chat.js"), server.url));
  for (let joined = 0; joined < 2; joined++) await server.event("client_joined");
  one.process.stdin.write("good evening\n");
  assert.equal(await other.line(), "good evening");
  one.process.stdin.end();
  assert.equal(await within(one.ended, "the end of the example"), 0);
});

test("sensor.js sends readings", async context => {
  const fixture = await Fixture.start(context, connect), server = await fixture.serve();
  new Example(context, pathOf("sensor.js"), server.url);
  const { load, skipped } = JSON.parse((await server.event("message")).text);
  assert.equal(typeof load, "number");
  assert.equal(skipped, 0);
});

test("servers.js prints the servers", async context => {
  const fixture = await Fixture.start(context, connect), directory = mkdtempSync(join(tmpdir(), "halloo-example-"));
  context.after(() => rmSync(directory, { recursive: true }));
  const index = new URL("../src/index.js", import.meta.url), path = join(directory, "servers.mjs");
  const source = readFileSync(pathOf("servers.js"), "utf8").replace("browse()", `browse(${JSON.stringify(fixture.search)})`);
  writeFileSync(path, source.replace('"halloo"', JSON.stringify(index)));
  const example = new Example(context, path), server = await fixture.serve();
  // A beacon, which may come first, says less than a reply.
  const line = await example.line();
  assert.ok(line.startsWith(`found den ${server.url} `), line);
});
