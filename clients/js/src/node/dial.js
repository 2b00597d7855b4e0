// TCP to one of several addresses.
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
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
