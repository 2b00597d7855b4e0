// The package in a page.
import { Link, Page } from "./client.js";

const FINGERPRINT = "a page cannot check a fingerprint";
const UNABLE = "a page cannot search the network; connect to an address, or open the page from its server and connect to that";

/** Connects to a server, by default to that of this page, and reconnects until it is closed. */
export function connect(target, options = {}) {
  // The WebSocket of a page accepts what the browser trusts, and cannot be told to accept one certificate only.
  if (options.fingerprint) throw new TypeError(`${FINGERPRINT}; let the browser trust the certificate instead`);
  return new Link(new Page(target, options, () => import("./access.js")), options);
}

export async function discover() { throw new Error(UNABLE); }
export async function find() { throw new Error(UNABLE); }
export function browse() { throw new Error(UNABLE); }
