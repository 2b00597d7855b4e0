// How client and server prove to each other that they know the token.
import { createHmac, timingSafeEqual } from "node:crypto";

/** One exchange of proofs, as the client begins it. */
export class Exchange {
  #token; #id; #challenge; #nonce;

  /** Returns nothing if it is no valid challenge: other characters could forge a line of what is hashed. */
  static begin(token, id, challenge, nonce) {
    return /^[\w-]{1,32}\n[\w-]{1,64}$/.test(`${id}\n${challenge}`) ? new Exchange(token, id, challenge, nonce) : undefined;
  }

  constructor(token, id, challenge, nonce) {
    [this.#token, this.#id, this.#challenge, this.#nonce] = [token, id, challenge, Buffer.from(nonce).toString("base64url")];
  }

  /** The value of `Authorization`. */
  get authorization() {
    return `Halloo challenge="${this.#challenge}", nonce="${this.#nonce}", proof="${this.proof("client")}"`;
  }

  proof(side) {
    const text = `halloo ${side}\n${this.#id}\n${this.#challenge}\n${this.#nonce}`;
    return createHmac("sha256", this.#token).update(text).digest("base64url");
  }

  isServerProof(given) {
    const [one, other] = [given, this.proof("server")].map(text => Buffer.from(text));
    return one.length === other.length && timingSafeEqual(one, other);
  }
}

/** Returns the valid challenge in the values of `WWW-Authenticate`, and whether the last one was stale. */
export function readChallenge(values) {
  for (const value of values) {
    const [, scheme, rest] = /^\s*(\S*)(.*)$/s.exec(value);
    if (scheme.toLowerCase() !== "halloo") continue;
    const pairs = rest.split(",").map(pair => /^\s*([^=\s]*)\s*=\s*"?([^"]*?)"?\s*$/.exec(pair)).filter(Boolean);
    const { id = "", challenge = "", stale } = Object.fromEntries(pairs.map(([, name, text]) => [name.toLowerCase(), text]));
    if (Exchange.begin("", id, challenge, "")) return { id, challenge, stale: stale === "true" };
  }
  return null;
}
