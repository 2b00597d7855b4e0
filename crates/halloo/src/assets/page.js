import { connect } from "./client.js";

const $ = id => document.getElementById(id);
const log = $("log"), text = $("text");
const MAX_ROWS = 500, MAX_SHOWN = 4000;
const DISTRUST = "This phone may not trust the certificate: use the plain page, or a certificate of your own (--cert)";
// `mine` has the rows of the messages that the server has not confirmed, in the order in which they were sent.
let link, received = 0, pending = [], mine = [], sent = [], recalled = 0, atEnd = true, wasConnected = false, failures = 0;

function show(state, word, detail) {
  $("state").className = state;
  if ($("state").textContent !== word) $("state").textContent = word;
  $("detail").textContent = detail;
  const rtt = link.rtt?.toFixed(link.rtt < 10 ? 1 : 0);
  $("rtt").textContent = state === "connected" && rtt ? rtt + " ms" : "";
  $("send").disabled = link.state === "closed";
  $("access").hidden = true;
}

// Shows why there is no connection, and waits for the user. The field for a token is shown if that may help.
function stop(word, detail, askForToken) {
  show("lost", word, detail);
  $("access").hidden = false;
  for (const element of [$("token"), $("token-label")]) element.hidden = !askForToken;
  (askForToken ? $("token") : $("again")).focus();
}

// Rows are drawn once per frame: hundreds of messages a second must not stall a phone.
function add(kind, label, content) {
  if (!pending.length) (document.hidden ? setTimeout : requestAnimationFrame)(draw);
  const row = { kind, label, content, when: new Date() };
  pending.push(row);
  if (pending.length > MAX_ROWS) pending.shift();
  return row;
}

function draw() {
  const rows = pending;
  pending = [];
  for (const row of rows) {
    row.element = document.createElement("div");
    row.element.className = "entry " + row.kind;
    const part = (tag, content) => {
      const element = document.createElement(tag);
      element.textContent = content;
      row.element.append(element);
      return element;
    };
    if (row.label) row.labelElement = part("small", row.label);
    if (row.kind === "note") part("p", row.content);
    part("small", row.when.toLocaleTimeString());
    if (row.kind !== "note") part("p", row.content);
    log.append(row.element);
  }
  while (log.childElementCount > MAX_ROWS) log.firstElementChild.remove();
  if (atEnd) toEnd();
  else if (rows.some(row => row.kind === "got")) $("latest").hidden = false;
  if (link.state === "connected") count();
}

function label(row, text) {
  row.label = text;
  if (row.labelElement) row.labelElement.textContent = text;
}

// Shows how far the user's messages got.
function showProgress() {
  const { queued, unconfirmed } = link.pending;
  for (const row of mine.splice(0, Math.max(0, mine.length - queued - unconfirmed))) label(row, "You, delivered");
  mine.forEach((row, index) => label(row, index < unconfirmed ? "You, sent" : "You, waiting"));
}

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

function start() {
  const old = link;
  link = connect();
  // Its messages are not those of the new link.
  old?.close();
  for (const row of mine.splice(0)) label(row, "You, not delivered");
  const url = link.url.replace(/^(wss?:\/\/[^/]*)\/$/, "$1");
  $("address").textContent = url;
  show("", "Connecting", "");
  link.addEventListener("open", () => {
    wasConnected = true;
    add("note", "", "Connected");
    showProgress();
    count();
    showName();
  });
  link.addEventListener("message", ({ data }) => {
    received += 1;
    add("got", ...describe(data));
  });
  link.addEventListener("pending", () => {
    showProgress();
    if (link.state === "connected") count();
  });
  link.addEventListener("unconfirmed", ({ messages }) => {
    for (const row of mine.splice(0, messages.length)) label(row, "You, perhaps not delivered");
  });
  link.addEventListener("close", ({ target, code, reason }) => {
    if (target !== link) return;
    add("note", "", `Connection lost (${code}${reason ? ": " + reason : ""})`);
    show("", "Connecting", "");
    showProgress();
  });
  link.addEventListener("retry", ({ delay }) => {
    const seconds = plural(Math.max(1, Math.round(delay / 1000)), "second");
    showProgress();
    // Some browsers accept a certificate for the page and not for its WebSocket.
    const isDistrusted = !wasConnected && ++failures >= 3 && location.protocol === "https:";
    const reason = wasConnected ? "Connection lost" : isDistrusted ? DISTRUST : "No response";
    show("lost", "Reconnecting", `${reason}, next attempt in ${seconds}`);
  });
  link.addEventListener("gaveup", ({ code, reason }) => {
    if (!code) stop("Refused", reason, true);
    else stop("Closed", `The ${code < 3000 ? "server" : "application"} closed the connection: ${reason}`, false);
  });
}

addEventListener("hashchange", () => {
  if (location.hash.includes("token=")) start();
});

$("access").onsubmit = event => {
  event.preventDefault();
  const entered = $("token").value.trim();
  $("token").value = "";
  text.focus();
  // The client takes it from there, and keeps it for this tab if it is right.
  if (entered) history.replaceState(null, "", "#token=" + encodeURIComponent(entered));
  start();
};

function showName() {
  fetch(link.url.replace(/^ws/, "http") + "discovery.json").then(response => response.json()).then(({ name }) => {
    if (typeof name === "string" && name) document.title = $("name").textContent = name;
  }).catch(() => {});
}

$("form").onsubmit = event => {
  event.preventDefault();
  if (!text.value) return;
  const outcome = link.send(text.value);
  if (outcome === "closed") return;
  if (outcome === "full") {
    $("detail").textContent = "Too many messages wait already; send this one later.";
    return;
  }
  mine.push(add("sent", "You", text.value));
  showProgress();
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
    await navigator.clipboard.writeText($("address").textContent);
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

if (matchMedia("(hover: hover)").matches) text.focus();
start();
