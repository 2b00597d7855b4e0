
// Half of a frame less than 60 Hz, so that a screen of 60 Hz misses none and one of 120 Hz uses every second.
const MIN_INTERVAL = 15;

// Sends the newest state: changes of a frame in one message, and nothing while the socket has not sent the one before.
class Sender {
  #link; #join; #state = {}; #changes = {}; #releases = {}; #frame = 0; #last = 0;

  constructor(link, join) {
    this.#link = link;
    this.#join = join;
    if (link.state === "connected") this.introduce();
  }

  /** Replaces the controls. Those that are gone are released first. */
  define(neutral) {
    this.release();
    this.flush(true);
    this.#state = { ...neutral };
    this.#changes = { ...neutral };
    this.#releases = {};
    this.#schedule();
  }

  /** Sends who plays, and the whole state. */
  introduce() {
    this.#changes = { join: this.#join(), ...this.#state };
    this.#releases = {};
    this.flush(true);
  }

  set(key, value) {
    if (String(this.#state[key]) === String(value)) return;
    this.#state[key] = value;
    // A tap that is shorter than a frame must be seen pressed and then released.
    if (value === 0 && this.#changes[key] === 1) this.#releases[key] = 0;
    else {
      delete this.#releases[key];
      this.#changes[key] = value;
    }
    this.#schedule();
  }

  /** Sends what is not a state. */
  occur(key, value) {
    this.#changes[key] = value;
    this.#schedule();
  }

  /** Returns whether a message was sent at once. */
  sendNow(message) {
    return this.#link.state === "connected" && this.#link.send(JSON.stringify(message)) === "sent";
  }

  release() {
    for (const [key, value] of Object.entries(this.#state)) this.set(key, neutralOf(value));
  }

  flush(now) {
    this.#frame = 0;
    // A new connection begins with the whole state.
    if (this.#link.state !== "connected") this.#changes = this.#releases = {};
    if (!Object.keys(this.#changes).length) return;
    const time = performance.now();
    if ((now || time - this.#last >= MIN_INTERVAL) && this.sendNow(this.#changes)) {
      this.#last = time;
      this.#changes = this.#releases;
      this.#releases = {};
    }
    this.#schedule();
  }

  #schedule() {
    if (this.#frame || !Object.keys(this.#changes).length) return;
    // There are no frames in the background.
    this.#frame = document.hidden ? setTimeout(() => this.flush(), 50) : requestAnimationFrame(() => this.flush());
  }
}

const neutralOf = value => Array.isArray(value) && value.length === 2 ? [0, 0] : typeof value === "number" ? 0 : null;
