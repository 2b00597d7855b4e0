// A sensor with the library `ws` in the directory NODE_MODULES: connects to URL, sends what the following arguments say, the
// last one as bytes in hexadecimal, and prints each message that it receives. It ends when its connection does.

import { once } from "node:events";
import { createRequire } from "node:module";

const { WebSocket } = createRequire(process.env.NODE_MODULES + "/")("ws");
const [url, ...texts] = process.argv.slice(2);
const bytes = Buffer.from(texts.pop(), "hex");
const socket = new WebSocket(url);
socket.on("message", (message) => console.log(String(message)));
await once(socket, "open");
texts.forEach((text) => socket.send(text));
socket.send(bytes);
await once(socket, "close");
