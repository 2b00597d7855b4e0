// What a person gives as the target: an address, an invitation link, or the name of a server.
import { isIP, isIPv4 } from "node:net";
import { escape, hideToken } from "./names.js";

const DEFAULT_PORT = 8765;
const SECRET = /#token=|&token=|\?token=|#fp=/i, SCHEME = /^[a-z0-9+.-]+:\/\//i;

/** An address to connect to. */
export class Address {
  constructor(parts) { Object.assign(this, { tls: false, zone: null, resource: "/", token: null, fingerprint: null }, parts); }

  /** The value of `Host`. */
  get authority() { return bracketed(this.host) + (this.port === (this.tls ? 443 : 80) ? "" : ":" + this.port); }

  /** The address without its token. */
  get shown() {
    const host = bracketed(this.host + (this.zone ? "%25" + this.zone : ""));
    return `${this.tls ? "wss" : "ws"}://${host}:${this.port}${this.resource === "/" ? "" : hideToken(this.resource)}`;
  }

  /** Returns the address with other parts. */
  with(parts) { return new Address({ ...this, ...parts }); }

  /** Returns the address with the path that joins a room. */
  inRoom(room) { return this.with({ resource: roomPath(room) + (/\?.*/s.exec(this.resource) ?? "") }); }
}

export const bracketed = host => host.includes(":") ? `[${host}]` : host;

/** Returns the only form of an IP address that is compared, or nothing. */
export function canonicalIp(text) {
  if (typeof text !== "string" || text.includes("%") || !isIP(text)) return undefined;
  return isIPv4(text) ? text : new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/** Returns a token that is valid. */
export function checkToken(token) {
  if (/^[\w.~-]{16,256}$/.test(token)) return token;
  throw new TypeError("a token has 16 to 256 of the characters A-Z a-z 0-9 - . _ ~; copy it from the invitation link");
}

/** Returns the bytes of a fingerprint in base64url or in hexadecimal digits. */
export function readFingerprint(text) {
  const hex = text.replaceAll(":", "");
  if (/^[\da-f]{64}$/i.test(hex)) return Buffer.from(hex, "hex");
  if (/^[\w-]{43}$/.test(text)) return Buffer.from(text, "base64url");
  throw new TypeError("a fingerprint has 64 hexadecimal digits; copy the one that the server shows when it starts");
}

/** Returns the path that joins a room. */
export function roomPath(room) {
  const size = Buffer.byteLength(room), only = "can only be joined by the server; choose another name";
  if (size < 1 || size > 64) throw new TypeError(`a room has a name of 1 to 64 bytes, this one has ${size}; choose another`);
  if (room.startsWith("_")) throw new TypeError(`a room whose name begins with \`_\` ${only}`);
  if (/^\.\.?$/.test(room)) throw new TypeError(`a room whose name is \`.\` or \`..\` ${only}`);
  const encoded = encodeURIComponent(room.toWellFormed());
  return "/room/" + encoded.replace(/[!'()*]/g, one => "%" + one.charCodeAt(0).toString(16).toUpperCase());
}

/** Returns what a text means: an `address`, a `name`, or both if it is a name where the host has no address. */
export function readTarget(given) {
  const text = given.trim();
  let address;
  try {
    address = readAddress(text);
  } catch (error) {
    if (!text || SCHEME.test(text) || hasIp(text) || SECRET.test(text)) throw error;
    return { name: text };
  }
  const { host } = address;
  if (isIP(host) || SCHEME.test(text) || SECRET.test(text) || host === "localhost") return { address };
  const labels = host.replace(/\.$/, "").split("."), isDomain = labels.every(Boolean) && !/^\d+$/.test(labels.at(-1));
  const isWord = labels.length === 1 && authorityOf(text).toLowerCase() === host;
  return isDomain && !isWord ? { address, name: text } : { name: text };
}

const authorityOf = text => text.split(/[/?#]/, 1)[0];

function hasIp(text) {
  const authority = authorityOf(text), host = authority.replace(/:[^:]*$/, "");
  return [host, authority].some(one => isIP(one.replace(/^\[+|\]+$/g, "").split("%")[0]));
}

function readAddress(whole) {
  const [, text, fragment] = /^([^#]*)#?(.*)$/s.exec(whole);
  const scheme = /^(.*?):\/\//s.exec(text)?.[1], kind = scheme?.toLowerCase();
  if (scheme !== undefined && !["ws", "http", "wss", "https"].includes(kind)) {
    throw new TypeError(`\`${escape(scheme)}://\` is not the scheme of a WebSocket; use ws:// or wss://`);
  }
  const tls = kind === "wss" || kind === "https", defaultPort = kind === undefined ? DEFAULT_PORT : tls ? 443 : 80;
  const [, authority, path] = /^([^/?]*)(.*)$/s.exec(scheme === undefined ? text : text.slice(scheme.length + 3));
  if (authority.includes("@")) throw new TypeError("a user name or a password is not supported; remove the part up to `@`");
  const wrong = /[^!-~]/u.exec(path)?.[0];
  if (wrong) throw new TypeError(`\`${escape(wrong)}\` is not allowed in a path or query; percent-encode it`);
  const [name, port] = splitPort(authority), { token, fingerprint } = readFragment(fragment);
  if (fingerprint && !tls) throw new TypeError("a fingerprint needs TLS; use wss:// or https://, or remove `fp=`");
  const resource = path.startsWith("/") ? path : "/" + path;
  return new Address({ tls, ...readHost(name), port: port ? readPort(port) : defaultPort, resource, token, fingerprint });
}

function readPort(digits) {
  if (/^\d{1,5}$/.test(digits) && digits >= 1 && digits <= 65535) return Number(digits);
  throw new TypeError(`\`${escape(digits)}\` is not a valid port; use a number from 1 to 65535`);
}

function splitPort(authority) {
  if (readIpv6(authority)) return [authority, ""];
  const [, host, port] = /^(\[.*\]|[^:]*)(?::(.*))?$/s.exec(authority) ?? [null, authority];
  return [host, port ?? ""];
}

function readIpv6(text) {
  const [, address, zone] = /^([^%]*)(?:%(?:25(?=.))?(.*))?$/s.exec(text), host = canonicalIp(address);
  if (!host?.includes(":") || zone !== undefined && !/^[\w.~-]{1,64}$/.test(zone)) return undefined;
  // Only link-local addresses need a zone.
  return { host, zone: zone && /^fe[89ab]/.test(host) ? zone : null };
}

function readHost(text) {
  const inside = /^\[(.*)\]$/s.exec(text)?.[1] ?? text, ipv6 = readIpv6(inside);
  if (ipv6) return ipv6;
  if (inside === text && /^[\w.-]{1,253}$/.test(text)) return { host: text.toLowerCase() };
  throw new TypeError(`\`${escape(text)}\` is not a valid host; use an address such as 192.168.1.5, or a name`);
}

function readFragment(fragment) {
  const found = { token: null, fingerprint: null };
  for (const pair of fragment.split("&").filter(Boolean)) {
    const [, key, value] = /^([^=]*=?)(.*)$/s.exec(pair);
    if (key === "token=") found.token = checkToken(percentDecoded(value));
    else if (key === "fp=") found.fingerprint = readFingerprint(value);
    else throw new TypeError("an address may only end in `#token=...` and `&fp=...`; remove the rest after `#`");
  }
  return found;
}

function percentDecoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
