// The program `halloo`, whose path is the first argument of a script, as a server in JSON mode; and a way to it that breaks.
import { spawn } from "node:child_process";
import net from "node:net";

export const pause = delay => new Promise(resolve => setTimeout(resolve, delay));

export class Server {
  // Starts a server and waits until it listens.
  static async start(port = 0, ...options) {
    const server = new Server();
    server.events = [];
    server.process = spawn(process.argv[2], ["serve", "--json", "--bind", "127.0.0.1", "--no-discovery", "-p", port, ...options], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    let unread = "";
    server.process.stdout.setEncoding("utf8").on("data", data => {
      const lines = (unread + data).split("\n");
      unread = lines.pop();
      server.events.push(...lines.map(line => JSON.parse(line)));
    });
    server.port = (await server.event(event => event.event === "ready")).port;
    return server;
  }

  async event(matches) {
    for (;;) {
      const event = this.events.find(matches);
      if (event) return event;
      await pause(5);
    }
  }

  get texts() { return this.events.filter(event => event.event === "message").map(event => event.text); }
  get joined() { return this.events.filter(event => event.event === "client_joined").length; }
  command(command) { this.process.stdin.write(JSON.stringify(command) + "\n"); }

  async kill() {
    const ended = new Promise(resolve => this.process.on("exit", resolve));
    this.process.kill("SIGKILL");
    await ended;
  }
}

// Returns the messages with a `join` that the server got, of which there shall be at least `count`.
export async function joins(server, count) {
  for (;;) {
    const messages = server.texts.filter(text => text.startsWith(`{"join"`)).map(text => JSON.parse(text));
    if (messages.length >= count) return messages;
    await pause(5);
  }
}

// A way through which bytes stop passing, without an end, on the connections of the moment only: as after a change of the
// Wi-Fi, or of a router that has forgotten them.
export async function lossyProxy(port) {
  const pairs = new Set();
  const proxy = net.createServer(socket => {
    const upstream = net.connect(port, "127.0.0.1");
    const pair = [socket, upstream];
    pairs.add(pair);
    socket.pipe(upstream).pipe(socket);
    for (const end of pair) end.on("error", () => {}).on("close", () => pair.frozen || pair.forEach(other => other.destroy()));
  });
  await new Promise(resolve => proxy.listen(0, "127.0.0.1", resolve));
  return {
    port: proxy.address().port,
    freeze() {
      for (const pair of pairs) {
        pair.frozen = true;
        for (const end of pair) end.unpipe().on("data", () => {});
      }
    },
    close() {
      proxy.close();
      for (const pair of pairs) pair.forEach(end => end.destroy());
    },
  };
}
