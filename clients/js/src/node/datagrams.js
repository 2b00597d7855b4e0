// The datagrams of discovery.
import { isIPv4 } from "node:net";
import { clean } from "./names.js";
import { bracketed, canonicalIp } from "./target.js";

const PROBE_SIZE = 1024;
const MAX_DATAGRAM_SIZE = 2048;
export const MAX_ADDRESSES = 8;
const MAX_PAIRS = 16, MAX_VALUE_BYTES = 128;

/** Returns a datagram that asks all servers to reply. */
export function probe(nonce, ip) {
  const head = `{"service":"websocket_server_probe","v":2,"nonce":"${nonce}",${ip ? `"ip":"${ip}",` : ""}"pad":"`;
  return head.padEnd(PROBE_SIZE - 2, ".") + '"}';
}

/** Returns an address as it is in a URL. */
export const format = (ip, port) => `${bracketed(ip)}:${port}`;

/** Returns the IP address and the port of a text. */
export function parse(address) {
  const [, ip, port] = /^\[?(.*?)\]?:(\d+)$/.exec(address);
  return { ip, port: Number(port) };
}

/**
 * Returns what a datagram or the body of `/discovery.json` says, or nothing if it is not one of discovery. A key with a value
 * of the wrong type is left out.
 */
export function read(bytes) {
  if (bytes.length > MAX_DATAGRAM_SIZE) return undefined;
  return readBody(bytes);
}

/** The same for a body, which may be longer. */
export function readBody(bytes) {
  const seen = parseObject(bytes), service = seen && own(seen, "service");
  if (typeof service !== "string" || !service.startsWith("websocket_server")) return undefined;
  const take = (key, type) => typeof own(seen, key) === type ? own(seen, key) : undefined;
  const text = key => take(key, "string"), truth = key => take(key, "boolean"), number = key => take(key, "number");
  const name = text("name"), clients = number("clients"), addresses = own(seen, "addresses"), meta = own(seen, "meta");
  const isList = Array.isArray(addresses) && addresses.every(one => typeof one === "string");
  return {
    service,
    nonce: text("nonce"),
    id: text("id")?.replace(/[^!-~]/gu, "").slice(0, 32) || undefined,
    name: name === undefined ? undefined : clean(name),
    ip: canonicalIp(text("ip")),
    port: validPort(number("port")),
    listenPort: validPort(number("listen_port")),
    advertised: truth("advertised"),
    clients: clients === undefined ? undefined : Math.min(Math.max(Math.trunc(clients), 0), 2 ** 32 - 1),
    ttl: number("ttl"),
    addresses: isList ? addresses : undefined,
    auth: truth("auth"),
    tls: truth("tls"),
    challenge: text("challenge"),
    app: visible(text("app")),
    cluster: visible(text("cluster")),
    meta: meta && typeof meta === "object" && !Array.isArray(meta) ? readMeta(meta) : undefined,
    truncated: truth("truncated"),
  };
}

// Returns a text as it is shown, or nothing if nothing of it is visible.
function visible(text) {
  const shown = clean(text ?? "");
  return shown.trim() ? shown : undefined;
}

/** Returns the port to connect to at the address that a datagram came from. */
export function portAt(seen, ip) {
  const isOwn = seen.ip !== undefined && seen.ip === canonicalIp(ip);
  return seen.port && (!isOwn && seen.listenPort || seen.port);
}

/** Returns the addresses that a reply lists, and that another machine could reach; nothing if it lists none at all. */
export function listedIn(seen) {
  return seen.addresses?.map(canonicalIp).filter(isReachable).slice(0, MAX_ADDRESSES).map(ip => format(ip, seen.port));
}

/** Returns whether a reply lists an IP address. */
export const lists = (seen, ip) => seen.addresses?.some(one => canonicalIp(one) === ip) ?? false;

export const isLoopback = ip => isIPv4(ip) ? ip.startsWith("127.") : ip === "::1";

export const isLinkLocalIp = ip => /^fe[89ab]/i.test(ip);

const rank = ip => isLoopback(ip) ? 3 : isLinkLocalIp(ip) ? 2 : isIPv4(ip) ? 0 : 1;

/** Compares how good addresses are, best first: loopback is of no use to other machines. */
export const byRank = (one, other) => rank(parse(one).ip) - rank(parse(other).ip);

function isReachable(ip) {
  if (ip === undefined || isLoopback(ip)) return false;
  if (isIPv4(ip)) return !/^(0|22[4-9]|23\d|24\d|25[0-5])\./.test(ip);
  return !/^(::$|::ffff:|fe[89ab]|ff)/.test(ip);
}

const own = (object, key) => Object.hasOwn(object, key) ? object[key] : undefined;
const validPort = number => Number.isInteger(number) && number >= 1 && number <= 65535 ? number : undefined;

// Parses a JSON object, and nothing that only some parsers accept.
function parseObject(bytes) {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), (key, part) => {
      const isValid = key.isWellFormed() && (typeof part === "string" ? part.isWellFormed() : Math.abs(part) !== Infinity);
      if (!isValid) throw SyntaxError();
      return part;
    });
    return value && typeof value === "object" && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function readMeta(given) {
  const meta = {};
  for (const [key, value] of Object.entries(given)) {
    const isKnown = Object.keys(meta).some(known => known.toLowerCase() === key.toLowerCase());
    if (isKnown || !/^[\w.-]{1,32}$/.test(key) || typeof value !== "string") continue;
    if (Object.keys(meta).length === MAX_PAIRS) break;
    Object.defineProperty(meta, key, { value: cut(clean(value, MAX_VALUE_BYTES)), enumerable: true });
  }
  return meta;
}

// Returns as many characters as fit.
function cut(text) {
  let size = 0;
  const characters = [...text];
  const end = characters.findIndex(one => (size += Buffer.byteLength(one)) > MAX_VALUE_BYTES);
  return end < 0 ? text : characters.slice(0, end).join("");
}
