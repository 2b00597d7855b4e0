// The UDP sockets of discovery.
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { probe } from "./datagrams.js";

export const DISCOVERY_PORT = 8766;
const FALLBACK_PORTS = 9;
const BROADCAST = "255.255.255.255", LOOPBACK_BROADCAST = "127.255.255.255";

/** Returns the IPv4 addresses of this machine. */
export function ownAddresses() {
  const all = Object.values(networkInterfaces()).flat();
  return [...new Set(["127.0.0.1", ...all.filter(({ family }) => family === "IPv4").map(({ address }) => address)])];
}

/** One socket for each IPv4 address of this machine, one for probes to one address, and one that receives beacons. */
export class Sockets {
  #senders = []; #single; #listener; #all = []; #isClosed = false;

  /** Resolves to open sockets. `receive(bytes, address)` gets every datagram. */
  static async open({ port = DISCOVERY_PORT, local = false }, receive) {
    const sockets = new Sockets(port, receive), own = local ? ["127.0.0.1"] : ownAddresses();
    await Promise.all([...own.map(ip => sockets.#openSender(ip)), sockets.#openSingle(local), sockets.#openListener()]);
    if (sockets.#senders.length || sockets.#listener) return sockets;
    throw new Error("cannot open a UDP socket; check that this program may use the network");
  }

  constructor(port, receive) {
    this.port = port;
    this.receive = receive;
  }

  async #openSender(ip) {
    const socket = await this.#bind(ip, 0);
    if (socket) this.#senders.push({ ip, socket });
  }

  // The system chooses the network.
  async #openSingle(local) { this.#single = await this.#bind(local ? "127.0.0.1" : "0.0.0.0", 0); }

  async #openListener() {
    for (const port of this.#ports) {
      this.#listener = await this.#bind("0.0.0.0", port);
      if (this.#listener) return;
    }
  }

  get #ports() {
    return Array.from({ length: FALLBACK_PORTS + 1 }, (_, number) => this.port + number).filter(port => port <= 65535);
  }

  // Resolves to a socket, or to nothing if there cannot be one.
  #bind(ip, port) {
    return new Promise(resolve => {
      const socket = createSocket({ type: "udp4", reuseAddr: port !== 0 });
      this.#all.push(socket);
      socket.once("error", () => {
        this.#close(socket);
        resolve(undefined);
      });
      socket.bind({ address: ip, port, exclusive: true }, () => {
        socket.removeAllListeners("error");
        // Usually ICMP port unreachable in response to a probe.
        socket.on("error", () => {});
        socket.on("message", (bytes, { address, port }) => this.#isClosed || this.receive(bytes, { ip: address, port }));
        try {
          socket.setBroadcast(true);
        } catch {
          // Then it only receives.
        }
        resolve(socket);
      });
    });
  }

  /** Sends a probe by broadcast, perhaps also to the ports that a server falls back to. */
  probeAll(nonce, isWide) {
    for (const { ip, socket } of this.#senders) {
      const to = ip.startsWith("127.") ? LOOPBACK_BROADCAST : BROADCAST;
      for (const port of isWide ? this.#ports : [this.port]) this.#send(socket, nonce, port, to);
    }
  }

  /** Sends a probe to one address. */
  probeOne(nonce, { ip, port }) { this.#send(this.#single, nonce, port, ip); }

  #send(socket, nonce, port, to) {
    try {
      // This network may be gone, or have no broadcasts.
      if (!this.#isClosed) socket?.send(probe(nonce), port, to, () => {});
    } catch {
      // Some runtimes throw instead.
    }
  }

  close() {
    this.#isClosed = true;
    this.#all.forEach(socket => this.#close(socket));
  }

  #close(socket) {
    try {
      socket.close();
    } catch {
      // It is closed already.
    }
  }
}
