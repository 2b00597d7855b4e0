// The live list of servers.
import { randomBytes } from "node:crypto";
import { check } from "./check.js";
import { isLoopback, parse } from "./datagrams.js";
import { DISCOVERY_PORT, Sockets } from "./sockets.js";
import { Tracker } from "./browser/tracker.js";

const MAX_CHANGES = 1024;

/** Starts to browse. */
export const browse = options => new Browser(options);

/** An async iterable of changes. The search for servers goes on until `close`, or the end of a loop. */
class Browser {
  /** Changes that the loop was too slow for. */
  missed = 0;
  #tracker; #sockets; #options; #changes = []; #wake = () => {}; #timer; #ended = new AbortController(); #failure;

  constructor({ app, local = false, port = DISCOVERY_PORT, signal } = {}) {
    const nextNonce = () => randomBytes(8).toString("hex");
    this.#options = { local, port };
    this.#tracker = new Tracker({ nonce: nextNonce(), nextNonce, discoveryPort: port, app });
    signal?.addEventListener("abort", () => this.close(), { signal: this.#ended.signal });
    if (signal?.aborted) this.close();
    else this.#start();
  }

  /** The servers that are there now, in the order in which they were found. */
  get servers() { return this.#tracker.servers; }

  /** Ends the search, and the loop. */
  close() {
    this.#ended.abort();
    clearTimeout(this.#timer);
    this.#sockets?.close();
    this.#wake();
  }

  [Symbol.dispose]() { this.close(); }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        while (this.#changes.length) yield this.#changes.shift();
        if (this.#failure) throw this.#failure;
        if (this.#ended.signal.aborted) return;
        await new Promise(resolve => { this.#wake = resolve; });
      }
    } finally {
      this.close();
    }
  }

  async #start() {
    try {
      const sockets = await Sockets.open(this.#options, (bytes, from) => this.#receive(bytes, from));
      if (this.#ended.signal.aborted) return sockets.close();
      this.#sockets = sockets;
      this.#turn();
    } catch (error) {
      this.#failure = error;
      this.#wake();
    }
  }

  #receive(bytes, from) {
    if (this.#options.local && !isLoopback(from.ip)) return;
    this.#tracker.handleDatagram(bytes, from, performance.now());
    if (this.#sockets) this.#turn();
  }

  #turn() {
    if (this.#ended.signal.aborted) return;
    clearTimeout(this.#timer);
    const now = performance.now(), tracker = this.#tracker;
    tracker.handleTimeout(now);
    for (let probe; (probe = tracker.pollProbe(now));) {
      if (probe.to === undefined) this.#sockets.probeAll(probe.nonce, probe.isWide);
      else this.#sockets.probeOne(probe.nonce, parse(probe.to));
    }
    for (let address; (address = tracker.pollCheck(now)) !== undefined;) this.#check(address);
    for (let change; (change = tracker.pollChange());) this.#report(change);
    this.#timer = setTimeout(() => this.#turn(), Math.max(1, tracker.nextTimeout - performance.now()));
  }

  #report(change) {
    this.#changes.push(change);
    if (this.#changes.length > MAX_CHANGES) {
      this.#changes.shift();
      this.missed++;
    }
    this.#wake();
  }

  async #check(address) {
    const result = await check(address, this.#ended.signal);
    if (this.#ended.signal.aborted) return;
    this.#tracker.handleCheckResult(address, result, performance.now());
    this.#turn();
  }
}
