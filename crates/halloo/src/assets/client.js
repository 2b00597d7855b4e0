// The client of halloo for web pages and Node.js: see docs/browser.md, and PROTOCOL.md for what it sends.
// Milliseconds: for a request or a handshake; for the proof that a connection works, and between two such proofs.
const TIMEOUT = 6000, PROOF = 3000;
const doc = globalThis.document, page = doc && location;

/** Connects to a server, by default to that of this page, and reconnects until it is closed. */
export const connect = (target, options) => new Link(new Page(target, options), options);

/** A connection that lasts. The route opens each connection: that of a page is below. */
export class Link extends EventTarget {
  #state = "connecting"; #socket; #attempt = 0; #failures = 0; #opened; #heard; #timer; #tick; #ended = new AbortController();
  #route; #limit; #inbox; #wake; #rtt;
  // What waits for a connection; what was sent and is not confirmed; how many messages the server has before that. Each message
  // has its size, and the sum of the sizes up to it.
  #queue = []; #flight = []; #base = 0; #total = 0; #arrived = 0;
  // The keys by which the server is asked about this connection and the last one, and whether it can be asked.
  #key; #old; #provable; #proving;
  /** Messages that `for await` was too slow for. */
  missed = 0;

  constructor(route, { queue, signal } = {}) {
    super();
    this.#route = route;
    this.#limit = { messages: 1024, bytes: 1 << 20, ...queue };
    const on = (target, type, listener) => target?.addEventListener(type, listener, { signal: this.#ended.signal });
    const wake = () => doc?.hidden || this.#prove(true);
    on(doc, "visibilitychange", wake);
    for (const type of ["online", "pageshow"]) on(doc?.defaultView, type, wake);
    // A page with an open WebSocket is not kept for the button "back".
    on(doc?.defaultView, "pagehide", () => this.#replace("page left"));
    on(signal, "abort", () => this.close());
    this.#tick = setInterval(() => {
      if (!doc?.hidden && (this.#flight.length || Date.now() - this.#heard > 15000)) this.#prove();
    }, PROOF);
    if (signal?.aborted) this.close();
    else this.#connect();
  }

  get state() { return this.#state === "connecting" && this.#route.state || this.#state; }
  get url() { return this.#route.url; }
  /** Milliseconds of the last proof that the connection works. */
  get rtt() { return this.#rtt; }
  /** How many messages wait for a connection, and how many the server has not confirmed. */
  get pending() { return { queued: this.#queue.length, unconfirmed: this.#flight.length }; }

  /** Returns "sent", "queued" until there is a connection, or "full" or "closed": then nothing happened. */
  send(data) {
    if (this.#state === "closed") return "closed";
    const size = data.size ?? data.byteLength ?? (data.trim && new TextEncoder().encode(data).length);
    if (!(size >= 0)) throw TypeError("send text or bytes");
    const open = this.#socket, held = open?.bufferedAmount ?? sum(this.#queue), { messages, bytes } = this.#limit;
    if (held && held + size > bytes || !open && this.#queue.length >= messages) return "full";
    this.#queue.push([data.slice?.() ?? data, size, this.#total += size]);
    if (open) this.#flush();
    return open ? "sent" : "queued";
  }

  close(code = 1000, reason = "") {
    this.#socket?.close(code, reason);
    this.#end("close", { code, reason });
  }

  async *[Symbol.asyncIterator]() {
    this.#inbox ??= [];
    for (;;) {
      while (this.#inbox.length) yield this.#inbox.shift()[0];
      if (this.#state === "closed") return;
      await new Promise(resolve => { this.#wake = resolve; });
    }
  }

  #emit(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), detail));
    this.#wake?.();
  }

  #end(type, detail) {
    if (this.#state === "closed") return;
    this.#stop("closed");
    this.#ended.abort();
    clearInterval(this.#tick);
    this.#emit(type, detail);
  }

  // Ends the attempt in progress, and forgets the socket.
  #stop(state) {
    this.#state = state;
    if (this.#socket) this.#socket = this.#socket.onmessage = this.#socket.onclose = null;
    clearTimeout(this.#timer);
    return ++this.#attempt;
  }

  #flush() {
    for (const message of this.#queue.splice(0)) {
      this.#socket.send(message[0]);
      this.#flight.push(message);
    }
    this.#base += trim(this.#flight, this.#limit);
  }

  async #connect() {
    const attempt = this.#stop("connecting"), isCurrent = () => attempt === this.#attempt;
    let socket;
    try {
      socket = await this.#route.open({
        key: this.#key = randomKey(), settle: () => this.#old && this.#settle(), isCurrent, signal: this.#ended.signal,
      });
    } catch (error) {
      const refusal = await this.#route.explain(error);
      if (isCurrent()) refusal ? this.#end("gaveup", { reason: refusal }) : this.#retry(error?.message);
      return;
    }
    if (!isCurrent()) return socket?.close();
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      this.#heard = Date.now();
      const size = data.byteLength ?? data.length;
      this.#inbox?.push([data, size, this.#arrived += size]);
      if (this.#inbox) this.missed += trim(this.#inbox, this.#limit);
      this.#emit("message", { data });
    };
    socket.onclose = ({ code, reason }) => this.#lose(code, reason) && this.#retry();
    this.#state = "connected";
    this.#opened = this.#heard = Date.now();
    this.#base = 0;
    this.#flush();
    this.#emit("open");
    this.#prove();
  }

  // Returns whether to reconnect.
  #lose(code, reason) {
    const isStable = Date.now() - this.#opened >= 10000;
    if (isStable) this.#failures = 0;
    this.#old = (code === 1006 || this.#flight.length) && this.#key;
    this.#stop("waiting");
    this.#emit("close", { code, reason });
    if (!this.#route.isFinal(code, isStable)) return this.#state === "waiting";
    this.#end("gaveup", { code, reason: reason || "code " + code });
  }

  #replace(reason) {
    if (!this.#socket) return this.#stop("waiting");
    this.#socket.close();
    return this.#lose(1006, reason);
  }

  #retry(reason) {
    const delay = Math.random() * Math.min(100 * 2 ** this.#failures++, 5000);
    this.#state = "waiting";
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#emit("retry", { delay, reason });
  }

  // Asks the server about a connection, which it first pings if it is open.
  async #ask(key, timeout) {
    const response = await this.#route.request("_halloo/connection?key=" + key, timeout), { status } = response;
    // A redirect, which is not followed, has no status. It proves nothing.
    if (!status) throw Error();
    if (status !== 200) return { open: status !== 404 };
    this.#provable = true;
    return response.json();
  }

  // Ends the last connection, and queues again what did not arrive. Servers of other programs cannot be asked.
  async #settle() {
    const flight = this.#flight;
    const { open, received } = await this.#ask(this.#old + "&end=1", TIMEOUT).catch(() => ({ open: true }));
    if (open && this.#provable) throw Error();
    this.#flight = [];
    this.#old = null;
    if (received != null && this.#limit.messages) this.#queue.unshift(...flight.slice(Math.max(0, received - this.#base)));
    else if (flight.length) this.#emit("unconfirmed", { messages: flight.map(([data]) => data) });
    this.#emit("pending");
  }

  // Proves that the connection works, or replaces it: a dead one may look open for minutes.
  async #prove(awake) {
    if (awake && this.#state === "waiting") {
      this.#failures = 0;
      return this.#connect();
    }
    const socket = this.#socket, start = Date.now();
    if (!socket || this.#proving === socket) return;
    this.#proving = socket;
    let answer;
    while (!answer && socket === this.#socket && Date.now() - start < PROOF) {
      answer = await this.#ask(this.#key, start + PROOF - Date.now())
        .catch(() => new Promise(resolve => setTimeout(resolve, 200)));
    }
    if (socket !== this.#socket) return;
    this.#proving = null;
    if (answer?.open) {
      this.#heard = Date.now();
      this.#rtt = answer.rtt_ms;
      this.#base += this.#flight.splice(0, Math.max(0, answer.received - this.#base)).length;
      this.#emit("pending");
    } else if ((this.#provable || awake) && (answer || this.#heard <= start)) {
      this.#replace("no answer") && this.#retry();
    }
  }
}

/** How a page reaches a server: at one address, with what browsers have. */
export class Page {
  #token; #protocols; #load; #access;

  constructor(target, { token, room, protocols = [] } = {}, load = number => import(beside("./access.js?" + number))) {
    const base = import.meta.url.endsWith("/_halloo/client.js") ? beside("..") : page;
    const url = new URL(target ?? base, page?.href), from = target == null && page;
    const find = part => new URLSearchParams(part.slice(1)).get("token");
    this.#token = token ?? find((from || url).hash) ?? (from && find(from.search)) ?? "";
    // A proxy may serve the server below a path.
    let [, at, path] = /(.*?\/)((room\/)?[^/]*)$/.exec(url.pathname);
    if (target == null) path = url.search = "";
    at = (/[ps]s:/.test(url.protocol) ? "s://" : "://") + url.host + at;
    this.http = "http" + at;
    if (from) this.#token ||= stored(this.http);
    this.url = "ws" + at + (room == null ? path : "room/" + encodeURIComponent(room)) + url.search;
    this.#protocols = [...protocols, "halloo.v1"];
    // A module that could not be loaded needs another address.
    this.#load = async () => this.#access ??= await inTime(load(Math.random()));
  }

  isFinal(code) { return /^(10(0[23789]|10)$|[3-9])/.test(code); }

  request(path, timeout, headers) {
    const abort = new AbortController(), { signal } = abort;
    // The timer of a request does not keep a program on Node.js running.
    setTimeout(() => abort.abort(), timeout).unref?.();
    return fetch(this.http + path, { headers, signal, cache: "no-store", redirect: "manual" });
  }

  async open({ key, settle, isCurrent }) {
    const protocols = [...this.#protocols, "halloo.key." + key], ask = (path, headers) => this.request(path, TIMEOUT, headers);
    await settle();
    if (this.#token) protocols.push(await (await this.#load()).authenticate(this.#token, ask, this.http));
    return isCurrent() && open(this.url, protocols);
  }

  // Resolves to why the next attempt would fail too, or to nothing. A browser does not say why a WebSocket failed, but an
  // HTTP request does.
  async explain(error) {
    const find = async response => (await this.#load()).findRefusal(this.#token, response);
    return error?.refusal ?? this.request("status", TIMEOUT).then(find).catch(() => "");
  }
}

const beside = path => new URL(path, import.meta.url);
const sum = list => list[0] ? list[list.length - 1][2] - list[0][2] + list[0][1] : 0;
const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(22)), x => (x & 31).toString(32)).join("");

// Removes the oldest messages beyond the limit but the newest, and returns their number.
function trim(list, { messages, bytes }) {
  let count = 0;
  for (; list.length > 1 && (list.length > messages || sum(list) > bytes); count++) list.shift();
  return count;
}

// Storage may be switched off.
function stored(http) {
  try {
    return sessionStorage.getItem("token " + http);
  } catch {}
}

function open(url, protocols) {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  return inTime(new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    // Some versions of Node.js do not close a socket after an error.
    socket.onclose = socket.onerror = reject;
  }), () => socket.close());
}

// Rejects after a while: a browser would wait for minutes.
const inTime = (promise, late) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(late?.()), TIMEOUT);
  promise.then(resolve, reject).then(() => clearTimeout(timer));
});
