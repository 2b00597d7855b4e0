// A WebSocket server with `ws` for Node.js: `node ws.mjs ROLE PORT`, with `ws` in the directory NODE_MODULES.

import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(process.env.NODE_MODULES + "/")("ws");
const [role, port] = process.argv.slice(2);
let received = 0;

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), backlog: 4096 });

server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (message, binary) => {
    if (role === "echo" || (role === "mixed" && !binary)) {
      socket.send(message, { binary });
    } else if (role === "fanout" || role === "mixed") {
      for (const client of server.clients) {
        client.send(message, { binary });
      }
    } else if (!binary) {
      socket.send(String(received));
    } else {
      received += 1;
    }
  });
});
