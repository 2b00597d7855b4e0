// The UDP sockets of discovery.
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { isLinkLocalIp, isLoopback, probe } from "./datagrams.js";

export const DISCOVERY_PORT = 8766;
const FALLBACK_PORTS = 9;
const BROADCAST = "255.255.255.255", LOOPBACK_BROADCAST = "127.255.255.255";

const IPV6_GROUP = "ff12::8000:8766";

// The interfaces of this machine: the zone of link-local addresses, and the addresses of each family.
function interfaces() {
  return Object.entries(networkInterfaces()).map(([name, addresses]) => {
    const of = version => addresses.filter(({ family }) => family === version), ipv6 = of("IPv6");
    const zone = process.platform === "win32" ? String(ipv6.find(({ scopeid }) => scopeid)?.scopeid ?? "") : name;
    const withZone = ({ address }) => isLinkLocalIp(address) ? `${address}%${zone}` : address;
    return { zone, ipv4: of("IPv4").map(({ address }) => address), ipv6: ipv6.map(withZone) };
  });
}

/** Returns the addresses of this machine, those that are link-local with their zone. */
export const ownAddresses = () => [...new Set(["127.0.0.1", ...interfaces().flatMap(({ ipv4, ipv6 }) => [...ipv4, ...ipv6])])];

/**
 * Returns where to search: on each IPv4 address, and of each interface on one IPv6 address and on the link-local one. A server
 * without IPv4 may be on any network, and a link-local address reaches all of a link. `beside` is the IPv4 address of the same
 * interface.
 */
function searched(isLocal) {
  if (isLocal) return [{ ip: "127.0.0.1" }];
  const all = interfaces(), ipv4 = [...new Set(["127.0.0.1", ...all.flatMap(one => one.ipv4)])];
  const ipv6 = all.flatMap(({ zone, ipv4: [beside], ipv6 }) => [isLinkLocalIp, ip => !isLinkLocalIp(ip) && !isLoopback(ip)]
    .flatMap(isOne => ipv6.find(isOne) ?? []).map(ip => ({ ip, zone, beside })));
  return [...ipv4.map(ip => ({ ip })), ...ipv6];
}

/** One socket for each address to search on, one for probes to one address of each family, and those that receive beacons. */
export class Sockets {
  #senders = []; #singles = {}; #listener; #all = []; #isClosed = false;

  /** Resolves to open sockets. `receive(bytes, address)` gets every datagram. */
  static async open({ port = DISCOVERY_PORT, local = false }, receive) {
    const sockets = new Sockets(port, receive), own = searched(local);
    const senders = own.map(one => sockets.#openSender(one));
    await Promise.all([...senders, sockets.#openSingles(local), sockets.#openListeners(local, own)]);
    if (sockets.#senders.length || sockets.#listener) return sockets;
    throw new Error("cannot open a UDP socket; check that this program may use the network");
  }

  constructor(port, receive) {
    this.port = port;
    this.receive = receive;
  }

  async #openSender({ ip, zone, beside }) {
    const socket = await this.#bind(ip, 0, zone);
    if (socket) this.#senders.push({ ip, zone, beside, socket });
  }

  // The system chooses the network.
  async #openSingles(isLocal) {
    this.#singles = {
      4: await this.#bind(isLocal ? "127.0.0.1" : "0.0.0.0", 0), 6: isLocal ? undefined : await this.#bind("::", 0),
    };
  }

  async #openListeners(isLocal, own) {
    for (const port of this.#ports) {
      this.#listener = await this.#bind("0.0.0.0", port);
      if (!this.#listener) continue;
      const listener = isLocal ? undefined : await this.#bind("::", port);
      for (const zone of new Set(own.flatMap(one => one.zone ?? []))) {
        try {
          listener?.addMembership(IPV6_GROUP, `::%${zone}`);
        } catch {
          // This network has no multicast.
        }
      }
      return;
    }
  }

  get #ports() {
    return Array.from({ length: FALLBACK_PORTS + 1 }, (_, number) => this.port + number).filter(port => port <= 65535);
  }

  // Resolves to a socket, or to nothing if there cannot be one. `zone` is that of its network.
  #bind(ip, port, zone) {
    return new Promise(resolve => {
      const isIPv6 = ip.includes(":");
      let socket;
      try {
        socket = createSocket({ type: isIPv6 ? "udp6" : "udp4", reuseAddr: port !== 0, ipv6Only: isIPv6 });
      } catch {
        return resolve(undefined);
      }
      this.#all.push(socket);
      socket.once("error", () => {
        this.#close(socket);
        resolve(undefined);
      });
      socket.bind({ address: ip, port, exclusive: true }, () => {
        socket.removeAllListeners("error");
        // Usually ICMP port unreachable in response to a probe.
        socket.on("error", () => {});
        socket.on("message", (bytes, { address, port }) => this.#handle(bytes, address, port, zone));
        try {
          if (!isIPv6) socket.setBroadcast(true);
          else if (zone) socket.setMulticastInterface(`::%${zone}`);
        } catch {
          // Then it only receives.
        }
        resolve(socket);
      });
    });
  }

  // Deno does not report the zone of a link-local address, without which it leads nowhere.
  #handle(bytes, address, port, zone) {
    const ip = isLinkLocalIp(address) && !address.includes("%") ? zone && `${address}%${zone}` : address;
    if (ip && !this.#isClosed) this.receive(bytes, { ip, port });
  }

  /** Sends a probe to all, perhaps also to the ports that a server falls back to. */
  probeAll(nonce, isWide) {
    for (const { ip, zone, beside, socket } of this.#senders) {
      const to = zone ? `${IPV6_GROUP}%${zone}` : ip.startsWith("127.") ? LOOPBACK_BROADCAST : BROADCAST;
      for (const port of isWide ? this.#ports : [this.port]) this.#send(socket, probe(nonce, beside), port, to);
    }
  }

  /** Sends a probe to one address. */
  probeOne(nonce, { ip, port }) { this.#send(this.#singles[ip.includes(":") ? 6 : 4], probe(nonce), port, ip); }

  #send(socket, bytes, port, to) {
    try {
      // This network may be gone, or have no broadcasts.
      if (!this.#isClosed) socket?.send(bytes, port, to, () => {});
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
