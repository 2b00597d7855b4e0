// The servers on the network: from datagrams and results of checks, it determines which servers are found, updated and lost,
// and where to send the next probes and checks. It has no socket and no clock; times are in milliseconds.
//
// A server sends no beacons while it has clients, so silence alone does not remove one: it is suspect then, is probed more
// often, then checked over TCP, and is lost only if both fail.
//
// Any device can send any datagram from any address, and read what is broadcast. What a datagram says is therefore a claim.
// It lists a server that is not known, and has no effect on one that has proven its address: there it only causes a probe with
// a nonce of its own to that address, or a check over TCP.
import { format, isLoopback, lists, parse, portAt, read, readBody } from "../datagrams.js";
import { isSameApp } from "../names.js";
import { isLinkLocal, sourceOf, withPort } from "./addresses.js";
import { Checks, PROVEN, UNPROVEN } from "./checks.js";
import { BEACON, Entry, isProof, PROOF, REPLY, RESPONSE } from "./entry.js";
import { Proofs } from "./proofs.js";
import { Schedule } from "./schedule.js";

const MAX_SERVERS = 256;
// The part of the free places that the servers of one source can take with claims alone.
const SHARE = 4;
// A server that said goodbye or was replaced is listed only with a proof for this time: its last reply may still arrive.
const DEPARTED_TIME = 1000, MAX_DEPARTED = 64;

export class Tracker {
  #nonce; #discoveryPort; #app; #nextNonce;
  #entries = []; #departed = []; #proofs = new Proofs(); #checks = new Checks(); #schedule = new Schedule(); #changes = [];

  /** Probes to all contain `nonce`; each other one contains what `nextNonce` returns, which no other device can predict. */
  constructor({ nonce, nextNonce, discoveryPort, app }) {
    this.#nonce = nonce;
    this.#nextNonce = nextNonce;
    this.#discoveryPort = discoveryPort;
    this.#app = app;
  }

  /** The servers that are known now, in the order in which they were found. */
  get servers() { return this.#entries.filter(({ isReported }) => isReported).map(copy); }

  /** Handles a datagram. Only its source address is used: the address inside can be wrong or forged. */
  handleDatagram(bytes, { ip, port }, now) {
    const seen = read(bytes), from = format(ip, port);
    if (seen?.service === "websocket_server") this.#observe(seen, from, BEACON, now);
    if (seen?.service === "websocket_server_bye") this.#handleGoodbye(seen, ip, now);
    if (seen?.service !== "websocket_server_reply") return;
    const proves = this.#proofs.isProof(seen.nonce, ip) || this.#entries.some(entry => entry.isProof(seen.nonce, ip));
    if (proves) this.#observe(seen, from, PROOF, now);
    else if (seen.nonce === this.#nonce) this.#observe(seen, from, REPLY, now);
  }

  /**
   * Handles the result of a check that `pollCheck` returned: the `body` of a response, `unexpected` for any other response,
   * `refused`, or none of them for no response.
   */
  handleCheckResult(address, { body, unexpected, refused }, now) {
    this.#checks.handleResult(address);
    const seen = body && readBody(body), reply = seen?.service === "websocket_server_reply" ? seen : undefined;
    const entry = this.#entries.find(one => one.isChecking(address));
    if (entry) {
      const listens = body !== undefined || unexpected === true, isSame = reply && reply.id === entry.sentId;
      if (isSame && entry.sentId !== undefined || listens && !reply && entry.sentId === undefined) entry.handleProof(now);
      else if (entry.handleFailedCheck(address, refused === true || reply !== undefined, now)) this.#lose(entry, now);
    }
    if (reply) this.#observe(reply, withPort(address, 0), RESPONSE, now);
  }

  /** Handles the passing of time; see `nextTimeout`. */
  handleTimeout(now) {
    for (const entry of [...this.#entries].reverse()) {
      if (entry.handleTimeout(now)) this.#lose(entry, now);
    }
    for (let address; (address = this.#proofs.pollUnanswered(now)) !== undefined;) this.#checks.add(address);
    this.#departed = this.#departed.filter(({ until }) => until > now);
  }

  /** Returns a probe to send now: to all, perhaps to all ports (`isWide`), or to one address (`to`). */
  pollProbe(now) {
    const toAll = this.#schedule.poll(this.#hasSuspect, now);
    if (toAll) return { ...toAll, nonce: this.#nonce };
    for (const entry of this.#entries) {
      const due = entry.pollProbe(this.#discoveryPort, this.#nextNonce, now);
      if (due) return due;
    }
    return this.#proofs.pollProbe(this.#nextNonce, now);
  }

  /** Returns an address from which to request `GET /discovery.json`. Each needs a result. */
  pollCheck(now) {
    for (const purpose of [PROVEN, UNPROVEN]) {
      for (const entry of this.#entries.filter(({ isProven }) => isProven === (purpose === PROVEN))) {
        const suspect = entry.nextToCheck, due = entry.detailsDue;
        if (suspect !== undefined && this.#checks.allows(suspect, purpose)) {
          entry.handleCheckStarted(now);
          this.#checks.start(suspect, purpose);
          return suspect;
        }
        if (due !== undefined && this.#checks.allows(due, purpose)) {
          entry.handleDetailsRequested();
          this.#checks.start(due, purpose);
          return due;
        }
      }
    }
    return this.#checks.pollClaimed();
  }

  /** Returns the next change: its `type`, `found`, `updated` or `lost`, and the `server`. */
  pollChange() { return this.#changes.shift(); }

  /** When to call `handleTimeout` and the polls again. */
  get nextTimeout() {
    const own = Math.min(this.#schedule.next(this.#hasSuspect), this.#proofs.nextTimeout);
    return Math.min(own, ...this.#entries.map(entry => entry.nextTimeout));
  }

  get #hasSuspect() { return this.#entries.some(entry => entry.hasReplied && entry.isSuspect); }

  #report(type, entry) { this.#changes.push({ type, server: copy(entry) }); }

  // Handles a beacon, a reply, or a response over TCP.
  #observe(seen, from, evidence, now) {
    const { ip } = parse(from), port = portAt(seen, ip);
    if (port === undefined) return;
    const address = format(ip, port), { id } = seen, proves = isProof(evidence);
    const to = evidence === REPLY ? from : withPort(from, this.#discoveryPort);
    if (proves) {
      this.#proofs.handleProof(address);
      this.#departed = this.#departed.filter(gone => gone.id !== id);
    }
    let known = this.#position(id, address);
    if (known?.hasBorrowedId && !this.#entries.some(({ server }) => server.id === id)) {
      // The server that had this id before is gone.
      if (proves) {
        this.#remove(known);
        known = undefined;
      } else known.requestId();
    }
    const isElsewhere = known !== undefined && !known.isHeardAt(address);
    const isTaken = this.#entries.some(entry => entry !== known && entry.isHeardAt(address) && entry.isProven);
    if (!proves && (isElsewhere || isTaken || this.#departed.some(gone => gone.id === id))) {
      this.#proofs.request(address, to, now);
      return;
    }
    let shownId = id;
    if (isElsewhere) {
      const place = this.#place(known, seen, address, now);
      if (place === "ignored") return;
      if (place === "undecided") {
        known.handleRival(address, withPort(address, parse(to).port), now);
        this.#forgetProofs(known);
        return;
      }
      if (place === "another") [known, shownId] = [undefined, address];
    }
    if (!known && !this.#makeRoom(address, proves)) {
      if (!proves) {
        this.#proofs.request(address, to, now);
        // The more often a server replies, the sooner it is asked for its proof.
        this.#schedule.hasten(now);
      }
      return;
    }
    shownId = known?.server.id ?? shownId ?? address;
    this.#releaseAddress(address, shownId, now);
    if (!known) this.#entries.push(new Entry(shownId, id, now));
    const entry = this.#entries.find(({ server }) => server.id === shownId);
    if (!entry) return;
    const hasChanged = entry.observe(seen, address, from, evidence, now);
    const isClaim = evidence === REPLY && !entry.isProven;
    const request = entry.pollRequest(now) && (isClaim ? to : entry.addresses.receivesAt(address, this.#discoveryPort));
    this.#reportEntry(entry, hasChanged);
    const rival = entry.pollRival();
    if (request) this.#proofs.request(address, request, now);
    if (rival) this.#proofs.request(rival.address, rival.to, now);
    // A reply contains more than a beacon.
    if (!known && evidence === BEACON) this.#schedule.hasten(now);
  }

  // Reports a server that was observed, if it passes the filter.
  #reportEntry(entry, hasChanged) {
    const { app } = entry.server, passes = this.#app === undefined || app !== null && isSameApp(app, this.#app);
    if (!entry.isReported && passes) this.#report("found", entry);
    else if (entry.isReported && !passes) this.#report("lost", entry);
    else if (entry.isReported && hasChanged) this.#report("updated", entry);
    entry.isReported = passes;
  }

  // Returns the server that a datagram about `address` with this id is from.
  #position(id, address) {
    // A server can be configured to send beacons without an id.
    const isThere = entry => entry.isHeardAt(address) && (id === undefined || entry.sentId === id);
    const hasId = entry => id !== undefined && entry.sentId === id && !entry.hasBorrowedId;
    return this.#entries.find(isThere) ?? this.#entries.find(hasId);
  }

  // Decides what it means that `address`, at which the server was not seen, has proven to have its id.
  #place(entry, seen, address, now) {
    if (!entry.isProven) {
      // Until now, the id was only claimed.
      entry.clearAddresses();
      return "same";
    }
    if (entry.addresses.canInclude(address)) return "same";
    // Each server knows its own addresses, but a reply does not always list all of them.
    const listsKnown = entry.server.sources.some(own => lists(seen, parse(own).ip));
    if (isLoopback(parse(address).ip) || listsKnown) return "ignored";
    if (!entry.isSurelyThere(now)) return "undecided";
    // An interface may have several link-local addresses, which no reply lists.
    return isLinkLocal(address) ? "ignored" : "another";
  }

  // Removes `address` from all servers other than `id`: two servers cannot share an address and port.
  #releaseAddress(address, id, now) {
    const isOther = entry => entry.server.id !== id && entry.isHeardAt(address);
    for (let other; (other = this.#entries.find(isOther));) {
      if (other.handleAddressTaken(address, now)) this.#removeDeparted(other, now);
      else if (other.isReported) this.#report("updated", other);
    }
  }

  // Returns whether there is room for a server at `address`. One that has proven its address takes the place of one that has
  // not; otherwise the source with the most servers loses one.
  #makeRoom(address, proves) {
    const counts = new Map();
    for (const { addresses: { source } } of this.#entries) counts.set(source, (counts.get(source) ?? 0) + 1);
    const own = counts.get(sourceOf(address)) ?? 0, free = MAX_SERVERS - this.#entries.length;
    if (!proves && own >= Math.max(free / SHARE, 1)) return false;
    if (free > 0) return true;
    const count = entry => counts.get(entry.addresses.source);
    const candidates = this.#entries.filter(entry => proves || !entry.isProven);
    candidates.sort((a, b) => a.isProven - b.isProven || count(b) - count(a) || a.lastReceived - b.lastReceived);
    const [victim] = candidates;
    if (!victim || victim.isProven === proves && count(victim) <= own + 1) return false;
    this.#remove(victim);
    return true;
  }

  #handleGoodbye({ id }, ip, now) {
    // From any other address it is forged, and even from this one it can be.
    const entry = this.#entries.find(one => id !== undefined && one.sentId === id && one.addresses.containIp(ip));
    if (!entry) return;
    entry.handleGoodbye(now);
    this.#forgetProofs(entry);
  }

  // Forgets the probes that were sent to a server before it may have gone.
  #forgetProofs({ server }) { server.sources.forEach(address => this.#proofs.handleProof(address)); }

  // Handles that a server is not at its address. If another one has its id, it has moved there.
  #lose(entry, now) {
    const { isHasty } = entry, rival = entry.takeOver(now);
    if (!rival) return isHasty ? this.#removeDeparted(entry, now) : this.#remove(entry);
    if (entry.isReported) this.#report("updated", entry);
    this.#releaseAddress(rival.address, entry.server.id, now);
    this.#proofs.request(rival.address, rival.to, now);
  }

  // Removes a server and lists it again only with a proof for a while.
  #removeDeparted(entry, now) {
    if (this.#departed.length >= MAX_DEPARTED) this.#departed.shift();
    this.#departed.push({ id: entry.server.id, until: now + DEPARTED_TIME });
    this.#remove(entry);
  }

  #remove(entry) {
    this.#entries = this.#entries.filter(one => one !== entry);
    if (entry.isReported) this.#report("lost", entry);
  }
}

// What the application gets is its own.
function copy({ server }) {
  const { addresses, sources, meta } = server, url = `${server.tls ? "wss" : "ws"}://${addresses[0]}`;
  return { ...server, addresses: [...addresses], sources: [...sources], meta: { ...meta }, url };
}
