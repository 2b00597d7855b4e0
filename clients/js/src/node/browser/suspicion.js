// Whether a server is still there: after a silence, or because a datagram says that it is gone. Times are in milliseconds.

// From becoming suspect to the check over TCP, and to being lost if nothing is received at all, which can be the network's
// fault. A refused connection counts at once.
const CHECK_DELAY = 1500, SUSPECT_TIMEOUT = 5500;
// Between two checks over TCP that fail at once, and between two probes.
const CHECK_INTERVAL = 500, PROBE_INTERVAL = 1000;
// After a goodbye: the probes, their interval, and the time to the check over TCP; the time to being lost if nothing is
// received at all, and the time that a check is given.
const HASTY_PROBES = 3, HASTY_INTERVAL = 25, HASTY_TIMEOUT = 80, HASTY_CHECK_TIME = 50;

export class Suspicion {
  // What proves that the server was there after this began, and the addresses whose check has not started, and is in progress.
  #since; #nextProbe; #probes = 0; #nonce; #nextCheck; #checked; #toCheck = []; #checking = []; #allRefused = true;
  #believesSilence;
  /** A datagram says that the server is gone, so only a proof shows that it is not. */
  isHasty;

  /** After a silence. A server that never replied was probed all the time, without success. */
  static afterSilence(hasReplied, now) { return new Suspicion(hasReplied ? now + CHECK_DELAY : now, false, false, now); }

  /** After a datagram that says that the server is gone. */
  static afterGoodbye(believesSilence, now) { return new Suspicion(now + HASTY_INTERVAL, true, believesSilence, now); }

  constructor(nextCheck, isHasty, believesSilence, now) {
    this.#since = this.#nextProbe = now;
    this.#nextCheck = nextCheck;
    this.isHasty = isHasty;
    this.#believesSilence = believesSilence;
  }

  /** For a server that does not answer probes: the check over TCP alone decides. */
  withoutProbes() {
    this.#nextProbe = Infinity;
    return this;
  }

  /**
   * Returns the number of the probe that is due, and its nonce. A server that has proven nothing is probed once: the address
   * may belong to a third party.
   */
  pollProbe(isProven, nextNonce, now) {
    if (now < this.#nextProbe) return undefined;
    this.#probes++;
    const delay = this.isHasty && this.#probes < HASTY_PROBES ? HASTY_INTERVAL : PROBE_INTERVAL;
    this.#nextProbe = isProven ? now + delay : Infinity;
    return { nonce: this.#nonce ??= nextNonce(), number: this.#probes };
  }

  /** Returns whether the nonce was sent since this began. */
  isProof(nonce) { return nonce !== undefined && this.#nonce === nonce; }

  /** Checks all addresses, of which one may have been taken by another server. */
  handleAddressTaken(address, now) {
    this.#toCheck = this.#toCheck.filter(own => own !== address);
    this.#nextCheck = Math.min(this.#nextCheck, now);
  }

  /** Starts the checks of `addresses` when they are due. Returns whether the server is lost: it said goodbye and is silent. */
  handleTimeout(addresses, now) {
    if (now >= this.#nextCheck) {
      this.#nextCheck = Infinity;
      this.#toCheck = [...addresses];
      this.#allRefused = true;
    }
    return now >= this.#silenceEnds;
  }

  // When a server that said goodbye is lost. Checks of other servers must not use up the time of this one.
  get #silenceEnds() {
    const isSilence = this.isHasty && this.#believesSilence && this.#checked !== undefined && !this.#toCheck.length;
    return isSilence ? Math.max(this.#since + HASTY_TIMEOUT, this.#checked + HASTY_CHECK_TIME) : Infinity;
  }

  /**
   * Handles a failed check; `isRefused` if this server is certainly not there. Returns whether it is lost, which it is after
   * `deadline` even if nothing was refused.
   */
  handleFailedCheck(address, isRefused, deadline, now) {
    this.#checking = this.#checking.filter(one => one !== address);
    this.#allRefused &&= isRefused;
    if (this.#checking.length || this.#toCheck.length) return false;
    if (this.#allRefused || now >= (deadline ?? this.#since + SUSPECT_TIMEOUT)) return true;
    this.#nextCheck = now + CHECK_INTERVAL;
    return false;
  }

  get nextToCheck() { return this.#toCheck.at(-1); }

  /** Handles that the check of `nextToCheck` starts. */
  handleCheckStarted(now) {
    this.#checking.push(this.#toCheck.pop());
    this.#checked = now;
  }

  isChecking(address) { return this.#checking.includes(address); }

  get nextTimeout() { return Math.min(this.#nextProbe, this.#nextCheck, this.#silenceEnds); }
}
