"use strict";
// Proves that the user knows the token, and checks that the server does, without sending it (PROTOCOL.md, "Proof of the
// token"). Browsers offer cryptography on https pages only, so HMAC-SHA-256 (RFC 2104, FIPS 180-4) is written out.
const bytesOf = text => new TextEncoder().encode(text);
const base64url = bytes => btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every(prime => n % prime)) PRIMES.push(n);
// The first 32 bits of the fractional part.
const fraction = x => (x % 1) * 2 ** 32 | 0;
const SHA256_ROUNDS = PRIMES.map(prime => fraction(Math.cbrt(prime)));

function sha256(message) {
  const hash = PRIMES.slice(0, 8).map(prime => fraction(Math.sqrt(prime)));
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, message.length * 8);
  const rotate = (x, bits) => x >>> bits | x << 32 - bits;
  const words = new Int32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 64; i++) {
      if (i < 16) {
        words[i] = view.getInt32(block + 4 * i);
        continue;
      }
      const early = words[i - 15], late = words[i - 2];
      words[i] = words[i - 16] + words[i - 7] + (rotate(early, 7) ^ rotate(early, 18) ^ early >>> 3)
        + (rotate(late, 17) ^ rotate(late, 19) ^ late >>> 10);
    }
    let [a, b, c, d, e, f, g, h] = hash;
    for (let i = 0; i < 64; i++) {
      const first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (e & f ^ ~e & g) + SHA256_ROUNDS[i] + words[i] | 0;
      const second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + (a & b ^ a & c ^ b & c) | 0;
      [a, b, c, d, e, f, g, h] = [first + second | 0, a, b, c, d + first | 0, e, f, g];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { hash[i] = hash[i] + word | 0; });
  }
  const digest = new DataView(new ArrayBuffer(32));
  hash.forEach((word, i) => digest.setInt32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

function hmac(key, message) {
  const block = new Uint8Array(64);
  block.set(key.length > 64 ? sha256(key) : key);
  const inner = sha256(new Uint8Array([...block.map(byte => byte ^ 0x36), ...message]));
  return sha256(new Uint8Array([...block.map(byte => byte ^ 0x5c), ...inner]));
}

// Returns the proof of one side, "client" or "server".
function proofOf(side, token, { id, challenge, nonce }) {
  return base64url(hmac(bytesOf(token), bytesOf(`halloo ${side}\n${id}\n${challenge}\n${nonce}`)));
}

// What the server or its response means for the user.
class Refusal extends Error {}

// Lets the server prove that it knows the token, and resolves to the subprotocol by which this page proves the same.
async function authenticate(token) {
  const { id, challenge } = await (await request("discovery.json")).json();
  if (!challenge) {
    throw new Refusal("This server does not ask for the token, so it may not be the right one. "
      + "If it is, open its page in a new tab.");
  }
  const exchange = () => ({ id, challenge, nonce: base64url(crypto.getRandomValues(new Uint8Array(16))) });
  const first = exchange();
  const proof = `Halloo challenge="${challenge}", nonce="${first.nonce}", proof="${proofOf("client", token, first)}"`;
  const response = await request("status", { Authorization: proof });
  if (response.status === 401) {
    // The server has restarted in the meantime, so the next attempt has a new challenge.
    if (response.headers.get("WWW-Authenticate")?.includes("stale=true")) throw new Error("stale challenge");
    throw new Refusal("The token is wrong. The server may have a new one: enter it, or open the invitation link again.");
  }
  if (response.status !== 200) throw new Refusal((await response.text()).trim());
  if (response.headers.get("Halloo-Proof") !== proofOf("server", token, first)) {
    throw new Refusal("This server does not know the token, so it is not the right one. Do not enter the token here.");
  }
  const second = exchange();
  return `halloo.proof.${challenge}.${second.nonce}.${proofOf("client", token, second)}`;
}
