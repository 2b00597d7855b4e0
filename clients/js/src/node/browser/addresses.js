// The addresses of one server: those it was seen at, and those it lists. Each is a text with IP address and port.
import { isIPv4 } from "node:net";
import { byRank, format, isLinkLocalIp, isLoopback, lists, MAX_ADDRESSES, parse } from "../datagrams.js";

/** Returns the same address with another port. */
export const withPort = (address, port) => format(parse(address).ip, port);

/** Returns what has a share of the bounded tables: an IPv4 address, or the /64 of an IPv6 address. */
export function sourceOf(address) {
  const ip = parse(address).ip.split("%")[0];
  if (isIPv4(ip)) return ip;
  const [head, tail = ""] = ip.split("::"), parts = text => text.split(":").filter(Boolean);
  const gap = Array(Math.max(0, 8 - parts(head).length - parts(tail).length)).fill("0");
  return [...parts(head), ...gap, ...parts(tail)].slice(0, 4).join(":");
}

export const isLinkLocal = address => isLinkLocalIp(parse(address).ip);

export class Addresses {
  // Those that its datagrams came from, best first. All but the first one are proven.
  #seen;
  #listed = []; #prefersListed = false;
  // Where its proofs came from, where it also receives probes.
  #repliesFrom;

  /** Creates those of a server at `address` that receives probes at `to`, or of one that was not seen. */
  constructor(address, to) {
    this.#seen = address ? [address] : [];
    this.#repliesFrom = to ? [to] : [];
  }

  get seen() { return this.#seen; }

  /** Returns whether the server itself says that it is at `address`, or that is this machine. */
  canInclude(address) {
    const isSamePort = !this.#seen.length || parse(this.#seen[0]).port === parse(address).port;
    return this.#listed.includes(address) || isSamePort && isLoopback(parse(address).ip);
  }

  containIp(ip) { return [...this.#seen, ...this.#listed].some(one => parse(one).ip === ip); }

  get source() { return this.#seen.length ? sourceOf(this.#seen[0]) : undefined; }

  /** Adds the first one, which is not proven. */
  addClaimed(address) {
    if (!this.#seen.length) this.#seen.push(address);
  }

  /**
   * Adds one that was proven by a reply from `from`. Those that the reply does not list are of another server, which named this
   * one as itself.
   */
  addProven(reply, address, from) {
    const { ip, port } = parse(from);
    // A response over TCP contains no UDP port.
    if (port !== 0) {
      const others = this.#repliesFrom.filter(known => parse(known).ip !== ip);
      this.#repliesFrom = [...others.slice(0, MAX_ADDRESSES - 1), from];
    }
    if (this.#seen.includes(address) || this.#seen.length >= MAX_ADDRESSES) return;
    const isLocal = isLoopback(parse(address).ip);
    this.#seen = this.#seen.filter(own => isLocal || isLoopback(parse(own).ip) || lists(reply, parse(own).ip));
    const worse = this.#seen.findIndex(known => byRank(known, address) > 0);
    this.#seen.splice(worse < 0 ? this.#seen.length : worse, 0, address);
  }

  setListed(listed, isPreferred) {
    this.#listed = listed ?? this.#listed;
    this.#prefersListed = isPreferred;
  }

  /** Returns whether `setListed` would change nothing. */
  areListed(listed, isPreferred) {
    return (listed === undefined || listed.join() === this.#listed.join()) && isPreferred === this.#prefersListed;
  }

  /** Removes one. Returns whether none is left. */
  remove(address) {
    this.#seen = this.#seen.filter(own => own !== address);
    this.#listed = this.#listed.filter(own => own !== address);
    return !this.#seen.length;
  }

  /** Returns where the server receives probes that are sent to the IP address of `address`. */
  receivesAt(address, discoveryPort) {
    const { ip } = parse(address);
    return this.#repliesFrom.find(known => parse(known).ip === ip) ?? withPort(address, discoveryPort);
  }

  /** Returns those to connect to, best first. */
  get bestFirst() {
    const all = this.#prefersListed ? [...this.#listed, ...this.#seen] : [...this.#seen, ...this.#listed];
    return [...new Set(all)].slice(0, MAX_ADDRESSES);
  }
}
