// The package against the program `halloo`.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect as connectTcp, createServer } from "node:net";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { browse, connect, discover, find } from "halloo";
import { Fixture, happens, TOKEN, unusedPort, within, withResolvers } from "../test-support/fixture.js";

const start = context => Fixture.start(context, connect);
const bytesOf = data => [...new Uint8Array(data)];

// Resolves to the fingerprint in the invitation of a server.
const fingerprintOf = server => /fp=([\w-]+)/.exec(server.ready.invitation)[1];

// Sends a text, lets the server send it back, and resolves to what arrives.
async function echo(link, server, text = "hi") {
  const message = happens(link, "message");
  link.send(text);
  const { client, text: received } = await server.event("message");
  server.command("send", { client, text: received });
  return (await message).data;
}

test("discover finds servers with and without clients", async context => {
  const fixture = await start(context);
  await fixture.serve("attic", "--app", "Chess");
  const den = await fixture.serve("den", "--meta", "map=desert", "--app", "Tanks");
  await fixture.connect("den");
  let found = [];
  while (found.length < 2) found = await discover({ ...fixture.search, timeout: 300 });
  assert.deepEqual(found.map(({ name }) => name).sort(), ["attic", "den"]);
  const { url, clients, app, meta, auth, tls } = found.find(({ name }) => name === "den");
  assert.deepEqual([url, clients, app, { ...meta }, auth, tls], [den.url, 1, "Tanks", { map: "desert" }, false, false]);
  let only = [];
  while (only.length < 1) only = await discover({ ...fixture.search, timeout: 300, app: "tanks" });
  assert.deepEqual(only.map(({ name }) => name), ["den"]);
  assert.equal((await find("DEN", fixture.search)).url, den.url);
});

test("messages go both ways, and the link closes cleanly", async context => {
  const fixture = await start(context), server = await fixture.serve("Living Room");
  const link = await fixture.connect("living-room");
  assert.equal(link.state, "connected");
  assert.equal(link.url, server.url);
  assert.equal(link.send("h\u00e4llo"), "sent");
  link.send(new Uint8Array([0, 255]));
  link.send(new Blob(["in order"]));
  link.send("last");
  const received = [];
  while (received.length < 4) received.push(await server.event("message"));
  assert.deepEqual(received.map(({ text, binary }) => text ?? Buffer.from(binary, "base64").toString("latin1")),
    ["h\u00e4llo", "\0\xff", "in order", "last"]);
  const messages = [], loop = (async () => {
    for await (const message of link) messages.push(message);
  })();
  const { client } = received[0], third = happens(link, "message");
  server.command("send", { client, text: "\u4f60\u597d" });
  await third;
  const fourth = happens(link, "message");
  server.command("send", { client, binary: "AP8=" });
  await fourth;
  link.close(4000, "done");
  await loop;
  assert.deepEqual([messages[0], bytesOf(messages[1])], ["\u4f60\u597d", [0, 255]]);
  assert.equal((await server.event("client_left")).code, 4000);
  assert.deepEqual([link.state, link.send("late")], ["closed", "closed"]);
});

test("a target may be an address, a server that was found, or nothing", async context => {
  const fixture = await start(context), server = await fixture.serve();
  for (const target of [server.url, new URL(server.url), await find("den", fixture.search), undefined]) {
    const link = await fixture.connect(target);
    assert.equal(await echo(link, server), "hi");
    link.close();
    await server.event("client_left");
  }
});

test("a token is proven, from an option, an invitation and the environment", async context => {
  const fixture = await start(context), server = await fixture.serve("den", "--token", TOKEN, "--token-proof-only");
  const { invitation } = server.ready;
  for (const [target, options] of [["den", { token: TOKEN }], [server.url, { token: TOKEN }], [invitation, {}]]) {
    const link = await fixture.connect(target, options);
    assert.equal(await echo(link, server), "hi");
    link.close();
    await server.event("client_left");
  }
  process.env.HALLOO_TOKEN = TOKEN;
  context.after(() => delete process.env.HALLOO_TOKEN);
  assert.equal(await echo(await fixture.connect("den"), server), "hi");
});

test("TLS with a pinned fingerprint, found by name or by the invitation", async context => {
  const fixture = await start(context), server = await fixture.serve("den", "--tls", "--token", TOKEN);
  const pinned = { fingerprint: fingerprintOf(server), token: TOKEN };
  for (const [target, options] of [["den", pinned], [server.ready.invitation, {}]]) {
    const link = await fixture.connect(target, options);
    assert.match(link.url, /^wss:/);
    assert.equal(await echo(link, server), "hi");
    while (link.pending.unconfirmed) await happens(link, "pending");
    link.close();
    await server.event("client_left");
  }
});

test("compressed messages", async context => {
  const fixture = await start(context), server = await fixture.serve("den", "--compression"), { port } = server.ready;
  let size = 0;
  const proxy = createServer(client => {
    const upstream = connectTcp(port, "127.0.0.1");
    client.pipe(upstream).pipe(client);
    upstream.on("data", bytes => { size += bytes.length; });
    for (const socket of [client, upstream]) socket.on("error", () => {});
  });
  await new Promise(resolve => proxy.listen(0, "127.0.0.1", resolve));
  context.after(() => proxy.close());
  const link = await fixture.connect(`ws://127.0.0.1:${proxy.address().port}`), long = "compressible ".repeat(10000);
  assert.equal(await echo(link, server, long), long);
  assert.equal(await echo(link, server, "short"), "short");
  assert.ok(size < 10000, `${size} bytes`);
});

test("a room", async context => {
  const fixture = await start(context), server = await fixture.serve("den", "--relay");
  const [one, other, outside] = [
    await fixture.connect("den", { room: "caf\u00e9 1/2" }), await fixture.connect("den", { room: "caf\u00e9 1/2" }),
    await fixture.connect("den", { room: "red" }),
  ];
  const [inside, first] = [happens(other, "message"), happens(outside, "message")];
  one.send("only here");
  assert.equal((await inside).data, "only here");
  server.command("send_to_all", { text: "everywhere" });
  assert.equal((await first).data, "everywhere");
});

test("subprotocols", async context => {
  const fixture = await start(context), server = await fixture.serve("den", "--subprotocols", "chat");
  await fixture.connect("den", { protocols: ["chat"] });
  assert.equal((await server.event("client_joined")).subprotocols?.[0], "chat");
});

test("messages wait while there is no server, and a restarted one gets them", async context => {
  const fixture = await start(context), port = await unusedPort(), first = await fixture.serve("den", "--port", String(port));
  const link = await fixture.connect(`ws://127.0.0.1:${port}`);
  assert.equal(await echo(link, first), "hi");
  while (link.pending.unconfirmed) await happens(link, "pending");
  const closed = happens(link, "close");
  await first.stop();
  assert.equal((await closed).code, 1001);
  await happens(link, "retry");
  assert.equal(link.send("meanwhile"), "queued");
  const second = await fixture.serve("den", "--port", String(port));
  assert.equal((await second.event("message")).text, "meanwhile");
});

test("a killed server leaves messages of which it is not known whether they arrived", async context => {
  const fixture = await start(context), port = await unusedPort(), first = await fixture.serve("den", "--port", String(port));
  const link = await fixture.connect("den");
  first.suspend();
  link.send("perhaps");
  const unconfirmed = happens(link, "unconfirmed");
  await first.kill();
  await fixture.serve("den", "--port", String(port));
  assert.deepEqual((await unconfirmed).messages, ["perhaps"]);
});

test("a server that moved to another port is found again by its name", async context => {
  const fixture = await start(context), first = await fixture.serve();
  const link = await fixture.connect("den"), before = link.url, open = happens(link, "open");
  await first.kill();
  const second = await fixture.serve();
  await open;
  assert.notEqual(link.url, before);
  assert.equal(await echo(link, second), "hi");
});

test("the servers of a cluster share the clients, and another one takes the place of one that is gone", async context => {
  const fixture = await start(context), nodes = [];
  for (let node = 0; node < 2; node++) nodes.push(await fixture.serve("Show", "--cluster-name", "stage"));
  for (let link = 0; link < 4; link++) await fixture.connect("show");
  // On a loaded machine, one server may be found too late to be chosen, but not each time.
  for (const node of nodes) assert.equal((await node.event("client_joined")).client, 1);
  const { url, cluster } = await find("show", fixture.search);
  assert.ok(nodes.some(node => node.url === url) && cluster === "stage");
  await nodes[0].kill();
  while ((await nodes[1].event("client_joined")).client < 4);
});

test("a server that restarted where broadcasts do not get is found at its last address", async context => {
  const fixture = await start(context), port = String(await unusedPort()), first = await fixture.serve("den", "--port", port);
  const link = await fixture.connect("den"), open = happens(link, "open");
  await first.kill();
  // It replies to no probe.
  const second = await fixture.serve("den", "--port", port, "--no-discovery");
  await open;
  assert.equal(await echo(link, second), "hi");
});

test("the final close code of a server that was found ends the link", async context => {
  const fixture = await start(context), server = await fixture.serve(), link = await fixture.connect("den");
  const { client } = await server.event("client_joined"), gaveUp = happens(link, "gaveup");
  server.command("disconnect", { client, code: 4001, reason: "enough\u001b" });
  const { code, reason } = await gaveUp;
  assert.deepEqual([code, reason, link.state], [4001, "enough\\u{1b}", "closed"]);
});

test("the close frame of a server is answered", async context => {
  const fixture = await start(context), { promise, resolve } = withResolvers();
  const server = createServer(socket => {
    let received = Buffer.alloc(0), isOpen = false;
    socket.on("error", () => {}).on("data", bytes => {
      received = Buffer.concat([received, bytes]);
      const [, key] = /Sec-WebSocket-Key: (\S+)\r\n[^]*\r\n\r\n/.exec(received.toString("latin1")) ?? [];
      if (!isOpen && key) {
        isOpen = true;
        const accept = createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
        socket.write(`HTTP/1.1 101 A\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
        socket.write(Buffer.from([0x88, 2, 0x0f, 0xa1]));
        received = Buffer.alloc(0);
      } else if (received.includes(Buffer.from([0x88, 0x82]))) {
        resolve();
        socket.end();
      }
    });
  });
  await new Promise(listening => server.listen(0, "127.0.0.1", listening));
  context.after(() => server.close());
  const gaveUp = happens(fixture.link(`ws://127.0.0.1:${server.address().port}`), "gaveup");
  assert.equal((await gaveUp).code, 4001);
  await within(promise, "the answer");
});

test("a browser reports servers that appear, change and vanish", async context => {
  const fixture = await start(context), browser = browse(fixture.search), changes = browser[Symbol.asyncIterator]();
  context.after(() => browser.close());
  const next = async (type, isWanted = () => true) => {
    for (;;) {
      const { value } = await within(changes.next(), type);
      if (value.type === type && isWanted(value.server)) return value.server;
    }
  };
  const server = await fixture.serve("den");
  assert.equal((await next("found")).url, server.url);
  server.command("set_meta", { meta: { map: "desert" } });
  await next("updated", ({ meta }) => meta.map === "desert");
  assert.deepEqual(browser.servers.map(({ name }) => name), ["den"]);
  await server.stop();
  assert.equal((await next("lost")).name, "den");
  assert.deepEqual(browser.servers, []);
  browser.close();
  assert.deepEqual(await changes.next(), { value: undefined, done: true });
});

const { NODE_MODULES } = process.env;
test("a WebSocket server of another program", { skip: !NODE_MODULES && "NODE_MODULES is not set" }, async context => {
  const { WebSocketServer } = await import(pathToFileURL(`${NODE_MODULES}/ws/wrapper.mjs`)), port = await unusedPort();
  const listen = async () => {
    const server = new WebSocketServer({ port, host: "127.0.0.1" });
    server.on("connection", socket => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })));
    await new Promise(resolve => server.on("listening", resolve));
    return server;
  };
  const end = server => new Promise(resolve => {
    server.clients.forEach(socket => socket.terminate());
    server.close(resolve);
  });
  const fixture = await start(context), first = await listen(), link = await fixture.connect(`127.0.0.1:${port}`);
  const message = happens(link, "message");
  link.send("hi");
  assert.equal((await message).data, "hi");
  const [closed, unconfirmed] = [happens(link, "close"), happens(link, "unconfirmed")];
  await end(first);
  await closed;
  const second = await listen();
  context.after(() => end(second));
  assert.deepEqual((await unconfirmed).messages, ["hi"]);
  const again = happens(link, "message");
  link.send("again");
  assert.equal((await again).data, "again");
});
