// A WebSocket on a connected stream, with the interface of the one in browsers as far as the link uses it.
//
// The one of the platform cannot be used: Node.js 20 has none, and none of them shows the response to the handshake, which
// confirms the server, or accepts a pinned certificate.
import { encode, encodeClose, OPCODES, Receiver, Violation } from "./frames.js";
import { Keepalive } from "./keepalive.js";
import { escape } from "./names.js";

const HEARTBEAT = 5000, WRITE_TIMEOUT = 10000, CLOSE_TIMEOUT = 3000;
// What is written at once, so that progress is noticed.
const WRITE_SIZE = 64 * 1024;

export class Socket {
  onclose = null;
  #stream; #receiver; #keepalive; #timer; #onmessage = null; #early;
  // Frames that are not written, their bytes, and when the last write was complete.
  #frames = []; #size = 0; #isWriting = false; #progress;
  // A `Blob` is read first; what is sent after it waits.
  #reading; #isClosing = false; #isEnded = false;

  /** `early` is what arrived behind the handshake. */
  constructor(stream, early, limits) {
    this.#stream = stream;
    this.#early = early;
    this.#receiver = new Receiver({
      message: data => this.#onmessage?.({ data }),
      ping: payload => this.#write(OPCODES.PONG, payload),
      pong: () => this.#keepalive.handlePong(performance.now()),
      close: (code, reason) => this.#handleClose(code, reason),
    }, limits);
    stream.removeAllListeners("error");
    stream.on("error", () => {});
    stream.once("close", () => this.#end(1006, "the connection was lost"));
  }

  get bufferedAmount() { return this.#size; }

  /** Nothing is read before it is set. */
  set onmessage(listener) {
    const isFirst = !this.#keepalive && listener;
    this.#onmessage = listener;
    if (isFirst) this.#start();
  }

  #start() {
    this.#progress = performance.now();
    this.#keepalive = new Keepalive(this.#progress, HEARTBEAT);
    // The caller is not called back before it has set all its listeners.
    queueMicrotask(() => {
      this.#receive(this.#early);
      this.#stream.on("data", bytes => this.#receive(bytes)).resume();
      this.#watch(performance.now());
    });
  }

  #receive(bytes) {
    if (this.#isEnded || !bytes.length) return;
    this.#keepalive.handleBytes(performance.now());
    try {
      this.#receiver.push(bytes);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#fail(error.code, error.message);
    }
  }

  // Pings, and notices a dead connection.
  #watch(due) {
    if (this.#isEnded || this.#isClosing) return;
    const now = performance.now();
    this.#keepalive.handleWait(now, due);
    let action, next;
    while ([action, next] = this.#keepalive.poll(now), action === "ping") this.#write(OPCODES.PING, Buffer.alloc(0));
    const stalled = this.#size ? this.#progress + WRITE_TIMEOUT : Infinity;
    if (action === "dead") return this.#drop("timeout: the server was silent");
    if (now >= stalled) return this.#drop("write timeout: the server accepts no data");
    next = Math.min(next, stalled);
    this.#timer = setTimeout(() => this.#watch(next), next - now);
  }

  send(data) {
    if (this.#isClosing || this.#isEnded) return;
    if (this.#reading || data instanceof Blob) {
      const read = async () => {
        await this.#reading;
        const bytes = data instanceof Blob ? await data.arrayBuffer() : data;
        if (!this.#isClosing) this.#sendNow(bytes);
      };
      const reading = this.#reading = read().finally(() => {
        if (this.#reading === reading) this.#reading = undefined;
      });
    } else this.#sendNow(data);
  }

  #sendNow(data) {
    if (typeof data === "string") return this.#write(OPCODES.TEXT, Buffer.from(data));
    const { buffer = data, byteOffset, byteLength } = data;
    this.#write(OPCODES.BINARY, new Uint8Array(buffer, byteOffset, byteLength));
  }

  close(code = 1000, reason = "") {
    if (this.#isClosing || this.#isEnded) return;
    const finish = () => this.#closeWith(code, reason);
    this.#reading ? this.#reading.then(finish) : finish();
  }

  #closeWith(code, reason) {
    if (this.#isClosing) return;
    this.#queue(encodeClose(code, reason));
    this.#isClosing = true;
    clearTimeout(this.#timer);
    // What waits may take long; the answer may not.
    const check = () => {
      const left = this.#progress + (this.#size ? WRITE_TIMEOUT : CLOSE_TIMEOUT) - performance.now();
      if (left <= 0) return this.#stream.destroy();
      this.#timer = setTimeout(check, left);
    };
    check();
    if (!this.#keepalive) this.#start();
  }

  #handleClose(code, reason) {
    const isAnswer = this.#isClosing;
    if (!isAnswer) this.#closeWith(code === 1005 ? 1000 : code, "");
    this.#end(code, escape(reason));
  }

  #fail(code, reason) {
    this.#closeWith(code, reason);
    this.#end(code, reason);
  }

  #drop(reason) {
    this.#end(1006, reason);
    this.#stream.destroy();
  }

  #end(code, reason) {
    if (this.#stream.destroyed) clearTimeout(this.#timer);
    if (this.#isEnded) return;
    this.#isEnded = true;
    const listener = this.onclose;
    this.onclose = this.#onmessage = null;
    listener?.({ code, reason });
  }

  #write(opcode, payload) {
    if (!this.#isClosing && !this.#isEnded) this.#queue(encode(opcode, payload));
  }

  #queue(frame) {
    if (!this.#size) this.#progress = performance.now();
    for (let at = 0; at < frame.length; at += WRITE_SIZE) this.#frames.push(frame.subarray(at, at + WRITE_SIZE));
    this.#size += frame.length;
    if (this.#isWriting) return;
    this.#isWriting = true;
    // What is sent in one turn is written at once.
    queueMicrotask(() => this.#flush());
  }

  #flush() {
    let size = 0, count = 0;
    while (count < this.#frames.length && (!count || size + this.#frames[count].length <= WRITE_SIZE)) {
      size += this.#frames[count++].length;
    }
    this.#isWriting = count > 0;
    if (!count || this.#stream.destroyed) return;
    const frames = this.#frames.splice(0, count);
    this.#stream.write(count === 1 ? frames[0] : Buffer.concat(frames, size), () => {
      this.#size -= size;
      this.#progress = performance.now();
      this.#flush();
    });
  }
}
