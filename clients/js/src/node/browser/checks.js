// The checks over TCP, a few at a time, shared by the addresses that cause them.
import { sourceOf } from "./addresses.js";

// At a time: all; those of what is not proven; of those the ones that are only claimed; those of one source.
const MAX_CHECKS = 16, MAX_UNPROVEN = 12, MAX_CLAIMED = 4, MAX_FOR_SOURCE = 3;
const MAX_WAITING = 64;

/** What is checked: a server that has proven its address, one that has not, or an address that was claimed. */
export const PROVEN = 2, UNPROVEN = 1, CLAIMED = 0;

export class Checks {
  #waiting = []; #running = [];

  /** Adds an address that was claimed. The source with the most addresses loses one when there are too many. */
  add(address) {
    if (this.#running.some(one => one.address === address) || this.#waiting.includes(address)) return;
    if (this.#waiting.length >= MAX_WAITING) {
      const count = of => this.#waiting.filter(other => sourceOf(other) === sourceOf(of)).length;
      const counts = this.#waiting.map(count), most = Math.max(...counts);
      if (most <= count(address) + 1) return;
      // The newest of the source, so that the others keep their turn.
      this.#waiting.splice(counts.lastIndexOf(most), 1);
    }
    this.#waiting.push(address);
  }

  /** Returns whether a check of `address` may start. */
  allows(address, purpose) {
    const count = of => this.#running.filter(of).length, source = sourceOf(address);
    const unproven = count(one => one.purpose === UNPROVEN), claimed = count(one => one.purpose === CLAIMED);
    const reserved = this.#waiting.length ? unproven + MAX_CLAIMED : unproven + claimed;
    const isFree = purpose === PROVEN || (purpose === UNPROVEN ? reserved < MAX_UNPROVEN
      : claimed < MAX_CLAIMED && unproven + claimed < MAX_UNPROVEN);
    return isFree && this.#running.length < MAX_CHECKS && count(one => sourceOf(one.address) === source) < MAX_FOR_SOURCE;
  }

  /** Starts a check that is allowed. */
  start(address, purpose) { this.#running.push({ address, purpose }); }

  /** Starts the check of an address that was claimed, and returns it. */
  pollClaimed() {
    const index = this.#waiting.findIndex(address => this.allows(address, CLAIMED));
    if (index < 0) return undefined;
    const [address] = this.#waiting.splice(index, 1);
    this.start(address, CLAIMED);
    return address;
  }

  /** Handles the end of a check. */
  handleResult(address) {
    const index = this.#running.findIndex(one => one.address === address);
    if (index >= 0) this.#running.splice(index, 1);
  }
}
