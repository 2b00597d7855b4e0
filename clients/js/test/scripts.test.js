// The scripts in vectors/claims.json and vectors/expiry.json, played on a virtual clock with a simulated network.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "../src/node/datagrams.js";
import { Tracker } from "../src/node/browser/tracker.js";
import { inVectors } from "../test-support/in_vectors.js";

const NONCE = "b64e21", LATENCY = 1, CHECK_TIMEOUT = 2000, RUNS = 10;
// The random numbers of the vectors do not reach the ends of their range.
const SLACK = 200;

class Network {
  events = [];
  #now = 0; #peers = new Map(); #deliveries = []; #nonces = 0;
  tracker = new Tracker({
    nonce: NONCE, discoveryPort: 8766, nextNonce: () => (++this.#nonces).toString(16).padStart(16, "0"),
  });

  constructor(steps) {
    for (const step of steps) this.#schedule(step.at_ms, () => this.#take(step));
  }

  runUntil(end) {
    for (;;) {
      for (let next; (next = this.#deliveries[0]) && next.at <= this.#now;) {
        this.#deliveries.shift();
        next.deliver();
        this.#collect();
      }
      this.tracker.handleTimeout(this.#now);
      this.#poll();
      const next = Math.min(this.#deliveries[0]?.at ?? Infinity, this.tracker.nextTimeout);
      if (next > end) return;
      this.#now = Math.max(this.#now, next);
    }
  }

  #schedule(at, deliver) {
    const later = this.#deliveries.findIndex(other => other.at > at);
    this.#deliveries.splice(later < 0 ? this.#deliveries.length : later, 0, { at, deliver });
  }

  #take({ datagram, from, address, is, ...step }) {
    if (datagram !== undefined) this.#receive(datagram.replaceAll("NONCE", NONCE), parse(from));
    else if (is === "nothing") this.#peers.delete(address);
    else this.#peers.set(address, { is, ...step });
  }

  #receive(text, from) { this.tracker.handleDatagram(Buffer.from(text), from, this.#now); }

  #poll() {
    for (let probe; (probe = this.tracker.pollProbe(this.#now));) this.#answer(probe);
    for (let address; (address = this.tracker.pollCheck(this.#now)) !== undefined;) {
      const peer = this.#peers.get(address), checked = address;
      this.#schedule(this.#now + (peer ? LATENCY : CHECK_TIMEOUT), () => this.tracker.handleCheckResult(checked, {
        body: peer?.is === "server" ? Buffer.from(JSON.stringify(peer.reply)) : undefined,
        unexpected: peer?.is === "other", refused: peer?.is === "refusal",
      }, this.#now));
    }
    this.#collect();
  }

  #answer({ to, nonce }) {
    for (const [address, { is, reply, broadcast, udp }] of [...this.#peers].sort(([a], [b]) => a < b ? -1 : 1)) {
      const { ip } = parse(address), isHeard = to === undefined ? broadcast !== false : parse(to).ip === ip;
      if (is !== "server" || udp === false || !isHeard) continue;
      this.#schedule(this.#now + LATENCY, () => this.#receive(JSON.stringify({ ...reply, nonce }), { ip, port: 8766 }));
    }
  }

  #collect() {
    for (let change; (change = this.tracker.pollChange());) {
      this.events.push({ at: this.#now, [change.type]: change.server.id });
    }
  }
}

for (const file of ["claims", "expiry"]) {
  const { cases } = JSON.parse(readFileSync(new URL(`../../../vectors/${file}.json`, import.meta.url)));
  for (const { name, why, steps, until_ms: until, expect } of cases) {
    test(`${file}: ${name}`, () => {
      for (let run = 0; run < RUNS; run++) {
        const network = new Network(steps);
        network.runUntil(until);
        const kinds = network.events.map(({ at, ...event }) => event);
        assert.deepEqual(kinds, expect.events.map(({ between_ms: times, ...event }) => event), why);
        network.events.forEach(({ at }, number) => {
          const [first, last] = expect.events[number].between_ms, slack = first === last ? 0 : SLACK;
          const isInTime = first - slack <= Math.floor(at) && Math.floor(at) <= last + slack;
          assert.ok(isInTime, `${at} is not in ${first} to ${last}: ${why}`);
        });
        assert.deepEqual(network.tracker.servers.map(inVectors), expect.servers, why);
      }
    });
  }
}
