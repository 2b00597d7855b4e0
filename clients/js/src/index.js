// The package on Node.js, Bun and Deno.
import { Link } from "./client.js";
import { Network } from "./node/network.js";

export { browse } from "./node/browse.js";
export { discover, find } from "./node/search.js";

/** Connects to a server, and reconnects until it is closed. */
export function connect(target, options = {}) {
  const queue = { messages: 16384, bytes: 1 << 24, ...options.queue };
  return new Link(new Network(target, options), { ...options, queue });
}
