// Responses, read from a stream.
import { TIMEOUT } from "./dial.js";
import { Failed } from "./failed.js";
import { judge, MAX_RESPONSE, readHead } from "./handshake.js";

const MAX_BODY = 16 * 1024;

/** Requests a path by HTTP/1.0, whose responses are not in chunks. Resolves to `status` and `body`. */
export function get(stream, path, host, signal) {
  stream.write(`GET ${path} HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
  return readUntil(stream, signal, (bytes, hasEnded) => {
    const head = readHead(bytes), length = Number(head?.values("Content-Length")[0] ?? Infinity);
    const body = head && bytes.subarray(head.size, head.size + length);
    if (body && (hasEnded || body.length === length)) return { status: head.status, body };
    if (hasEnded) throw new Error("the response is incomplete");
    return undefined;
  });
}

// Reads until `isDone(bytes, hasEnded)` returns something, and resolves to that.
function readUntil(stream, signal, isDone) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    const end = (settle, value) => {
      stream.off("data", add).off("end", finish).off("close", finish);
      signal.removeEventListener("abort", abort);
      stream.pause();
      settle(value);
    };
    const check = hasEnded => {
      try {
        const result = isDone(Buffer.concat(chunks), hasEnded);
        if (result !== undefined) end(resolve, result);
      } catch (error) {
        end(reject, error);
      }
    };
    const add = bytes => {
      size += bytes.length;
      if (size > MAX_BODY) return end(reject, new Error("the response is too large"));
      chunks.push(bytes);
      check(false);
    };
    const finish = () => check(true);
    const abort = () => end(reject, signal.reason);
    stream.on("data", add).on("end", finish).on("close", finish);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    else if (stream.destroyed) finish();
  });
}

/** Resolves to what the client makes of the response to a handshake, and to what arrived behind it. */
export async function readOutcome(stream, ask, { shown }, signal) {
  const deadline = AbortSignal.timeout(TIMEOUT), both = AbortSignal.any([signal, deadline]);
  try {
    return await readUntil(stream, both, (bytes, hasEnded) => {
      let head;
      try {
        head = readHead(bytes);
      } catch (error) {
        return { outcome: { no_websocket: error.message } };
      }
      if (!head) return hasEnded ? { outcome: { lost: true } } : undefined;
      const body = bytes.subarray(head.size);
      if (head.status === 101) return { outcome: judge(ask, head, body), rest: Buffer.from(body) };
      const length = head.values("Content-Length")[0] ?? Infinity;
      const isWhole = hasEnded || body.length >= length || bytes.length >= MAX_RESPONSE;
      return isWhole ? { outcome: judge(ask, head, body) } : undefined;
    });
  } catch (error) {
    if (!deadline.aborted || signal.aborted) throw error;
    throw new Failed("lost", `${shown} did not complete the handshake in time`);
  }
}
