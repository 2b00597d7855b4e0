// Addresses that are asked to prove what a datagram claims. Any device can send a datagram with any source and any content. A
// reply to a nonce that was sent to one address alone shows what is at that address. Times are in milliseconds.
import { parse } from "../datagrams.js";
import { sourceOf } from "./addresses.js";

const MAX_PENDING = 1024;
// While many wait, half of the probes go to the address that waits longest, and half to the newest one.
const PROBE_INTERVAL = 2, BURST = 32;
// After a probe: no other is sent to the address; it is checked over TCP; its reply is not accepted any more.
const RETRY_DELAY = 250, CHECK_DELAY = 100, REPLY_TIME = 1000;

export class Proofs {
  // In the order in which they are probed: where the server accepts connections, and where it receives probes.
  #pending = []; #next = 0; #prefersNewest = false;

  /** Requests a proof from `address` by a probe to `to`. A datagram leads to at most one probe. */
  request(address, to, now) {
    const known = this.#pending.find(one => one.address === address);
    if (known && !(now >= known.sentAt + RETRY_DELAY)) return;
    if (known) this.handleProof(address);
    const pending = { address, source: sourceOf(address), to, nonce: undefined, sentAt: undefined, isChecked: false };
    if (this.#pending.length >= MAX_PENDING) {
      const victim = Math.floor(Math.random() * this.#pending.length);
      const count = source => this.#pending.filter(one => one.source === source).length;
      if (count(this.#pending[victim].source) <= count(pending.source)) return;
      this.#pending.splice(victim, 1);
    }
    this.#pending.push(pending);
  }

  /** Returns the next probe that is due. */
  pollProbe(nextNonce, now) {
    if (now + PROBE_INTERVAL * BURST < this.#next) return undefined;
    const isWaiting = ({ sentAt }) => sentAt === undefined;
    const pending = this.#prefersNewest ? this.#pending.findLast(isWaiting) : this.#pending.find(isWaiting);
    if (!pending) return undefined;
    this.#prefersNewest = !this.#prefersNewest;
    pending.nonce = nextNonce();
    pending.sentAt = now;
    this.#next = Math.max(this.#next, now) + PROBE_INTERVAL;
    return { to: pending.to, nonce: pending.nonce };
  }

  /** Returns whether a reply from `ip` proves something: it repeats the nonce that was sent there. */
  isProof(nonce, ip) {
    return nonce !== undefined && this.#pending.some(one => one.nonce === nonce && parse(one.to).ip === ip);
  }

  /** Handles that `address` has proven what it claimed. */
  handleProof(address) { this.#pending = this.#pending.filter(one => one.address !== address); }

  /** Returns an address that did not reply, once, and forgets those that were given enough time. */
  pollUnanswered(now) {
    this.#pending = this.#pending.filter(({ sentAt }) => sentAt === undefined || now < sentAt + REPLY_TIME);
    const unanswered = this.#pending.find(one => !one.isChecked && now >= one.sentAt + CHECK_DELAY);
    if (unanswered) unanswered.isChecked = true;
    return unanswered?.address;
  }

  get nextTimeout() {
    const timeouts = this.#pending.map(({ sentAt, isChecked }) => {
      if (sentAt === undefined) return Math.max(0, this.#next - PROBE_INTERVAL * BURST);
      return sentAt + (isChecked ? REPLY_TIME : CHECK_DELAY);
    });
    return Math.min(Infinity, ...timeouts);
  }
}
