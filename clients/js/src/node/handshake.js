// The opening handshake: what the client asks, and what it makes of the response.
import { createHash } from "node:crypto";
import { escape, hideToken } from "./names.js";
import { readChallenge } from "./proof.js";

/** How much of a response is read. */
export const MAX_RESPONSE = 8192;
const MAX_TEXT = 300;
const NOT_ASKED = "it did not ask for a token, so it may be an impostor; if it is the right server, connect without one";
const ANOTHER = "it is not the server that was found, so the address belongs to another one now";

/** Returns the request. `ask` has what is also needed to judge the response. */
export function request(address, { key, id, token, exchange, protocols = [], deflate }) {
  const credential = exchange?.authorization ?? (token && address.tls ? "Bearer " + token : null);
  const lines = [
    `GET ${address.resource} HTTP/1.1`, `Host: ${address.authority}`, "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`,
    protocols.length && `Sec-WebSocket-Protocol: ${protocols.join(", ")}`,
    deflate && "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    credential && `Authorization: ${credential}`,
    id && `Halloo-Id: ${id}`,
  ];
  return lines.filter(Boolean).join("\r\n") + "\r\n\r\n";
}

/**
 * Returns the head of a response: `status`, `reason`, `size` and `values`, which returns the values of a header. Nothing if
 * more bytes are needed. Interim responses are skipped. Throws an error for the person if it is no such head.
 */
export function readHead(bytes, start = 0) {
  const rest = bytes.subarray(start, start + MAX_RESPONSE), end = rest.indexOf("\r\n\r\n");
  if (rest.length && !"HTTP/1.".startsWith(rest.toString("latin1", 0, 7))) throw new Error("it does not speak HTTP");
  if (end < 0 && rest.length >= MAX_RESPONSE) throw new Error("its response head is too large");
  if (end < 0) return undefined;
  const [first, ...lines] = rest.toString("latin1", 0, end).split("\r\n"), size = start + end + 4;
  const [, digits, reason = ""] = /^HTTP\/1\.\d (\d{3})(?: (.*))?$/.exec(first) ?? [];
  if (!digits) throw new Error("it does not speak HTTP");
  if (/^1(?!01)/.test(digits)) return readHead(bytes, size);
  const headers = lines.map(line => /^([^:]*):[ \t]*(.*?)[ \t]*$/.exec(line)).filter(Boolean);
  const values = name => headers.filter(([, key]) => key.toLowerCase() === name.toLowerCase()).map(([, , value]) => value);
  return { status: Number(digits), reason, size, values };
}

/** Returns what the client makes of a response, in the words of vectors/responses.json. */
export function judge(ask, head, body) {
  const { status, values } = head;
  if (status !== 101) return { refused: { status, text: refusal(head, body), challenge: challengeOf(head) } };
  const has = (name, word) => values(name).some(value => value.toLowerCase().split(/\s*,\s*/).includes(word));
  const accept = createHash("sha1").update(ask.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  const subprotocols = values("Sec-WebSocket-Protocol"), extensions = values("Sec-WebSocket-Extensions");
  const isDeflated = extensions.length > 0;
  let wrong;
  if (!has("Upgrade", "websocket")) wrong = "its response lacks `Upgrade: websocket`";
  else if (!has("Connection", "upgrade")) wrong = "its response lacks `Connection: Upgrade`";
  else if (values("Sec-WebSocket-Accept").join() !== accept) wrong = "its Sec-WebSocket-Accept does not match the key";
  else if (isDeflated && !(ask.deflate && isAcceptable(extensions))) wrong = "it uses an extension that was not offered";
  else if (subprotocols.length > 1 || subprotocols.some(one => !ask.protocols?.includes(one))) {
    wrong = "it chose a subprotocol that was not offered";
  }
  if (wrong) return { no_websocket: wrong };
  const ids = values("Halloo-Id"), confirmed = ask.id !== undefined && ids.length === 1 && ids[0] === ask.id;
  const proofs = values("Halloo-Proof"), { exchange } = ask;
  if (ask.id !== undefined && !confirmed && (ids.length || ask.mustConfirm)) return { wrong_server: ANOTHER };
  if (ask.awaitsChallenge) {
    return { wrong_server: NOT_ASKED };
  }
  if (exchange && !(proofs.length === 1 && exchange.isServerProof(proofs[0]))) {
    return { wrong_server: "it did not prove that it knows the token, so it may be an impostor" };
  }
  return { accepted: { confirmed, subprotocol: subprotocols[0] ?? null, head_bytes: head.size, isDeflated } };
}

// Returns whether each message is compressed alone, as it was offered.
function isAcceptable(extensions) {
  const [name, ...parameters] = extensions.join(",").toLowerCase().split(/\s*;\s*/);
  const isKnown = one => /^(client_no_context_takeover|server_no_context_takeover|server_max_window_bits=\d+)$/.test(one);
  return name === "permessage-deflate" && parameters.every(isKnown) && parameters.includes("server_no_context_takeover");
}

const challengeOf = ({ status, values }) => status === 401 ? readChallenge(values("WWW-Authenticate")) : null;

/** Returns the text of a refusal, for the person. */
function refusal({ status, reason, values }, body) {
  const isText = values("Content-Type").some(value => /^text\/plain/i.test(value));
  const size = Math.min(MAX_TEXT, ...values("Content-Length").filter(value => /^\d+$/.test(value)));
  const said = isText ? body.toString("utf8", 0, size).trim() : "";
  const text = escape(said || reason || "no reason is given"), to = status >= 300 && status < 400 && values("Location")[0];
  return to ? `${text}; the server redirects to ${escape(hideToken(to))}, so connect to that address if you trust it` : text;
}
