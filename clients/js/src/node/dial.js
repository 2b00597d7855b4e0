// TCP and TLS to one of several addresses.
import { createHash, X509Certificate } from "node:crypto";
import { lookup } from "node:dns/promises";
import { connect, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { format, parse } from "./datagrams.js";
import { Failed } from "./failed.js";
import { escape } from "./names.js";

const NEXT_ADDRESS_DELAY = 250;
export const TIMEOUT = 5000;

/** Resolves to the addresses of a host: none if it has none in time. The resolver of the system cannot be cancelled. */
export function resolve({ host, port }, signal) {
  return new Promise(resolve => {
    const end = found => {
      clearTimeout(deadline);
      signal.removeEventListener("abort", end);
      resolve([...new Set((Array.isArray(found) ? found : []).map(({ address }) => format(address, port)))]);
    };
    const deadline = setTimeout(end, TIMEOUT);
    signal.addEventListener("abort", end);
    lookup(host, { all: true }).then(end, end);
  });
}

/** Resolves to a connected socket, its address, and the addresses that are left (RFC 8305 section 5). */
export function dial(addresses, signal, timeout = TIMEOUT) {
  return new Promise((resolve, reject) => {
    const left = [...addresses], pending = new Map(), reasons = [];
    let next, refusals = 0;
    const stop = () => {
      clearTimeout(next);
      clearTimeout(deadline);
      signal?.removeEventListener("abort", abort);
      for (const socket of pending.keys()) socket.destroy();
    };
    const fail = () => {
      stop();
      const tried = [...pending.values()].map(address => `${address}: no answer`);
      const why = [...reasons, ...tried].join("; ") || "a server without an address";
      reject(new Failed("lost", `cannot connect to ${why}`, { isRefused: refusals === addresses.length }));
    };
    const abort = () => {
      stop();
      reject(signal.reason);
    };
    const deadline = setTimeout(fail, timeout);
    const start = () => {
      clearTimeout(next);
      const address = left.shift();
      if (address === undefined) return pending.size || fail();
      const { ip, port } = parse(address), socket = connect({ host: ip, port, noDelay: true });
      pending.set(socket, address);
      socket.once("connect", () => {
        pending.delete(socket);
        stop();
        socket.removeAllListeners("error");
        socket.on("error", () => {});
        resolve({ socket, address, left: [...left, ...pending.values()] });
      });
      socket.once("error", error => {
        pending.delete(socket);
        reasons.push(`${address}: ${reasonOf(error)}`);
        if (error.code === "ECONNREFUSED") refusals++;
        start();
      });
      if (left.length) next = setTimeout(start, NEXT_ADDRESS_DELAY);
    };
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    else start();
  });
}

function reasonOf(error) {
  const known = {
    ECONNREFUSED: "connection refused", EHOSTUNREACH: "no route to host", ENETUNREACH: "network is unreachable",
    ETIMEDOUT: "timeout",
  };
  return known[error.code] ?? escape(error.code ?? error.message);
}

/** Resolves to the socket with TLS. Only the certificate with the fingerprint is accepted, if there is one. */
export function secure(socket, { host, shown, fingerprint }, signal, timeout = TIMEOUT) {
  return new Promise((resolve, reject) => {
    const stream = connectTls({ socket, host, servername: isIP(host) ? "" : host, rejectUnauthorized: !fingerprint });
    const end = error => {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", abort);
      stream.removeAllListeners("error");
      stream.on("error", () => {});
      if (!error) return resolve(stream);
      stream.destroy();
      socket.destroy();
      reject(error);
    };
    const abort = () => end(signal.reason);
    const deadline = setTimeout(() => end(new Failed("lost", `${shown} did not complete the TLS handshake in time`)), timeout);
    signal?.addEventListener("abort", abort, { once: true });
    stream.once("error", error => end(failure(error, shown)));
    stream.once("close", () => end(new Failed("lost", `${shown} closed the connection during the TLS handshake`)));
    stream.once("secureConnect", () => end(fingerprint && wrongKey(stream, fingerprint, shown)));
  });
}

// What the certificate is to blame for has no code of the system.
function failure(error, shown) {
  const isLost = /^(ECONN|EPIPE|ETIMEDOUT|EPROTO|ERR_SSL)/.test(error.code ?? "");
  const text = `cannot connect to ${shown}: ${escape(error.code ?? error.message)}`;
  if (isLost) return new Failed("lost", `${text}; check that the server uses TLS`);
  return new Failed("certificate not trusted", `${text}; if this is the right server, pass the fingerprint that it shows`);
}

function wrongKey(stream, fingerprint, shown) {
  const certificate = stream.getPeerCertificate?.()?.raw, hash = bytes => createHash("sha256").update(bytes).digest();
  if (!certificate?.length) {
    return new Failed("unsupported", "this runtime does not show the certificate of a server, so a fingerprint cannot be "
      + "checked; use Node.js, or an address without TLS");
  }
  const key = hash(new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" }));
  if ([key, hash(certificate)].some(found => found.equals(fingerprint))) return undefined;
  const [found, wanted] = [key, fingerprint].map(bytes => bytes.toString("hex"));
  return new Failed("certificate not pinned", `the server at ${shown} is not the right one: its fingerprint is ${found} `
    + `instead of ${wanted}; if it has a new key, use the fingerprint that it shows when it starts`);
}
