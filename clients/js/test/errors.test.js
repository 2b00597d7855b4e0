// What goes wrong, and what the package says to do.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect, find } from "halloo";
import { Fixture, happens, PROGRAM, TOKEN, within } from "../test-support/fixture.js";

const start = context => Fixture.start(context, connect);

// Resolves to the reason for which a link gives up.
async function reasonOf(link) { return (await happens(link, "gaveup")).reason; }

test("no server has the name", async context => {
  const fixture = await start(context), { discoveryPort: port } = fixture;
  const nothing = `no server named "den" answered on UDP ${port}; try: npx halloo doctor`;
  await assert.rejects(find("den", { ...fixture.search, timeout: 200 }), { message: nothing });
  await fixture.serve("attic");
  const near = `no server named "den" answered on UDP ${port}; there is "attic"; try: npx halloo doctor`;
  assert.equal(await reasonOf(fixture.link("den", { attempts: 1 })), near);
  const retry = await happens(fixture.link("den\u001b[2J", { searchTimeout: 100 }), "retry");
  assert.ok(retry.reason.includes("den\\u{1b}[2J") && !retry.reason.includes("\u001b"), retry.reason);
});

test("no server at all", async context => {
  const fixture = await start(context), { reason } = await happens(fixture.link(undefined, { searchTimeout: 100 }), "retry");
  const advice = "start one with `npx halloo serve`, or try: npx halloo doctor";
  assert.equal(reason, `no server answered on UDP ${fixture.discoveryPort}; ${advice}`);
});

test("two servers have the name", async context => {
  const fixture = await start(context), servers = [await fixture.serve("den"), await fixture.serve("Den")];
  const { reason } = await happens(fixture.link("den"), "retry");
  assert.match(reason, /^"den" is the name of 2 servers: .*; use an id or an address$/);
  for (const { url } of servers) assert.ok(reason.includes(url), reason);
  // The advice works.
  const [, id] = /\(id (\w+)\)/.exec(reason);
  await fixture.connect(id);
  await assert.rejects(find("den", fixture.search), { message: /2 servers/ });
});

test("servers of two clusters have the name", async context => {
  const fixture = await start(context);
  for (const cluster of ["stage", "rehearsal"]) await fixture.serve("den", "--cluster-name", cluster);
  const { reason } = await happens(fixture.link("den"), "retry");
  assert.match(reason, /^"den" is the name of 2 servers: /);
});

test("a token is missing or wrong", async context => {
  const fixture = await start(context), server = await fixture.serve("den", "--token", TOKEN);
  const missing = await reasonOf(fixture.link("den"));
  assert.match(missing, /refused \(401\): .*; pass the token, or the invitation link that contains it$/s);
  const wrong = "another-otter-at-ten", reason = await reasonOf(fixture.link(server.url, { token: wrong }));
  assert.match(reason, /refused \(401\)/);
  assert.ok(!reason.includes(wrong));
});

test("a server that does not ask for the token is not the right one", async context => {
  const fixture = await start(context), server = await fixture.serve();
  assert.match(await reasonOf(fixture.link(server.url, { token: TOKEN })), /not the right one: it did not ask for a token/);
});

test("another certificate than the pinned one", async context => {
  const fixture = await start(context), server = await fixture.serve("den", "--tls"), fingerprint = "ab".repeat(32);
  const reason = await reasonOf(fixture.link(server.url, { fingerprint }));
  assert.match(reason, /its fingerprint is [\da-f]{64} instead of (ab){32}; if it has a new key, use the fingerprint/);
  // The advice works.
  const [, found] = /is ([\da-f]{64})/.exec(reason);
  await fixture.connect(server.url, { fingerprint: found });
});

test("a fingerprint leads to TLS, whatever the address says", async context => {
  const fixture = await start(context), server = await fixture.serve();
  // The next attempt would end in the same way.
  const reason = await reasonOf(fixture.link(server.url, { fingerprint: "ab".repeat(32) }));
  assert.match(reason, /^cannot connect to wss:.*check that the server uses TLS$/);
});

test("a certificate that is not trusted", async context => {
  const fixture = await start(context), server = await fixture.serve("den", "--tls");
  const reason = await reasonOf(fixture.link(server.url));
  assert.match(reason, /^the certificate of wss:.* is not trusted: [^;]+; it is for .*"127\.0\.0\.1"/);
  // The advice works.
  const [, fingerprint, fragment] = /pass fingerprint: "(.*)", or append (#fp=\w+) to the address$/.exec(reason);
  assert.equal(fingerprint, server.ready.fingerprint);
  await fixture.connect("den", { fingerprint });
  await fixture.connect(server.url + fragment);
});

test("a message that is too large ends the link on either side", async context => {
  const fixture = await start(context), server = await fixture.serve("den", "--max-message-bytes", "1000");
  const link = await fixture.connect("den"), gaveUp = happens(link, "gaveup");
  await server.event("client_joined");
  link.send("x".repeat(1001));
  const { code, reason } = await gaveUp;
  assert.equal(code, 1009);
  assert.match(reason, /1000/);
  const small = await fixture.connect("den", { maxMessageBytes: 100 }), end = happens(small, "gaveup");
  const { client } = await server.event("client_joined");
  server.command("send", { client, text: "x".repeat(101) });
  const { code: own, reason: why } = await end;
  assert.deepEqual([own, why], [1009, "the message is larger than the client's limit of 100 bytes"]);
});

test("the queue is bounded, and a closed link says so", async context => {
  const fixture = await start(context), link = fixture.link("den", { queue: { messages: 2, bytes: 100 } });
  assert.deepEqual([link.send("a"), link.send("b"), link.send("c")], ["queued", "queued", "full"]);
  assert.throws(() => link.send({ x: 1 }), { name: "TypeError", message: "send text or bytes" });
  link.close();
  assert.deepEqual([link.state, link.send("a")], ["closed", "closed"]);
});

test("a program that is no WebSocket server", async context => {
  const other = createServer(socket => socket.end("SSH-2.0-OpenSSH_9.6\r\n").on("error", () => {}));
  await new Promise(resolve => other.listen(0, "127.0.0.1", resolve));
  context.after(() => other.close());
  const fixture = await start(context), reason = await reasonOf(fixture.link(`ws://127.0.0.1:${other.address().port}`));
  assert.match(reason, /^no WebSocket server at ws:.*: it does not speak HTTP; check the address$/);
});

test("a signal ends a search, and a link", async context => {
  const fixture = await start(context), ended = new AbortController(), { signal } = ended;
  const listener = createSocket({ type: "udp4", reuseAddr: true }).bind(fixture.discoveryPort);
  context.after(() => listener.close());
  const probed = new Promise(resolve => listener.once("message", resolve)), link = fixture.link("den", { signal });
  const searching = find("den", { ...fixture.search, signal }), closed = happens(link, "close"), why = new Error("enough");
  await within(probed, "a probe");
  ended.abort(why);
  await assert.rejects(searching, why);
  await closed;
  assert.equal(link.state, "closed");
  assert.equal(connect("den", { signal }).state, "closed");
});

test("invalid targets and options are errors that say what to do, and contain no token", () => {
  const secret = "short-secret";
  for (const [target, options, message] of [
    ["ftp://den", {}, /use ws:\/\/ or wss:\/\//], ["ws://den:0", {}, /use a number from 1 to 65535/],
    [`ws://den/#token=${secret}`, {}, /copy it from the invitation link/], ["den", { token: secret }, /copy it from/],
    ["den", { room: "_staff" }, /choose another name/], ["den", { protocols: ["a\r\nb"] }, /use letters, digits and hyphens/],
    ["wss://den", { fingerprint: "ab" }, /copy the one that the server shows/],
  ]) {
    assert.throws(() => connect(target, options), error =>
      error instanceof TypeError && message.test(error.message) && !error.message.includes(secret), String(target));
  }
});

test("npx halloo runs the program, and says how to get it", context => {
  const directory = mkdtempSync(join(tmpdir(), "halloo-npm-"));
  context.after(() => rmSync(directory, { recursive: true }));
  const script = fileURLToPath(new URL("../bin/halloo.js", import.meta.url));
  const run = (path, from = script) =>
    spawnSync(process.execPath, [from, "--version"], { env: { PATH: path }, encoding: "utf8" });
  assert.match(run(join(PROGRAM, "..")).stdout, /^halloo \d/);
  const { status, stderr } = run(directory);
  assert.equal(status, 127);
  assert.match(stderr, new RegExp(`no program for this machine \\(${process.platform}-${process.arch}\\)`));
  assert.match(stderr, /none on the PATH; .* in the repository of halloo with `cargo install --path crates\/halloo-cli`/);
  // A package for the platform comes first.
  const name = `halloo-${process.platform}-${process.arch}`, bin = join(directory, "node_modules", name, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "../package.json"), JSON.stringify({ name, version: "0.0.0" }));
  writeFileSync(join(bin, "halloo"), "#!/bin/sh\necho packaged $1\nkill -TERM $$\n", { mode: 0o755 });
  mkdirSync(join(directory, "node_modules/halloo/bin"), { recursive: true });
  const installed = join(directory, "node_modules/halloo/bin/halloo.mjs");
  copyFileSync(script, installed);
  const packaged = run(process.env.PATH, installed);
  assert.deepEqual([packaged.stdout, packaged.signal], ["packaged --version\n", "SIGTERM"]);

  // A C library that is too old is named with the version that is needed.
  writeFileSync(join(bin, "halloo"), "#!/bin/sh\necho GLIBC not found >&2\nexit 1\n", { mode: 0o755 });
  const withLibrary = glibc => {
    writeFileSync(join(bin, "../package.json"), JSON.stringify({ name, version: "0.0.0", halloo: { glibc } }));
    return run(process.env.PATH, installed);
  };
  if (process.report.getReport().header.glibcVersionRuntime) {
    const old = withLibrary("2.999");
    assert.equal(old.status, 1);
    assert.match(old.stderr, /needs glibc 2\.999 or newer, and this machine has 2\.\d+; update the system, or put a halloo/);
  }
  assert.equal(withLibrary("2.17").stderr, "GLIBC not found\n");
  // The advice, followed.
  rmSync(join(directory, "node_modules", name), { recursive: true });
  assert.match(run(join(PROGRAM, ".."), installed).stdout, /^halloo \d/);
  // The program for musl needs no other library.
  mkdirSync(join(directory, "node_modules", `${name}-musl`, "bin"), { recursive: true });
  writeFileSync(join(directory, "node_modules", `${name}-musl`, "package.json"), JSON.stringify({ name: `${name}-musl` }));
  writeFileSync(join(directory, "node_modules", `${name}-musl`, "bin/halloo"), "#!/bin/sh\necho static\n", { mode: 0o755 });
  assert.equal(run(process.env.PATH, installed).stdout, "static\n");
});
