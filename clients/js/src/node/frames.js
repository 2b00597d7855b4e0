// The frames of RFC 6455: messages from bytes, and back.
import { isUtf8 } from "node:buffer";
import { randomFillSync } from "node:crypto";
import { constants, inflateRawSync } from "node:zlib";

const MAX_FRAGMENTS = 1024;
const CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
export const OPCODES = { TEXT, BINARY, CLOSE, PING, PONG };
const FLUSHED = Buffer.from([0, 0, 0xff, 0xff]);
const masks = Buffer.alloc(4096);
let nextMask = masks.length;

/** Returns a masked frame. */
export function encode(opcode, payload) {
  const { length } = payload, extra = length < 126 ? 0 : length < 65536 ? 2 : 8, start = 6 + extra;
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) frame.writeUInt16BE(length, 2);
  if (extra === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  if (nextMask === masks.length) {
    randomFillSync(masks);
    nextMask = 0;
  }
  const mask = nextMask;
  nextMask += 4;
  masks.copy(frame, start - 4, mask, nextMask);
  for (let i = 0; i < length; i++) frame[start + i] = payload[i] ^ masks[mask + (i & 3)];
  return frame;
}

/** Returns the frame that closes a connection. */
export function encodeClose(code, reason) {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return encode(CLOSE, payload);
}

/** Why a connection has to be closed. */
export class Violation extends Error {
  constructor(code, reason) {
    super(reason);
    this.code = code;
  }
}

/** Reads what a server sends. `handler` has `message(data)`, `ping(payload)`, `pong()` and `close(code, reason)`. */
export class Receiver {
  #handler; #limits; #parts = []; #size = 0; #first;
  // What is not a whole frame yet, and how many bytes that takes.
  #chunks = []; #held = 0; #needs = 0;

  constructor(handler, { maxMessageBytes = 1 << 20, maxFragments = MAX_FRAGMENTS, isDeflated = false } = {}) {
    this.#handler = handler;
    this.#limits = { maxMessageBytes, maxFragments, isDeflated };
  }

  /** Throws a `Violation`. */
  push(bytes) {
    this.#chunks.push(bytes);
    this.#held += bytes.length;
    if (this.#held < this.#needs) return;
    const data = this.#chunks.length === 1 ? bytes : Buffer.concat(this.#chunks);
    let at = 0;
    for (let end; (end = this.#frame(data, at)) !== undefined; at = end) this.#needs = 0;
    this.#chunks = at < data.length ? [data.subarray(at)] : [];
    this.#held = data.length - at;
  }

  // Handles the frame at a position, and returns where it ends; nothing if it is not complete.
  #frame(data, at) {
    if (data.length - at < 2) return undefined;
    const first = data[at], second = data[at + 1], opcode = first & 15, isControl = opcode >= CLOSE, isLast = first >= 0x80;
    const isCompressed = (first & 0x40) !== 0, isAllowed = this.#limits.isDeflated && (opcode === TEXT || opcode === BINARY);
    if (first & 0x30 || isCompressed && !isAllowed) {
      throw new Violation(1002, "reserved bits are set that no extension gives a meaning here");
    }
    if (opcode > PONG || opcode > BINARY && opcode < CLOSE) throw new Violation(1002, "reserved opcode");
    if (second & 0x80) throw new Violation(1002, "a server must not mask its frames");
    let length = second & 127, start = at + 2;
    if (isControl && !isLast) throw new Violation(1002, "a control frame must not be fragmented");
    if (isControl && length > 125) throw new Violation(1002, "a control frame holds at most 125 bytes");
    if (length > 125) {
      const size = length === 126 ? 2 : 8;
      if (data.length - start < size) return undefined;
      length = size === 2 ? data.readUInt16BE(start) : Number(data.readBigUInt64BE(start));
      if (length >= 2 ** 63) throw new Violation(1002, "the length has its top bit set");
      if (length < (size === 2 ? 126 : 65536)) throw new Violation(1002, "the length is not in its shortest form");
      start += size;
    }
    if (!isControl) this.#check(opcode, length);
    const end = start + length;
    if (data.length < end) {
      this.#needs = end - at;
      return undefined;
    }
    const payload = data.subarray(start, end);
    if (isControl) this.#control(opcode, payload);
    else this.#data(first, payload, isLast);
    return end;
  }

  // Decides by the header, before anything is stored.
  #check(opcode, length) {
    const { maxMessageBytes, maxFragments } = this.#limits, isNew = opcode !== CONTINUATION;
    if (isNew && this.#parts.length) throw new Violation(1002, "a new message began inside a fragmented one");
    if (!isNew && !this.#parts.length) throw new Violation(1002, "there is no message to continue");
    if (this.#size + length > maxMessageBytes) throw this.#tooLarge();
    if (this.#parts.length >= maxFragments) throw new Violation(1008, `a message has at most ${maxFragments} fragments`);
  }

  #tooLarge() {
    return new Violation(1009, `the message is larger than the client's limit of ${this.#limits.maxMessageBytes} bytes`);
  }

  #data(first, payload, isLast) {
    if (!this.#parts.length) this.#first = first;
    if (!isLast) {
      // A copy does not keep the whole read buffer in memory.
      this.#parts.push(Buffer.from(payload));
      this.#size += payload.length;
      return;
    }
    const whole = this.#parts.length ? Buffer.concat([...this.#parts, payload]) : payload;
    this.#parts = [];
    this.#size = 0;
    const content = this.#first & 0x40 ? this.#inflate(whole) : whole;
    if ((this.#first & 15) === TEXT) this.#handler.message(textOf(content));
    else this.#handler.message(new Uint8Array(content).buffer);
  }

  #inflate(bytes) {
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: this.#limits.maxMessageBytes };
    try {
      return inflateRawSync(Buffer.concat([bytes, FLUSHED]), options);
    } catch (error) {
      throw error instanceof RangeError ? this.#tooLarge() : new Violation(1007, "the message is not compressed as agreed");
    }
  }

  #control(opcode, payload) {
    if (opcode === PING) return this.#handler.ping(Buffer.from(payload));
    if (opcode === PONG) return this.#handler.pong();
    if (!payload.length) return this.#handler.close(1005, "");
    if (payload.length === 1) throw new Violation(1002, "a close frame has no payload or at least a code");
    const code = payload.readUInt16BE(), isSendable = code >= 1000 && code < 1015 && ![1004, 1005, 1006].includes(code);
    if (!isSendable && !(code >= 3000 && code < 5000)) throw new Violation(1002, "the close code may not be sent");
    this.#handler.close(code, textOf(payload.subarray(2)));
  }
}

function textOf(bytes) {
  if (!isUtf8(bytes)) throw new Violation(1007, "the text is not UTF-8");
  return bytes.toString();
}
