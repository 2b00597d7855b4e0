// What the tests share: the program `halloo`, whose path is in HALLOO_PROGRAM, and waiting for events. All is on loopback.
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

const TIMEOUT = 20000;
export const TOKEN = "the-otters-meet-at-nine";
export const PROGRAM = process.env.HALLOO_PROGRAM;

/** Rejects if a promise takes too long. */
export async function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen`)), TIMEOUT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Resolves to the next event of this type. */
export const happens = (target, type) =>
  within(new Promise(resolve => target.addEventListener(type, resolve, { once: true })), type);

/** Resolves to a UDP port that was free just now. */
export function unusedUdpPort() {
  return new Promise(resolve => {
    const socket = createSocket("udp4").bind(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

/** Resolves to a TCP port that was free just now. */
export function unusedPort() {
  return new Promise(resolve => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A server that the test drives by JSON. */
export class Server {
  #events = []; #wake = () => {};

  static async start(discoveryPort, name, ...options) {
    const server = new Server(discoveryPort, name, options);
    server.ready = await server.event("ready");
    return server;
  }

  constructor(discoveryPort, name, options) {
    const port = options.includes("--port") ? [] : ["--port", "0"];
    this.process = spawn(PROGRAM, [
      "serve", "--json", "--exit-with-stdin", "--bind", "127.0.0.1", "--no-mdns", "--name", name,
      "--discovery-port", String(discoveryPort), ...port, ...options,
    ], { stdio: ["pipe", "pipe", "ignore"] });
    this.exited = new Promise(resolve => this.process.on("exit", resolve));
    createInterface({ input: this.process.stdout }).on("line", line => {
      this.#events.push(JSON.parse(line));
      this.#wake();
    });
  }

  get url() { return this.ready.urls[0]; }

  /** Resolves to the next event of this kind, without those before it. */
  async event(kind) {
    const take = async () => {
      for (;;) {
        const event = this.#events.shift();
        if (event?.event === kind) return event;
        if (!event) await new Promise(resolve => { this.#wake = resolve; });
      }
    };
    return within(take(), `the event ${kind} of the server`);
  }

  command(cmd, keys) { this.process.stdin.write(JSON.stringify({ cmd, ...keys }) + "\n"); }

  /** Stops it cleanly. */
  stop() {
    this.process.stdin.end();
    return within(this.exited, "the end of the server");
  }

  /** Stops its execution, as on a machine that sleeps. */
  suspend() { process.kill(this.process.pid, "SIGSTOP"); }

  kill() {
    // `ChildProcess.kill` of Deno does nothing after another signal.
    if (this.process.exitCode === null && this.process.signalCode === null) process.kill(this.process.pid, "SIGKILL");
    return within(this.exited, "the end of the server");
  }
}

/** What one test uses: it is ended after the test. */
export class Fixture {
  #servers = []; #links = [];

  static async start(context, connect) {
    const fixture = new Fixture();
    fixture.connectTo = connect;
    fixture.discoveryPort = await unusedUdpPort();
    context.after(() => fixture.end());
    return fixture;
  }

  /** The options of a search. */
  get search() { return { local: true, port: this.discoveryPort }; }

  async serve(name = "den", ...options) {
    const server = await Server.start(this.discoveryPort, name, ...options);
    this.#servers.push(server);
    return server;
  }

  link(target, options) {
    const link = this.connectTo(target, { local: true, discoveryPort: this.discoveryPort, searchTimeout: 1000, ...options });
    this.#links.push(link);
    return link;
  }

  /** Resolves to a link that is open. */
  async connect(target, options) {
    const link = this.link(target, options), { promise, resolve, reject } = withResolvers();
    link.addEventListener("open", resolve, { once: true });
    link.addEventListener("gaveup", ({ reason }) => reject(new Error(reason)), { once: true });
    await within(promise, "a connection");
    return link;
  }

  async end() {
    for (const link of this.#links) link.close();
    for (const server of this.#servers) await server.kill();
  }
}

/** As `Promise.withResolvers`, which Node.js 20 does not have. */
export function withResolvers() {
  const all = {};
  all.promise = new Promise((resolve, reject) => Object.assign(all, { resolve, reject }));
  return all;
}
