// The search for servers on the local network.
import { randomBytes } from "node:crypto";
import { check } from "./check.js";
import {
  byRank, isLinkLocalIp, isLoopback, format, listedIn, MAX_ADDRESSES, parse, portAt, read, readBody,
} from "./datagrams.js";
import { bestMatches, escape, hideToken, isId, isSameApp, leastBusy } from "./names.js";
import { DISCOVERY_PORT, Sockets } from "./sockets.js";

const MAX_SERVERS = 256;
const NAMESAKE_DELAY = 200;
const START = [100, 200, 400, 400, 700, 700, 700, 700, 700, 700], REGULAR = 3000, EVERY_WIDE = 5;
/** How many probes follow each other soon. */
export const START_PROBES = START.length;
export const SEARCH_TIMEOUT = 3000;

/** Yields for each probe the time to the next one, and whether it goes to all ports. */
export function* intervals(chance = Math.random) {
  for (let number = 0; ; number++) {
    const delay = START[number] ?? REGULAR;
    yield [delay * (0.95 + 0.1 * chance()), number % EVERY_WIDE === 0];
  }
}

/** Returns what is known of a server that was seen once. */
export function toServer(seen, from) {
  const isReply = seen.service === "websocket_server_reply", source = format(from.ip, portAt(seen, from.ip));
  const listed = isReply && listedIn(seen) || [], isAdvertised = isReply && seen.advertised === true;
  const addresses = [...new Set(isAdvertised ? [...listed, source] : [source, ...listed])].slice(0, MAX_ADDRESSES);
  return withUrl({
    id: seen.id ?? source, name: seen.name ?? "", addresses, sources: [source], clients: seen.clients ?? null,
    auth: isReply && seen.auth === true, tls: isReply && seen.tls === true, app: seen.app ?? null,
    cluster: isReply && seen.cluster || null, meta: isReply && seen.meta || {},
  }, { seen, source, isReply, isAdvertised });
}

// What the client needs is not for the application, so it is not enumerable.
function withUrl(server, hidden) {
  const url = `${server.tls ? "wss" : "ws"}://${server.addresses[0]}`;
  return Object.defineProperty({ ...server, url }, "hidden", { value: hidden });
}

/** Returns the challenge of a server that requires a token, and the id that it sent. */
export const challengeOf = ({ hidden, id }) => hidden?.seen.challenge ? { id, challenge: hidden.seen.challenge } : null;

/** Returns whether a server sends an id. */
export const hasId = ({ id, addresses }) => !addresses.includes(id);

/** One search. */
export class Search {
  #options; #nonce = randomBytes(8).toString("hex"); #known = new Map(); #changed = () => {};

  constructor(options = {}) { this.#options = options; }

  get servers() {
    const { app } = this.#options, all = [...this.#known.values()];
    return app === undefined ? all : all.filter(server => server.app !== null && isSameApp(server.app, app));
  }

  /** Resolves to the servers that a name means, or all, and the others. Those at the addresses `at` are asked over TCP, too. */
  async find(name, timeout = SEARCH_TIMEOUT, at = []) {
    const matching = () => name === undefined ? this.servers : bestMatches(name, this.servers);
    let first;
    await this.run(timeout, () => {
      const found = matching();
      if (name !== undefined && found.some(({ id }) => isId(name, id))) return 0;
      if (found.length) first ??= performance.now();
      return first === undefined ? Infinity : first + NAMESAKE_DELAY;
    }, at);
    const found = matching();
    return [found, this.servers.filter(server => !found.includes(server))];
  }

  /** Searches until the timeout, or the earlier time that `until` returns for what was found. */
  async run(timeout, until = () => Infinity, at = []) {
    const { signal } = this.#options, end = performance.now() + timeout, schedule = intervals();
    signal?.throwIfAborted();
    const sockets = await Sockets.open(this.#options, (bytes, from) => this.#receive(bytes, from));
    const ended = new AbortController();
    let due = performance.now(), timer, abort;
    try {
      await new Promise((resolve, reject) => {
        const turn = () => {
          clearTimeout(timer);
          const now = performance.now(), last = Math.min(end, until());
          if (now >= last) return resolve();
          if (now >= due) {
            const [delay, isWide] = schedule.next().value;
            sockets.probeAll(this.#nonce, isWide);
            due = now + delay;
          }
          timer = setTimeout(turn, Math.min(due, last) - now);
        };
        this.#changed = turn;
        abort = () => reject(signal.reason);
        signal?.addEventListener("abort", abort);
        if (signal?.aborted) abort();
        else turn();
        if (!signal?.aborted) at.forEach(address => this.#ask(address, ended.signal));
      });
    } finally {
      ended.abort();
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#changed = () => {};
      sockets.close();
    }
  }

  #receive(bytes, from) {
    const seen = sighting(bytes, this.#nonce);
    if (!seen || this.#options.local && !isLoopback(from.ip)) return;
    this.#observe(toServer(seen, from));
    this.#changed();
  }

  // Broadcasts may not get to a server that restarted at this address.
  async #ask(address, signal) {
    const { body } = await check(address, signal), seen = body && readBody(body);
    if (signal.aborted || !seen?.port || seen.service !== "websocket_server_reply") return;
    const server = toServer(seen, parse(address));
    if (server.hidden.source !== address) return;
    this.#observe(server);
    this.#changed();
  }

  #observe(server) {
    const known = this.#known.get(server.id), isFull = this.#known.size >= MAX_SERVERS, { hidden } = server;
    if (!known) return isFull || this.#known.set(server.id, server);
    if (hidden.source !== known.hidden.source && !isSame(known, server)) {
      // Two machines with one id, or an impostor: both are listed, and none replaces the other. Servers do not list link-local
      // addresses, so such a one is usually another one of the same server.
      const { source } = hidden;
      const isNew = !isLinkLocalIp(parse(source).ip) && !this.#known.has(source);
      if (!isFull && isNew) this.#known.set(source, withUrl({ ...server, id: source }, hidden));
      return;
    }
    // A reply says more than a beacon, and an address of the network is of use to other machines as well.
    const newest = hidden.isReply || !known.hidden.isReply ? server : known;
    const sources = [...new Set([...known.sources, ...server.sources])].sort(byRank);
    const claimed = [...known.addresses, ...server.addresses].filter(address => !sources.includes(address));
    const all = newest.hidden.isAdvertised ? [...claimed, ...sources] : [...sources, ...claimed];
    const addresses = [...new Set(all)].slice(0, MAX_ADDRESSES);
    this.#known.set(server.id, withUrl({ ...newest, addresses, sources }, newest.hidden));
  }
}

/** Returns what a datagram says about a server; nothing if it lists none. `nonce` is that of the own probes. */
export function sighting(bytes, nonce) {
  const seen = read(bytes), isBeacon = seen?.service === "websocket_server";
  return seen?.port && (isBeacon || seen.service === "websocket_server_reply" && seen.nonce === nonce) ? seen : undefined;
}

// Returns whether a server with the same id at another address is the same one: one of both lists the other address, or it is
// this machine.
function isSame(known, server) {
  const [one, other] = [known.hidden.source, server.hidden.source], [a, b] = [parse(one), parse(other)];
  const isLocal = isLoopback(a.ip) || isLoopback(b.ip);
  return known.addresses.includes(other) || server.addresses.includes(one) || isLocal && a.port === b.port;
}

/** Resolves to the servers that are found within `timeout` milliseconds. */
export async function discover({ timeout = SEARCH_TIMEOUT, ...options } = {}) {
  const search = new Search(options);
  await search.run(timeout);
  return search.servers;
}

/** Resolves to the server with this name or id. */
export async function find(name, { timeout = SEARCH_TIMEOUT, ...options } = {}) {
  const [found, others] = await new Search(options).find(name, timeout);
  const chosen = leastBusy(found);
  if (chosen) return chosen;
  throw new Error(found.length ? ambiguous(name, found) : notFound(name, others, options.port));
}

const quoted = text => `"${escape(hideToken(text), 64)}"`;

/** What to say if no server has the name. */
export function notFound(name, others, port = DISCOVERY_PORT) {
  const none = `answered on UDP ${port}`, names = others.slice(0, 5).map(one => quoted(one.name || one.url)).join(", ");
  if (name === undefined) return `no server ${none}; start one with \`npx halloo serve\`, or try: npx halloo doctor`;
  return `no server named ${quoted(name)} ${none}; ${names ? `there is ${names}; ` : ""}try: npx halloo doctor`;
}

/** What to say if several servers have the name. */
export function ambiguous(name, found) {
  const servers = found.slice(0, 10).map(one => `${quoted(one.name)} at ${one.url} (id ${one.id})`).join(", ");
  const what = name === undefined ? "there are" : `${quoted(name)} is the name of`;
  return `${what} ${found.length} servers: ${servers}; use an id or an address`;
}
