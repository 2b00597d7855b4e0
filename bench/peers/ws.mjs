// A WebSocket server with `ws` for Node.js: `node ws.mjs ROLE PORT [CERTIFICATE]`, with `ws` in the directory NODE_MODULES;
// over TLS with a certificate.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(process.env.NODE_MODULES + "/")("ws");
const [role, port, certificate] = process.argv.slice(2);
let received = 0;

const pem = certificate && readFileSync(certificate);
const listener = pem ? https.createServer({ cert: pem, key: pem }) : http.createServer();
const server = new WebSocketServer({ server: listener });
listener.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 });

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
