// When to probe all servers. Times are in milliseconds.
import { intervals, START_PROBES } from "../search.js";

// The delay while a server is suspect.
const SUSPECT = 500;

export class Schedule {
  #next = 0; #last; #sent = 0; #intervals = intervals();

  /** Brings the next probe forward, because there is a server to probe. */
  hasten(now) {
    // Servers that come and go do not raise the rate without bound.
    const earliest = this.#last === undefined ? now : Math.max(now, this.#last + SUSPECT);
    this.#next = Math.min(this.#next, earliest);
  }

  /** Returns when the next probe is due. */
  next(hasSuspect) {
    // The first delays are short enough as they are.
    const isEarly = hasSuspect && this.#last !== undefined && this.#sent > START_PROBES;
    return isEarly ? Math.min(this.#next, this.#last + SUSPECT) : this.#next;
  }

  /** Returns the probe that is due, if there is one, and schedules the next. */
  poll(hasSuspect, now) {
    if (now < this.next(hasSuspect)) return undefined;
    let isWide = false;
    // A probe because of a suspect server does not count as a scheduled one.
    if (now >= this.#next) {
      let delay;
      [delay, isWide] = this.#intervals.next().value;
      this.#sent++;
      this.#next = now + delay;
    }
    this.#last = now;
    return { isWide };
  }
}
