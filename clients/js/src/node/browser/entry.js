// One server: the addresses its datagrams came from, and whether it is still there. Times are in milliseconds.
import { listedIn, parse } from "../datagrams.js";
import { Addresses } from "./addresses.js";
import { Suspicion } from "./suspicion.js";

// Silence after which a server that replies to probes becomes suspect, and one that only sends beacons without a TTL.
const MAX_SILENCE = 3500, DEFAULT_TTL = 8;
// So that one late datagram does not make a server suspect, and a huge TTL does not keep it forever.
const MIN_TTL = 2, MAX_TTL = 60;
// Between two requests for what a truncated reply leaves out.
const DETAILS_INTERVAL = 10000;
// Between two requests for a proof, which doubles while there is none.
const MIN_PROOF_INTERVAL = 500, MAX_PROOF_INTERVAL = 10000;
// Between two goodbyes that are verified; after a false one, silence alone does not confirm another one.
const GOODBYE_INTERVAL = 500, FALSE_GOODBYE_TIME = 60000;
// After a proof, a server needs no other one to keep its id.
const PROOF_TIME = 2000;

/** Why a datagram or a response over TCP is believed, or not: the first two are claims. */
export const BEACON = 0, REPLY = 1, PROOF = 2, RESPONSE = 3;
export const isProof = evidence => evidence >= PROOF;

export class Entry {
  /** Whether the application knows of the server: it passes the filter of the browser. */
  isReported = false;
  server; sentId; addresses = new Addresses();
  #hasReplied = false; #ttl = DEFAULT_TTL * 1000; #suspicion; #lastReceived;
  // Where to request what truncated replies leave out, and when again; whether a complete reply was received.
  #details = { due: undefined, next: 0, isKnown: false };
  // When it last proved that it is at an address; whether a datagram differs from what was proven.
  #proven; #isContradicted = false; #nextRequest; #requestInterval = MIN_PROOF_INTERVAL;
  #nextGoodbye; #hasGoodbye = false; #lastFalseGoodbye = -Infinity;
  // Where another server proved to have this id, and where that receives probes.
  #rival;

  constructor(id, sentId, now) {
    this.server = {
      id, name: "", addresses: [], sources: [], clients: null, auth: false, tls: false, app: null, cluster: null, meta: {},
    };
    this.sentId = sentId;
    this.#nextRequest = this.#nextGoodbye = this.#lastReceived = now;
  }

  get lastReceived() { return this.#lastReceived; }
  get hasReplied() { return this.#hasReplied; }
  /** Whether the server has been silent for too long. */
  get isSuspect() { return this.#suspicion !== undefined && !this.#suspicion.isHasty; }
  get isHasty() { return this.#suspicion?.isHasty ?? false; }
  /** Whether it has proven that it is at its address. A beacon can be forged. */
  get isProven() { return this.#proven !== undefined; }
  /** Whether the id is that of another server, which was there first. */
  get hasBorrowedId() { return this.sentId !== undefined && this.sentId !== this.server.id; }

  /** Returns whether it has just proven that it is at its address, so that it has a better right to its id than another one. */
  isSurelyThere(now) { return !this.#suspicion && now <= this.#proven + PROOF_TIME; }

  isHeardAt(address) { return this.addresses.seen.includes(address); }

  /** Handles a datagram from `from` about `address`. Returns whether the server changed. */
  observe(seen, address, from, evidence, now) {
    const before = JSON.stringify(this.server), hasChanged = () => JSON.stringify(this.server) !== before;
    if (isProof(evidence)) {
      this.handleProof(now);
      this.addresses.addProven(seen, address, from);
    } else this.#handleClaim(now);
    this.addresses.addClaimed(address);
    // A truncated reply may list less than is known.
    const listed = seen.truncated && this.#details.isKnown ? undefined : listedIn(seen);
    if (this.isProven && !isProof(evidence)) {
      // Who sends it is not known. A changed number of clients does no harm; anything else has to be proven.
      if (this.#contradicts(seen, listed, evidence)) {
        this.#isContradicted = true;
        return false;
      }
      this.server.clients = seen.clients ?? this.server.clients;
      if (evidence === REPLY) this.#handleProperties(seen, address, now);
      return hasChanged();
    }
    this.#isContradicted = false;
    this.server.app = seen.app ?? this.server.app;
    if (evidence !== BEACON) {
      this.#hasReplied = true;
      this.#handleProperties(seen, address, now);
      this.addresses.setListed(listed, seen.advertised === true);
      this.server.auth = seen.auth ?? this.server.auth;
      this.server.tls = seen.tls ?? this.server.tls;
      this.server.cluster = seen.cluster ?? null;
    }
    if (seen.ttl !== undefined) this.#ttl = Math.min(Math.max(seen.ttl, MIN_TTL), MAX_TTL) * 1000;
    this.server.name = seen.name ?? this.server.name;
    this.server.clients = seen.clients ?? this.server.clients;
    this.#updateAddresses();
    return hasChanged();
  }

  /** Handles that another device has a better right to the id. */
  clearAddresses() { this.addresses = new Addresses(); }

  // Returns whether a datagram differs from what was proven, in what matters.
  #contradicts(seen, listed, evidence) {
    const { name, app, cluster, tls, auth } = this.server, isReply = evidence === REPLY;
    const isComplete = isReply && !seen.truncated;
    return seen.name !== undefined && seen.name !== name
      || (seen.app ?? null) !== app && (seen.app !== undefined || isComplete)
      || isReply && ((seen.tls ?? tls) !== tls || (seen.auth ?? auth) !== auth || (seen.cluster ?? null) !== cluster
        || !this.addresses.areListed(listed, seen.advertised === true));
  }

  /** Requests a proof with the next datagram, because the server that had the id before is gone. */
  requestId() { this.#isContradicted = true; }

  /** Returns whether to request a proof of what was claimed. An older server cannot give one. */
  pollRequest(now) {
    const isDue = (!this.isProven || this.#isContradicted) && now >= this.#nextRequest && this.sentId !== undefined;
    if (!isDue) return false;
    this.#nextRequest = now + this.#requestInterval;
    this.#requestInterval = Math.min(this.#requestInterval * 2, MAX_PROOF_INTERVAL);
    return true;
  }

  // Handles the application id and the properties in a reply.
  #handleProperties(seen, address, now) {
    const isComplete = !seen.truncated;
    if (isComplete) this.server.app = seen.app ?? null;
    else if (now >= this.#details.next) {
      this.#details.due = address;
      this.#details.next = now + DETAILS_INTERVAL;
    }
    if (isComplete || !this.#details.isKnown) this.server.meta = seen.meta ?? {};
    this.#details.isKnown ||= isComplete;
  }

  // Handles a datagram that may come from the server. It does not show that a goodbye is false.
  #handleClaim(now) {
    this.#lastReceived = now;
    if (!this.isHasty) this.#suspicion = undefined;
  }

  /** Handles a proof that the server is there. */
  handleProof(now) {
    this.#lastReceived = this.#proven = this.#nextRequest = now;
    this.#requestInterval = MIN_PROOF_INTERVAL;
    if (this.isHasty) this.#lastFalseGoodbye = now;
    this.#suspicion = undefined;
  }

  /** Handles a goodbye, or the proof that another server has the id. Only a flood of goodbyes is not verified at once. */
  handleGoodbye(now) {
    if (this.isHasty) return;
    this.#hasGoodbye = now < this.#nextGoodbye;
    if (this.#hasGoodbye) return;
    this.#nextGoodbye = now + GOODBYE_INTERVAL;
    // On a network that loses many datagrams, silence would make forged goodbyes credible.
    this.#beginSuspicion(Suspicion.afterGoodbye(now > this.#lastFalseGoodbye + FALSE_GOODBYE_TIME, now));
  }

  /** Handles that another server at `address`, which receives probes at `to`, has proven to have the id. */
  handleRival(address, to, now) {
    this.#rival = { address, to };
    this.handleGoodbye(now);
  }

  /** Returns the other server with the same id if this one has proven that it is still there. */
  pollRival() {
    if (this.#suspicion || this.#hasGoodbye) return undefined;
    const rival = this.#rival;
    this.#rival = undefined;
    return rival;
  }

  /**
   * Moves the server to the other one with the same id, because it is no longer at its own address. Returns that one; nothing
   * if there is none.
   */
  takeOver(now) {
    const rival = this.#rival;
    if (!rival) return undefined;
    this.#rival = this.#suspicion = undefined;
    this.addresses = new Addresses(rival.address, rival.to);
    this.#lastFalseGoodbye = -Infinity;
    this.#hasGoodbye = false;
    this.#lastReceived = this.#proven = now;
    this.#isContradicted = true;
    this.#updateAddresses();
    return rival;
  }

  /** Handles that another server is at `address` now. Returns whether no address of this one is left. */
  handleAddressTaken(address, now) {
    if (this.addresses.remove(address)) return true;
    this.#updateAddresses();
    this.#suspect(now);
    this.#suspicion.handleAddressTaken(address, now);
    return false;
  }

  /** Handles the passing of time. Returns whether the server is lost. */
  handleTimeout(now) {
    if (this.#hasGoodbye && now >= this.#nextGoodbye) this.handleGoodbye(now);
    if (now >= this.#lastReceived + this.#maxSilence) this.#suspect(now);
    return this.#suspicion?.handleTimeout(this.addresses.seen, now) ?? false;
  }

  /** Handles a failed check; `isRefused` if this server is certainly not there. Returns whether it is lost. */
  handleFailedCheck(address, isRefused, now) {
    // A server that never replied has used up its TTL already, unless another server took one of its addresses.
    const deadline = this.#hasReplied ? undefined : this.#lastReceived + this.#ttl;
    return this.#suspicion?.handleFailedCheck(address, isRefused, deadline, now) ?? false;
  }

  /** Returns where to send a probe to one address, if one is due: a broadcast does not reach every network. */
  pollProbe(discoveryPort, nextNonce, now) {
    const due = this.#suspicion?.pollProbe(this.isProven, nextNonce, now), { seen } = this.addresses;
    // Each of its addresses in turn.
    const address = due && seen[(due.number - 1) % seen.length];
    return address && { to: this.addresses.receivesAt(address, discoveryPort), nonce: due.nonce };
  }

  /** Returns whether a reply from `ip` proves that the server is there. */
  isProof(nonce, ip) {
    return this.addresses.seen.some(one => parse(one).ip === ip) && (this.#suspicion?.isProof(nonce) ?? false);
  }

  /** Where to request what truncated replies leave out. */
  get detailsDue() { return this.#details.due; }
  handleDetailsRequested() { this.#details.due = undefined; }

  /** An address to check over TCP. */
  get nextToCheck() { return this.#suspicion?.nextToCheck; }
  handleCheckStarted(now) { this.#suspicion?.handleCheckStarted(now); }
  isChecking(address) { return this.#suspicion?.isChecking(address) ?? false; }

  get nextTimeout() {
    const goodbye = this.#hasGoodbye ? this.#nextGoodbye : Infinity;
    return Math.min(goodbye, this.#suspicion ? this.#suspicion.nextTimeout : this.#lastReceived + this.#maxSilence);
  }

  get #maxSilence() { return this.#hasReplied ? MAX_SILENCE : this.#ttl; }

  #suspect(now) {
    if (!this.#suspicion) this.#beginSuspicion(Suspicion.afterSilence(this.#hasReplied, now));
  }

  #beginSuspicion(suspicion) {
    // A server without an id is older than probes. Its address may be any machine's that accepts connections.
    this.#suspicion = this.sentId === undefined ? suspicion.withoutProbes() : suspicion;
  }

  #updateAddresses() {
    this.server.sources = [...this.addresses.seen];
    this.server.addresses = this.addresses.bestFirst;
  }
}
