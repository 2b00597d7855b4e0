const $ = id => document.getElementById(id);
const log = $("log"), text = $("text");
// A proxy may serve the page below a path, and then passes on what is below that path.
const base = location.pathname.replace(/[^/]*$/, "");
const at = path => location.origin + base + path;
const url = (location.protocol === "https:" ? "wss://" : "ws://") + location.host + (base === "/" ? "" : base);
const MAX_ROWS = 500, MAX_SHOWN = 4000, MIN_DELAY = 500, MAX_DELAY = 10000, CONNECT_TIMEOUT = 6000;
// Pages below other paths of a proxy share the storage.
const TOKEN_KEY = "token " + base;
let token = readToken();
let socket, retry, attempts = 0, delay = MIN_DELAY, received = 0, pending = [], sent = [], recalled = 0, atEnd = true, wasConnected = false;

function show(state, word, detail) {
  $("state").className = state;
  if ($("state").textContent !== word) $("state").textContent = word;
  $("detail").textContent = detail;
  $("send").disabled = state !== "connected";
  $("access").hidden = true;
}

// Shows why there is no connection, and waits for the user. The field for a token is shown if that may help.
function stop(word, detail, askForToken) {
  show("lost", word, detail);
  $("access").hidden = false;
  for (const element of [$("token"), $("token-label")]) element.hidden = !askForToken;
  (askForToken ? $("token") : $("again")).focus();
}

// The invitation link has the token in its fragment, which browsers do not send. It is removed from the address bar, where
// others could read or copy it, and stored for this tab, so that the page can be reloaded.
function readToken() {
  const fromLink = new URLSearchParams(location.hash.slice(1)).get("token");
  if (location.hash) history.replaceState(null, "", location.pathname);
  if (fromLink) storeToken(fromLink);
  return fromLink || storage(store => store.getItem(TOKEN_KEY)) || "";
}

function storeToken(token) {
  storage(store => store.setItem(TOKEN_KEY, token));
}

// Storage may be switched off in a browser, where even reading it fails.
function storage(use) {
  try {
    return use(sessionStorage);
  } catch {
    return null;
  }
}

// Rows are drawn once per frame: hundreds of messages a second must not stall a phone.
function add(kind, label, content) {
  if (!pending.length) (document.hidden ? setTimeout : requestAnimationFrame)(draw);
  pending.push([kind, label, content, new Date()]);
  if (pending.length > MAX_ROWS) pending.shift();
}

function draw() {
  const rows = pending.map(([kind, label, content, when]) => {
    const row = document.createElement("div");
    row.className = "entry " + kind;
    const part = (tag, content) => { const element = document.createElement(tag); element.textContent = content; row.append(element); };
    if (label) part("small", label);
    if (kind === "note") part("p", content);
    part("small", when.toLocaleTimeString());
    if (kind !== "note") part("p", content);
    return row;
  });
  pending = [];
  log.append(...rows);
  while (log.childElementCount > MAX_ROWS) log.firstElementChild.remove();
  if (atEnd) toEnd();
  else if (rows.some(row => row.classList.contains("got"))) $("latest").hidden = false;
  if (isOpen()) count();
}

const isOpen = () => socket?.readyState === WebSocket.OPEN;
const toEnd = () => { log.scrollTop = log.scrollHeight; };
const plural = (n, unit) => `${n.toLocaleString()} ${unit}${n === 1 ? "" : "s"}`;
const count = () => show("connected", "Connected", received ? plural(received, "message") + " received" : "Waiting for messages");

function describe(data) {
  if (typeof data === "string") {
    return ["Text", data.length > MAX_SHOWN ? data.slice(0, MAX_SHOWN) + ` … (${plural(data.length, "character")})` : data];
  }
  const start = [...new Uint8Array(data, 0, Math.min(32, data.byteLength))];
  const hex = start.map(byte => byte.toString(16).padStart(2, "0")).join(" ");
  return ["Binary, " + plural(data.byteLength, "byte"), hex + (data.byteLength > 32 ? " …" : "")];
}

// Sends an HTTP request. It fails after a while, where the browser would wait for minutes.
function request(path, headers) {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), CONNECT_TIMEOUT);
  return fetch(at(path), { headers, signal: abort.signal });
}

// Resolves to an open WebSocket. The promise is rejected if there is none after a while.
async function open(token) {
  const subprotocols = token ? ["halloo.v1", await authenticate(token)] : ["halloo.v1"];
  return new Promise((resolve, reject) => {
    const opening = new WebSocket(url, subprotocols);
    const settle = (done, value) => {
      clearTimeout(timeout);
      opening.onopen = opening.onclose = null;
      done(value);
    };
    // Without a timeout, the browser would wait minutes for a server that vanished.
    const timeout = setTimeout(() => { settle(reject, new Error("timeout")); opening.close(); }, CONNECT_TIMEOUT);
    opening.onopen = () => settle(resolve, opening);
    opening.onclose = () => settle(reject, new Error("closed"));
  });
}

// A browser does not say why a WebSocket could not connect, but an HTTP request does. Resolves to what to tell the user
// if the server would refuse the next attempt too.
async function findRefusal(error) {
  if (error instanceof Refusal) return error.message;
  const response = await request("status");
  if (response.status === 401) return token ? "" : "This server requires a token: enter it, or open the invitation link.";
  return [403, 429].includes(response.status) ? (await response.text()).trim() : "";
}

async function connect() {
  const attempt = ++attempts;
  clearTimeout(retry);
  if (!$("state").className) show("", "Connecting", "");
  let opened;
  try {
    opened = await open(token);
  } catch (error) {
    const refusal = await findRefusal(error).catch(() => "");
    if (attempt !== attempts) return;
    if (refusal) stop("Refused", refusal, true);
    else reconnect();
    return;
  }
  // Meanwhile the user may have entered another token.
  if (attempt !== attempts) return opened.close();
  socket = opened;
  socket.binaryType = "arraybuffer";
  socket.onmessage = event => { received += 1; add("got", ...describe(event.data)); };
  socket.onclose = event => lost(event);
  wasConnected = true;
  delay = MIN_DELAY;
  add("note", "", "Connected");
  count();
  showName();
}

function lost({ code, reason }) {
  add("note", "", `Connection lost (${code}${reason ? ": " + reason : ""})`);
  // The codes from 3000 on are those of applications. One that dismisses a client does not expect it back at once.
  if (code >= 3000) stop("Closed", `The application closed the connection: ${reason || "code " + code}`, false);
  else reconnect();
}

function reconnect() {
  // Random, so that a room full of phones does not reconnect at the same moment.
  const pause = delay * (.5 + Math.random() / 2);
  const seconds = plural(Math.max(1, Math.round(pause / 1000)), "second");
  show("lost", "Reconnecting", `${wasConnected ? "Connection lost" : "No response"}, next attempt in ${seconds}`);
  retry = setTimeout(() => { show("lost", "Reconnecting", "Connecting now"); connect(); }, pause);
  delay = Math.min(delay * 2, MAX_DELAY);
}

// A phone that wakes up or rejoins its Wi-Fi should reconnect at once.
function reconnectNow() {
  if (document.hidden || isOpen() || !$("access").hidden) return;
  delay = MIN_DELAY;
  connect();
}
addEventListener("hashchange", () => {
  if (!location.hash) return;
  token = readToken();
  if (!isOpen()) restart();
});
document.addEventListener("visibilitychange", reconnectNow);
addEventListener("online", reconnectNow);

function restart() {
  delay = MIN_DELAY;
  show("", "Connecting", "");
  connect();
}

$("access").onsubmit = event => {
  event.preventDefault();
  const entered = $("token").value.trim();
  if (entered) storeToken(token = entered);
  $("token").value = "";
  text.focus();
  restart();
};

function showName() {
  request("discovery.json").then(response => response.json()).then(({ name }) => {
    if (typeof name === "string" && name) document.title = $("name").textContent = name;
  }).catch(() => {});
}

$("form").onsubmit = event => {
  event.preventDefault();
  if (!text.value || !isOpen()) return;
  socket.send(text.value);
  add("sent", "You", text.value);
  sent = [...sent.slice(-49), text.value];
  recalled = sent.length;
  text.value = "";
  toEnd();
};

text.onkeydown = event => {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step || !sent.length || event.isComposing) return;
  event.preventDefault();
  recalled = Math.max(0, Math.min(sent.length, recalled + step));
  text.value = sent[recalled] ?? "";
};

log.onscroll = () => {
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  if (atEnd) $("latest").hidden = true;
};
// The keyboard of a phone covers half of the log, and the newest message must stay visible.
new ResizeObserver(() => { if (atEnd) toEnd(); }).observe(log);
$("latest").onclick = () => { toEnd(); text.focus(); };
$("clear").onclick = () => { log.replaceChildren(); $("latest").hidden = true; };

$("copy").onclick = async () => {
  let done = false;
  try {
    await navigator.clipboard.writeText(url);
    done = true;
  } catch {
    // The clipboard API needs https; the deprecated command also works on plain http pages.
    getSelection().selectAllChildren($("address"));
    done = document.execCommand("copy");
    if (done) getSelection().removeAllRanges();
  }
  $("copy").textContent = done ? "Copied" : "Selected";
  setTimeout(() => { $("copy").textContent = "Copy"; }, 2000);
};

$("address").textContent = url;
if (matchMedia("(hover: hover)").matches) text.focus();
connect();
