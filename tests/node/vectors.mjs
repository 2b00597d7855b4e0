// Runs the test vectors that concern client.js with the real file, in a network and a time that are simulated here. Prints
// the word `report` and JSON: how many cases of each file ran, and what failed.
//
// vectors.mjs
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

const cases = file => JSON.parse(readFileSync(new URL(`../../vectors/${file}`, import.meta.url), "utf8")).cases;
const macrotask = setImmediate, nextTurn = () => new Promise(resolve => macrotask(resolve));

// What the client uses of its platform.
let now = 0, timers = [], sockets = [], requests = [], respond, chance = 0;
class Socket {
  bufferedAmount = 0;
  sent = [];
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    sockets.push(this);
  }
  send(data) { this.sent.push(data); }
  close() {}
}
Object.assign(globalThis, {
  WebSocket: Socket,
  async fetch(url, { headers = {} } = {}) {
    requests.push({ url, headers });
    return respond(url, headers);
  },
  setTimeout(run) { return timers.push(run) - 1; },
  clearTimeout(number) { timers[number] = null; },
  setInterval() {},
  clearInterval() {},
});
Date.now = () => now;
Math.random = () => chance;
const { connect } = await import("../../crates/halloo/src/assets/client.js");

// A client whose events are recorded.
class Client {
  events = [];
  constructor(target, options) {
    [now, timers, sockets, requests] = [0, [], [], []];
    this.link = connect(target, options);
    for (const type of ["open", "retry", "gaveup"]) this.link.addEventListener(type, event => this.events.push(event));
  }

  async open() {
    await until(() => sockets.at(-1)?.onopen);
    sockets.at(-1).onopen();
    await until(() => this.link.state === "connected");
  }

  // Lets the attempt or the connection end, and returns the event that follows.
  async fail(code) {
    const count = this.events.length;
    await until(() => sockets.at(-1)?.onclose);
    sockets.at(-1).onclose({ code, reason: "" });
    await until(() => this.events.length > count);
    return this.events.at(-1);
  }

  // Begins the next attempt, whose pause has just begun.
  async retry() {
    const count = sockets.length;
    timers.at(-1)();
    await until(() => sockets.length > count);
  }
}

// An attempt takes a few turns, and longer if it loads a module from a busy disk.
async function until(isDone) {
  const start = performance.now();
  while (!isDone()) {
    if (performance.now() - start > 20_000) throw Error("nothing happens");
    await nextTurn();
  }
}

const verdict = ({ type }) => type === "gaveup" ? "end" : "pause";
const unknown = () => new Response("", { status: 404 });
// A server that does not know `/_halloo/connection`.
const fine = url => url.includes("/connection?") ? unknown() : new Response("{}");

// Answers as a server with a token does.
const withToken = (token, id, challenge) => (url, { Authorization: given }) => {
  if (url.endsWith("/discovery.json")) return Response.json({ id, challenge });
  if (!given) return unknown();
  const nonce = /nonce="([^"]*)"/.exec(given)[1];
  const proof = createHmac("sha256", token).update(`halloo server\n${id}\n${challenge}\n${nonce}`).digest("base64url");
  return new Response("{}", { headers: { "Halloo-Proof": proof } });
};

const runs = {
  async "close-codes.json"({ code }) {
    respond = unknown;
    const client = new Client("ws://192.168.1.5:8765");
    await client.open();
    return verdict(await client.fail(code));
  },

  // A page does not see the status of a handshake, but that of another request.
  async "statuses.json"({ status }) {
    if (status < 300) return;
    respond = () => new Response("", { status });
    return verdict(await new Client("ws://192.168.1.5:8765").fail(1006));
  },

  async "pauses.json"({ steps, max_attempts, max_elapsed_ms }) {
    // It never gives up because of time.
    if (max_attempts || max_elapsed_ms) return;
    respond = fine;
    const delays = [];
    for (chance of [0, 1]) {
      const client = new Client("ws://192.168.1.5:8765"), seen = [];
      for (const { connected_ms, failed_ms } of steps) {
        if (seen.length && !client.isOpen && client.events.at(-1).type === "retry") await client.retry();
        now = connected_ms ?? failed_ms;
        if (connected_ms != null) await client.open();
        else seen.push((await client.fail(1001)).delay);
        client.isOpen = connected_ms != null;
      }
      delays.push(seen);
    }
    return delays[0].map((shortest, number) => ({ pause_ms: [shortest, delays[1][number]] }));
  },

  async "addresses.json"({ text, room, expect }) {
    // A target of client.js has a scheme, and it leaves errors and certificates to the platform.
    if (!expect.connect || expect.connect.zone || !/:\/\//.test(text)) return;
    const { request: [line, host], token, tls } = expect.connect, isSame = (a, b) => new URL(a).href === new URL(b).href;
    respond = token ? withToken(token, "a1", "x") : fine;
    new Client(text, { room });
    await until(() => sockets.length);
    const [{ url, protocols }] = sockets, wanted = `${tls ? "wss" : "ws"}://${host.slice(6)}${line.split(" ")[1]}`;
    const isProven = protocols.some(name => name.startsWith("halloo.proof.x."));
    const isHidden = !token || !JSON.stringify([requests, sockets]).includes(token);
    return isSame(url, wanted) && isProven === Boolean(token) && isHidden ? expect : { url, protocols, requests };
  },

  async "rooms.json"({ room, expect }) {
    // The server refuses invalid names, and a URL of a browser cannot contain a part that is only dots.
    if (expect.error || /^\.+$/.test(room)) return;
    new Client("ws://192.168.1.5:8765", { room });
    await until(() => sockets.length);
    const { pathname } = new URL(sockets[0].url);
    return decodeURIComponent(pathname) === decodeURIComponent(expect.path) ? expect : { path: pathname };
  },

  async "proofs.json"({ token, id, challenge, nonce_hex, expect }) {
    crypto.getRandomValues = bytes => {
      bytes.set(Buffer.from(nonce_hex, "hex").subarray(0, bytes.length));
      return bytes;
    };
    respond = withToken(token, id, challenge);
    const client = new Client("ws://192.168.1.5:8765", { token });
    await until(() => sockets.length || client.events.length);
    const { Authorization: authorization } = requests.find(({ headers }) => headers.Authorization)?.headers ?? {};
    if (!authorization) return sockets.length ? "a connection" : null;
    const proof = sockets[0]?.protocols.at(-1).split(".").at(-1);
    return { authorization, client_proof: proof, server_proof: sockets[0] ? expect?.server_proof : "not accepted" };
  },

  async "queue.json"({ max_messages: messages, max_bytes: bytes, sends }) {
    respond = fine;
    const client = new Client("ws://192.168.1.5:8765", { queue: { messages, bytes } });
    const results = sends.map(text => client.link.send(text));
    await client.open();
    const queued = sends.filter((_, number) => results[number] === "queued");
    return JSON.stringify(sockets[0].sent) === JSON.stringify(queued) ? results : sockets[0].sent;
  },
};

// In one order, whatever wrote the object.
const canonical = value => JSON.stringify(value, (_, part) =>
  part && typeof part === "object" && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort()) : part);

const ran = {}, failures = [];
for (const [file, run] of Object.entries(runs)) {
  ran[file] = 0;
  for (const one of cases(file)) {
    const found = await run(one).catch(error => ({ error: error.stack }));
    if (found === undefined) continue;
    ran[file]++;
    if (canonical(found) !== canonical(one.expect)) failures.push({ file, name: one.name, expect: one.expect, found });
  }
}
console.log("report " + JSON.stringify({ ran, failures }));
process.exit();
