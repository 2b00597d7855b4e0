// A WebSocket server with Bun: `bun bun.mjs ROLE PORT [CERTIFICATE]`, over TLS with a certificate.

const [role, port, certificate] = process.argv.slice(2);
let received = 0;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  tls: certificate && { cert: Bun.file(certificate), key: Bun.file(certificate) },
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("WebSocket only", { status: 400 })),
  websocket: {
    perMessageDeflate: false,
    open: (socket) => socket.subscribe("all"),
    message(socket, message) {
      const text = typeof message === "string";
      if (role === "echo" || (role === "mixed" && text)) {
        socket.send(message);
      } else if (role === "fanout" || role === "mixed") {
        server.publish("all", message);
      } else if (text) {
        socket.send(String(received));
      } else {
        received += 1;
      }
    },
  },
});
