// TLS over a socket, and which certificate is accepted.
import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { dial, TIMEOUT } from "./dial.js";
import { Failed } from "./failed.js";
import { escape } from "./names.js";

// A certificate of halloo lists each address of its machine.
const MAX_NAMES = 8;

/** Resolves to the socket with TLS. Only the certificate with the fingerprint is accepted, if there is one. */
export async function secure(socket, address, { host, shown, fingerprint }, signal, timeout = TIMEOUT) {
  try {
    const stream = await handshake(socket, { host, shown, rejectUnauthorized: !fingerprint }, signal, timeout);
    const wrong = fingerprint && wrongKey(stream, fingerprint, shown);
    if (!wrong) return stream;
    stream.destroy();
    throw wrong;
  } catch (error) {
    if (error.kind !== "certificate not trusted") throw error;
    throw new Failed(error.kind, error.message + await advice(address, { host, shown }, signal, timeout));
  }
}

function handshake(socket, { host, shown, rejectUnauthorized }, signal, timeout) {
  return new Promise((resolve, reject) => {
    const stream = connectTls({ socket, host, servername: isIP(host) ? "" : host, rejectUnauthorized });
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
    stream.once("secureConnect", () => end());
  });
}

// What the certificate is to blame for has no code of the system.
function failure(error, shown) {
  const { code = "" } = error, reason = escape(code || error.message), isLost = /^(ECONN|EPIPE|ETIMEDOUT)/.test(code);
  if (isLost || /^(EPROTO|ERR_SSL)/.test(code)) {
    const kind = isLost ? "lost" : "no WebSocket";
    return new Failed(kind, `cannot connect to ${shown}: ${reason}; check that the server uses TLS`);
  }
  return new Failed("certificate not trusted", `the certificate of ${shown} is not trusted: ${reason}`);
}

// Returns what the certificate says, and how to pin it. It takes another connection, since not every runtime shows that of a
// handshake that has failed.
async function advice(address, { host, shown }, signal, timeout) {
  let socket;
  try {
    ({ socket } = await dial([address], signal, timeout));
    const stream = await handshake(socket, { host, shown, rejectUnauthorized: false }, signal, timeout);
    const certificate = new X509Certificate(stream.getPeerCertificate().raw), fingerprint = keyOf(certificate).toString("hex");
    return `; it is for ${namesOf(certificate)}, with the fingerprint ${fingerprint}; if the server shows this fingerprint `
      + `when it starts, pass fingerprint: "${fingerprint}", or append #fp=${fingerprint} to the address`;
  } catch {
    signal?.throwIfAborted();
    return "; if this is the right server, pass the fingerprint that it shows when it starts";
  } finally {
    socket?.destroy();
  }
}

const hash = bytes => createHash("sha256").update(bytes).digest();
const keyOf = certificate => hash(certificate.publicKey.export({ type: "spki", format: "der" }));

// Returns the subject alternative names of a certificate, else its common name.
function namesOf({ subjectAltName, subject }) {
  const listed = (subjectAltName ?? "").split(", ").map(name => /^(?:DNS|IP Address):(.*)$/.exec(name)?.[1]).filter(Boolean);
  const names = listed.length ? listed : [/^CN=(.*)$/m.exec(subject ?? "")?.[1]].filter(Boolean);
  return names.slice(0, MAX_NAMES).map(name => `"${escape(name, 64)}"`).join(", ") || "no name";
}

function wrongKey(stream, fingerprint, shown) {
  const certificate = stream.getPeerCertificate?.()?.raw;
  if (!certificate?.length) {
    return new Failed("unsupported", "this runtime does not show the certificate of a server, so a fingerprint cannot be "
      + "checked; use Node.js, or an address without TLS");
  }
  const key = keyOf(new X509Certificate(certificate));
  if ([key, hash(certificate)].some(found => found.equals(fingerprint))) return undefined;
  const [found, wanted] = [key, fingerprint].map(bytes => bytes.toString("hex"));
  return new Failed("certificate not pinned", `the server at ${shown} is not the right one: its fingerprint is ${found} `
    + `instead of ${wanted}; if it has a new key, use the fingerprint that it shows when it starts`);
}
