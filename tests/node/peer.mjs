// Tests an echo server with the library `ws` in the directory NODE_MODULES: `node peer.mjs URL`. Prints OK, or ends with
// exit code 1 and an error.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";

const { WebSocket } = createRequire(process.env.NODE_MODULES + "/")("ws");
const MESSAGES = ["hello from node", Buffer.from([0, 1, 255]), "", "ü".repeat(100_000), Buffer.alloc(1024 * 1024, 7)];
const TIMEOUT = 20_000; // milliseconds

setTimeout(() => { throw new Error(`not finished within ${TIMEOUT} ms`); }, TIMEOUT).unref();
const socket = new WebSocket(process.argv[2], { perMessageDeflate: false });
await once(socket, "open");

for (const message of MESSAGES) {
  socket.send(message);
  const [reply, binary] = await once(socket, "message");
  assert.equal(binary, typeof message !== "string");
  assert.ok(reply.equals(Buffer.from(message)), `${message.length} bytes were sent, ${reply.length} other bytes came back`);
}

// In three fragments, the middle one empty.
socket.send("frag", { fin: false });
socket.send("", { fin: false });
socket.send("ments", { fin: true });
assert.equal(String((await once(socket, "message"))[0]), "fragments");

socket.ping("are you there?");
assert.equal(String((await once(socket, "pong"))[0]), "are you there?");

socket.close(3000, "auf Wiederhören");
const [code, reason] = await once(socket, "close");
assert.deepEqual([code, String(reason)], [3000, ""]);
console.log("OK");
