// When to ping, and when a silent server is given up. Times are in milliseconds of any clock.
const SILENT_HEARTBEATS = 3;

export class Keepalive {
  #heartbeat; #alive; #resumed; #sent; #isNew = true;

  constructor(now, heartbeat) {
    this.#heartbeat = heartbeat;
    this.#alive = this.#resumed = now;
  }

  /** Records that anything arrived. */
  handleBytes(now) { this.#alive = now; }

  /** Records that a pong arrived. */
  handlePong(now) {
    this.#alive = now;
    this.#sent = undefined;
  }

  /**
   * Records a wait that should have ended at `due`. If it was much later, this process did not run: that time proves nothing
   * about the server.
   */
  handleWait(now, due) {
    if (now - due > Math.max(this.#heartbeat, 100)) this.#resumed = now;
  }

  /** Returns what to do, `ping` or `dead`, or `wait` and the time of the next call. */
  poll(now) {
    const heartbeat = this.#heartbeat;
    if (!heartbeat) return ["wait", Infinity];
    if (this.#isNew) {
      // It measures the round trip.
      this.#isNew = false;
      this.#sent = now;
      return ["ping", now];
    }
    const alive = Math.max(this.#alive, this.#resumed), deadAt = alive + SILENT_HEARTBEATS * heartbeat;
    if (now >= deadAt) return ["dead", now];
    if (now < alive + heartbeat) return ["wait", alive + heartbeat];
    if (this.#sent >= alive) return ["wait", deadAt];
    this.#sent = now;
    return ["ping", now];
  }
}
