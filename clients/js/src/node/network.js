// How a program reaches a server: the route of a link outside of pages. It finds the server, and decides what to believe.
import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { format, parse } from "./datagrams.js";
import { dial, resolve } from "./dial.js";
import { isFinal, isFinalCode } from "./endings.js";
import { Failed } from "./failed.js";
import { request } from "./handshake.js";
import { escape, leastBusy } from "./names.js";
import { Exchange } from "./proof.js";
import { get, readOutcome } from "./responses.js";
import { ambiguous, challengeOf, hasId, notFound, Search, SEARCH_TIMEOUT } from "./search.js";
import { secure } from "./secure.js";
import { ownAddresses } from "./sockets.js";
import { Address, checkToken, readFingerprint, readTarget, roomPath } from "./target.js";
import { Socket } from "./websocket.js";

const MAX_CHALLENGES = 2;
// RFC 9110 section 5.6.2.
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

export class Network {
  /** `searching` while it does. */
  state;
  /** The address of the last connection. */
  url;
  #target = {}; #server; #token; #fingerprint; #options; #known = []; #isSecure; #isFixed; #base; #ended;
  // What is certain about the peer, which addresses answered the search of this attempt, and the id that was confirmed before.
  #certainty = {}; #answered = []; #confirmed; #attempts = 0;

  constructor(target, options = {}) {
    if (target && typeof target === "object" && !(target instanceof URL)) this.#server = target;
    else if (target != null) this.#target = readTarget(String(target));
    const { address } = this.#target, given = options.token || address?.token || globalThis.process?.env.HALLOO_TOKEN;
    this.#token = given ? checkToken(given) : undefined;
    this.#fingerprint = options.fingerprint ? readFingerprint(options.fingerprint) : address?.fingerprint;
    if (options.room != null) roomPath(options.room);
    const wrong = options.protocols?.find(name => !TOKEN.test(name));
    if (wrong !== undefined) throw new TypeError(`"${escape(wrong)}" is no subprotocol; use letters, digits and hyphens`);
    this.#options = options;
    this.#isFixed = address !== undefined && this.#target.name === undefined;
    this.#isSecure = Boolean(this.#fingerprint) || this.#server?.tls === true;
    if (this.#server) this.#known = this.#candidates(this.#server);
  }

  async open({ key, settle, signal }) {
    this.#attempts++;
    this.#answered = [];
    this.#ended = signal;
    const protocols = [...this.#options.protocols ?? [], "halloo.v1", "halloo.key." + key];
    const socket = await this.#connect(protocols, signal);
    try {
      await settle();
      return socket;
    } catch {
      socket.close();
      throw new Failed("lost", `the server at ${this.url} does not say what it received`);
    }
  }

  isFinal(code, isStable) {
    if (isStable) this.#attempts = 1;
    const known = { ...this.#certainty, stable: isStable }, ends = isFinal({ kind: "closed", number: code }, known);
    if (isFinalCode(code) && !ends) this.#known = [];
    return ends || this.#isLastAttempt;
  }

  /** Returns why the next attempt would fail too, or nothing. */
  explain(error) {
    const ends = error.kind === "unsupported" || error.kind && isFinal(error, this.#certainty);
    return ends || this.#isLastAttempt ? error.message : "";
  }

  get #isLastAttempt() { return this.#attempts >= (this.#options.attempts ?? Infinity); }

  /** Requests a path from the server of the last connection. */
  async request(path, timeout) {
    const { address, url } = this.#base, signal = AbortSignal.any([this.#ended, AbortSignal.timeout(timeout)]);
    const { socket } = await dial([address], signal, timeout);
    try {
      const stream = await this.#secured(socket, address, url, signal, timeout);
      const { status, body } = await get(stream, "/" + path, url.authority, signal);
      // The link follows no redirect, like a page.
      return { status: status >= 300 && status < 400 ? 0 : status, json: async () => JSON.parse(body) };
    } finally {
      socket.destroy();
    }
  }

  // Tries the addresses that are known, and searches if none of them leads to the server.
  async #connect(protocols, signal) {
    this.#certainty = { given: this.#isFixed };
    let addresses = this.#known, hasSearched = addresses.length === 0, failure;
    if (hasSearched) addresses = await this.#locate(signal);
    for (;;) {
      while (addresses.length) {
        let socket, address;
        try {
          ({ socket, address, left: addresses } = await dial(addresses, signal));
        } catch (error) {
          signal.throwIfAborted();
          failure ??= error;
          break;
        }
        try {
          return await this.#handshake(socket, address, protocols, signal);
        } catch (error) {
          if (!(error instanceof Failed)) throw error;
          failure = error;
          this.#certainty = { ...this.#certaintyAt(address, error.namedId), others: addresses.length > 0 };
          if (isFinal(error, this.#certainty) || error.kind === "unsupported") throw error;
        }
      }
      if (hasSearched || this.#isFixed) throw failure;
      hasSearched = true;
      addresses = await this.#locate(signal);
      if (!addresses.length && failure) throw failure;
    }
  }

  #certaintyAt(address, namedId) {
    const server = this.#server, isNamed = namedId !== undefined && server !== undefined;
    const found = isNamed ? namedId === server.id && this.#answered.length > 0 : this.#answered.includes(address);
    return { given: this.#isFixed, found };
  }

  async #locate(signal) {
    const { address, name } = this.#target;
    if (address) {
      const { host, zone, port } = address;
      if (isIP(host)) return [format(zone ? `${host}%${zone}` : host, port)];
      const found = await resolve(address, signal);
      signal.throwIfAborted();
      // It is an address from now on, as long as it has one.
      this.#isFixed = found.length > 0 || name === undefined;
      this.#certainty = { given: this.#isFixed };
      if (found.length) return found;
      if (name === undefined) {
        throw new Failed("lost", `the host ${address.host} has no address; check its name, or use an IP address`);
      }
    }
    this.state = "searching";
    try {
      return await this.#search(signal);
    } finally {
      this.state = undefined;
    }
  }

  async #search(signal) {
    const { app, local, discoveryPort: port, searchTimeout = SEARCH_TIMEOUT } = this.#options, before = this.#server;
    const name = before?.name || this.#target.name, search = new Search({ app, local, port, signal });
    const [matching, others] = await search.find(name, searchTimeout, before?.addresses);
    const same = [...matching, ...others].filter(({ id }) => id === before?.id), found = same.length ? same : matching;
    if (!found.length) throw new Failed("lost", notFound(name, others, port));
    const server = leastBusy(found);
    if (!server) throw new Failed("lost", ambiguous(name, found));
    if (before?.id !== server.id) this.#confirmed = undefined;
    this.#server = server;
    this.#isSecure ||= server.tls;
    this.#answered = server.sources;
    const addresses = this.#candidates(server);
    // An id is searched for in each attempt, since another server may get the address.
    this.#known = server.name ? addresses : [];
    return addresses;
  }

  // Returns the addresses to try. One that is only claimed is left out if it is one of this machine.
  #candidates({ addresses, sources }) {
    const own = ownAddresses(), isOwn = address => own.includes(parse(address).ip), isHere = sources.some(isOwn);
    return addresses.filter(address => sources.includes(address) || isHere || !isOwn(address));
  }

  #urlAt(address) {
    const { ip, port } = parse(address), [host, zone = null] = ip.split("%");
    const url = (this.#server ? undefined : this.#target.address) ?? new Address({ host, zone, port });
    const secured = url.with({ tls: url.tls || this.#isSecure });
    return this.#options.room == null ? secured : secured.inRoom(this.#options.room);
  }

  #secured(socket, address, url, signal, timeout) {
    if (!url.tls) return socket;
    return secure(socket, address, { host: url.host, shown: url.shown, fingerprint: this.#fingerprint }, signal, timeout);
  }

  // Completes the handshake, with a new connection for each challenge of the server.
  async #handshake(socket, address, protocols, signal) {
    const url = this.#urlAt(address), server = this.#server, token = this.#token;
    const id = server && hasId(server) ? server.id : undefined, isClaimed = server && !server.sources.includes(address);
    const mustConfirm = id !== undefined && Boolean(isClaimed || this.#confirmed === id);
    let known = server && challengeOf(server);
    try {
      for (let asked = 0; asked <= MAX_CHALLENGES; asked++) {
        const exchange = token && known ? Exchange.begin(token, known.id, known.challenge, randomBytes(16)) : undefined;
        const ask = {
          key: randomBytes(16).toString("base64"), id, mustConfirm, token, exchange, protocols, deflate: true,
          awaitsChallenge: Boolean(token) && !exchange && !url.tls,
        };
        const stream = await this.#secured(socket, address, url, signal);
        stream.write(request(url, ask));
        const { outcome, rest } = await readOutcome(stream, ask, url, signal), { accepted, refused } = outcome;
        if (accepted) return this.#accept({ accepted, exchange, address, url }, new Socket(stream, rest, {
          isDeflated: accepted.isDeflated, maxMessageBytes: this.#options.maxMessageBytes,
        }));
        known = token && refused?.challenge;
        if (!known || exchange && !known.stale) throw failureOf(outcome, url);
        socket.destroy();
        ({ socket } = await dial([address], signal));
      }
      throw new Failed("lost", `the server at ${url.shown} asks for a proof of the token again and again`);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  #accept({ accepted: { confirmed }, exchange, address, url }, socket) {
    if (confirmed) this.#confirmed = this.#server.id;
    const proven = confirmed || exchange !== undefined || Boolean(this.#fingerprint);
    this.#certainty = { ...this.#certaintyAt(address), proven };
    this.#base = { address, url };
    this.url = url.shown;
    return socket;
  }
}

function failureOf({ refused, wrong_server: wrong, no_websocket: none }, { shown }) {
  if (wrong) return new Failed("wrong server", `the server at ${shown} is not the right one: ${wrong}`);
  if (none) return new Failed("no WebSocket", `no WebSocket server at ${shown}: ${none}; check the address`);
  if (!refused) return new Failed("lost", `the server at ${shown} closed the connection during the handshake`);
  const { status, text, challenge } = refused;
  const advice = status === 401 ? "; pass the token, or the invitation link that contains it" : "";
  const message = `the server at ${shown} refused (${status}): ${text}${advice}`;
  return new Failed("refused", message, { number: status, namedId: challenge?.id });
}
