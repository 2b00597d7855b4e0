// The client of halloo for web pages and Node.js: docs/browser.md describes it, PROTOCOL.md what it sends.
const MIN_DELAY = 100, MAX_DELAY = 5000, STABLE = 10000, OPEN_TIMEOUT = 6000;
const page = globalThis.location, doc = globalThis.document;

/** Connects to a server, by default to that of this page, and reconnects until it is closed. */
export const connect = (target, options) => new Link(target, options);

export class Link extends EventTarget {
  #state = "connecting"; #socket; #attempt = 0; #failures = 0; #opened = 0; #timer; #off = [];
  #url; #http; #token; #protocols; #limit; #queue = []; #bytes = 0;
  #inbox; #wake;

  constructor(target, { token, room, protocols = [], queue, signal } = {}) {
    super();
    const own = import.meta.url, base = own.endsWith("/_halloo/client.js") ? new URL("..", own) : page;
    const url = new URL(target ?? base, page?.href);
    url.protocol = /^(https|wss):/.test(url) ? "wss:" : "ws:";
    this.#token = token ?? readToken(url, target == null);
    url.search = url.hash = "";
    url.pathname = url.pathname.replace(/[^/]*$/, "");
    this.#http = "http" + url.href.slice(2);
    if (room != null) url.pathname += "room/" + encodeURIComponent(room);
    this.#url = url.href;
    this.#protocols = [...protocols, "halloo.v1"];
    this.#limit = { messages: 1024, bytes: 1 << 20, ...queue };
    this.#on(signal, "abort", () => this.close());
    const wake = () => this.#prove();
    this.#on(doc, "visibilitychange", wake);
    this.#on(doc && globalThis, "online", wake);
    this.#on(doc && globalThis, "pageshow", wake);
    if (signal?.aborted) this.close();
    else this.#connect();
  }

  /** "connecting", "connected", "waiting" (for the next attempt) or "closed" (for good). */
  get state() { return this.#state; }
  get url() { return this.#url; }
  get rtt() { return undefined; }

  /** Returns "sent", "queued" until there is a connection, or "full": then nothing happened. */
  send(data) {
    const size = data.size ?? data.byteLength ?? data.length, { messages, bytes } = this.#limit;
    if (this.#state === "closed") throw new Error("the link is closed");
    const buffered = this.#socket?.bufferedAmount ?? 0;
    if (this.#state === "connected") {
      if (buffered && buffered + size > bytes) return "full";
      this.#socket.send(data);
      return "sent";
    }
    if (this.#queue.length >= messages || this.#bytes + size > bytes) return "full";
    this.#queue.push([data, size]);
    this.#bytes += size;
    return "queued";
  }

  close(code = 1000, reason = "") {
    this.#socket?.close(code, reason);
    this.#end("close", { code, reason });
  }

  async *[Symbol.asyncIterator]() {
    this.#inbox ??= [];
    for (;;) {
      while (this.#inbox.length) yield this.#inbox.shift();
      if (this.#state === "closed") return;
      await new Promise(resolve => { this.#wake = resolve; });
    }
  }

  #on(target, type, listener) {
    target?.addEventListener(type, listener);
    this.#off.push(() => target?.removeEventListener(type, listener));
  }

  #emit(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), detail));
    this.#wake?.();
  }

  #end(type, detail) {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#attempt++;
    clearTimeout(this.#timer);
    this.#off.forEach(off => off());
    this.#emit(type, detail);
  }

  async #connect() {
    const attempt = ++this.#attempt;
    this.#state = "connecting";
    clearTimeout(this.#timer);
    let socket;
    try {
      const proof = this.#token ? [await (await import("./proof.js")).authenticate(this.#token, (path, headers) => request(this.#http + path, headers))] : [];
      if (attempt === this.#attempt) socket = await this.#open([...this.#protocols, ...proof]);
    } catch (error) {
      const refusal = await findRefusal(error, this.#http, this.#token).catch(() => "");
      if (attempt !== this.#attempt) return;
      return refusal ? this.#end("gaveup", { reason: refusal }) : this.#retry();
    }
    if (attempt !== this.#attempt) return socket?.close();
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (this.#inbox?.push(data) > this.#limit.messages) this.#inbox.shift();
      this.#emit("message", { data });
    };
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    this.#state = "connected";
    this.#opened = Date.now();
    for (const [data] of this.#queue.splice(0)) socket.send(data);
    this.#bytes = 0;
    this.#emit("open");
  }

  #open(protocols) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(this.#url, protocols);
      socket.binaryType = "arraybuffer";
      const settle = (done, value) => {
        clearTimeout(timeout);
        socket.onopen = socket.onclose = null;
        done(value);
      };
      // A browser would wait for minutes.
      const timeout = setTimeout(() => { settle(reject, new Error("timeout")); socket.close(); }, OPEN_TIMEOUT);
      socket.onopen = () => settle(resolve, socket);
      socket.onclose = () => settle(reject, new Error("closed"));
      socket.onerror = () => {};
    });
  }

  #lost(code, reason) {
    if (this.#state !== "connected") return;
    this.#socket = null;
    if (Date.now() - this.#opened >= STABLE) this.#failures = 0;
    this.#state = "waiting";
    this.#emit("close", { code, reason });
    if (code === 1002 || code === 1003 || code >= 1007 && code <= 1010 || code >= 3000) {
      this.#end("gaveup", { reason: reason || "the connection was closed with code " + code, code });
    } else this.#retry();
  }

  #retry() {
    const delay = Math.random() * Math.min(MIN_DELAY * 2 ** this.#failures++, MAX_DELAY);
    this.#state = "waiting";
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#emit("retry", { delay });
  }

  #prove() {
    if (doc?.hidden || this.#state !== "waiting") return;
    this.#failures = 0;
    this.#connect();
  }
}

// The invitation link has the token in its fragment. It is removed from the address bar, where others could read it, and
// kept for this tab, so that the page can be reloaded.
function readToken(url, isPage) {
  const from = isPage ? page : url, key = "token " + url.pathname;
  const hash = new URLSearchParams(from?.hash.slice(1)), query = new URLSearchParams(from?.search);
  const token = hash.get("token") ?? query.get("token");
  if (!isPage || !page) return token;
  try {
    if (token) {
      sessionStorage.setItem(key, token);
      for (const part of [hash, query]) ["token", "fp"].forEach(name => part.delete(name));
      history.replaceState(history.state, "", page.pathname + (query.size ? "?" + query : "") + (hash.size ? "#" + hash : ""));
    }
    return token || sessionStorage.getItem(key);
  } catch {
    return token; // Storage may be switched off.
  }
}

function request(url, headers, timeout = OPEN_TIMEOUT) {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), timeout);
  return fetch(url, { headers, signal: abort.signal, cache: "no-store" });
}

// A browser does not say why a WebSocket failed, but an HTTP request does. Resolves to why the next would fail too.
async function findRefusal(error, http, token) {
  if (error.isFinal) return error.message;
  const response = await request(http + "status"), { status } = response;
  if (status === 401) return token ? "" : "This server requires a token: enter it, or open the invitation link.";
  return status > 299 && status < 500 && ![408, 425, 429].includes(status) ? (await response.text()).trim() : "";
}
