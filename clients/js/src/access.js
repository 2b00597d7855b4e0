// How client.js proves that it knows the token, and checks that the server does, without sending it (PROTOCOL.md, "Proof of
// the token"), and how it learns why it is refused. It is loaded only if there is a token or no connection.

/** What another attempt would not change; the message is for the user. */
class Refusal extends Error {
  refusal = this.message;
}

/** Resolves to why the next attempt would fail too, to judge by the response for the status; or to an empty text. */
export async function findRefusal(token, response) {
  const { status } = response;
  if (status === 401) return token ? "" : "This server requires a token: enter it, or open the invitation link.";
  return status > 0 && status < 300 || isTemporary(status) ? "" : explain(response);
}

const isTemporary = status => status >= 500 || [408, 425, 429].includes(status);

// A browser hides the status of a redirect, which is not followed: it leads to another server.
async function explain(response) {
  const { status } = response;
  const text = (await response.text()).trim();
  return text || (status ? `The server refuses (status ${status}).` : "The server redirects elsewhere.");
}

/** Lets the server prove that it knows the token, and resolves to the subprotocol that proves the same to the server. */
export async function authenticate(token, request, http) {
  const isInAddress = hideToken(token);
  const { id, challenge } = await (await request("discovery.json")).json();
  // Other characters could forge a line of what is hashed.
  if (!/^[\w-]{1,32}\n[\w-]{1,64}$/.test(`${id}\n${challenge}`)) {
    throw new Refusal("This server does not ask for the token, so it may not be the right one. "
      + "If it is, open its page in a new tab.");
  }
  const random = () => base64url(crypto.getRandomValues(new Uint8Array(16)));
  const proof = (side, nonce) =>
    base64url(hmac(bytesOf(token), bytesOf(`halloo ${side}\n${id}\n${challenge}\n${nonce}`)));
  const nonce = random(), second = random();
  const response = await request("status", {
    Authorization: `Halloo challenge="${challenge}", nonce="${nonce}", proof="${proof("client", nonce)}"`,
  });
  const { status, headers } = response;
  // Stale: the server has restarted meanwhile.
  if (isTemporary(status) || headers.get("WWW-Authenticate")?.includes("stale=true")) throw new Error();
  if (status === 401) {
    throw new Refusal("The token is wrong. The server may have a new one: enter it, or open the invitation link again.");
  }
  if (status !== 200) throw new Refusal(await explain(response));
  if (headers.get("Halloo-Proof") !== proof("server", nonce)) {
    throw new Refusal("This server does not know the token, so it is not the right one. Do not enter the token here.");
  }
  if (isInAddress) store("token " + http, token);
  return `halloo.proof.${challenge}.${second}.${proof("client", second)}`;
}

// The invitation link has the token in its fragment. It is removed from the address bar, where others could read it, and
// kept for this tab, so that the page can be reloaded.
function hideToken(token) {
  const { pathname, search, hash } = globalThis.document ? location : new URL("http://a");
  const parts = [["?", search], ["#", hash]].map(([mark, text]) => {
    const pairs = new URLSearchParams(text.slice(1));
    if (pairs.get("token") !== token) return text;
    pairs.delete("token");
    pairs.delete("fp");
    return String(pairs) && mark + pairs;
  });
  const isFound = parts.join("") !== search + hash;
  if (isFound) history.replaceState(history.state, "", pathname + parts.join(""));
  return isFound;
}

function store(key, token) {
  try {
    sessionStorage.setItem(key, token);
  } catch {
    // Storage may be switched off.
  }
}

const bytesOf = text => new TextEncoder().encode(text);
const base64url = bytes => btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

// HMAC-SHA-256 (RFC 2104, FIPS 180-4): browsers offer it on https pages only.
function hmac(key, message) {
  const block = new Uint8Array(64), pad = (byte, rest) => sha256(new Uint8Array([...block.map(b => b ^ byte), ...rest]));
  block.set(key.length > 64 ? sha256(key) : key);
  return pad(0x5c, pad(0x36, message));
}

function sha256(message) {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every(prime => n % prime)) primes.push(n);
  const fraction = x => (x % 1) * 2 ** 32 | 0, rounds = primes.map(prime => fraction(Math.cbrt(prime)));
  const hash = primes.slice(0, 8).map(prime => fraction(Math.sqrt(prime)));
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64), view = new DataView(padded.buffer);
  padded.set(message);
  padded[message.length] = 0x80;
  view.setUint32(padded.length - 4, message.length * 8);
  const mix = (x, r, s, t) => (x >>> r | x << 32 - r) ^ (x >>> s | x << 32 - s) ^ t;
  const rotate = (x, bits) => x >>> bits | x << 32 - bits;
  const words = [];
  for (let block = 0; block < padded.length; block += 64) {
    let [a, b, c, d, e, f, g, h] = hash;
    for (let i = 0; i < 64; i++) {
      const early = words[i - 15], late = words[i - 2];
      words[i] = i < 16 ? view.getInt32(block + 4 * i) : words[i - 16] + words[i - 7]
        + mix(early, 7, 18, early >>> 3) + mix(late, 17, 19, late >>> 10) | 0;
      const first = h + mix(e, 6, 11, rotate(e, 25)) + (e & f ^ ~e & g) + rounds[i] + words[i] | 0;
      const second = mix(a, 2, 13, rotate(a, 22)) + (a & b ^ a & c ^ b & c) | 0;
      [a, b, c, d, e, f, g, h] = [first + second | 0, a, b, c, d + first | 0, e, f, g];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { hash[i] = hash[i] + word | 0; });
  }
  const digest = new DataView(new ArrayBuffer(32));
  hash.forEach((word, i) => digest.setInt32(4 * i, word));
  return new Uint8Array(digest.buffer);
}
