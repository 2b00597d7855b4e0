// Runs the script of the page behind a proxy that serves it below a path and leaves out the port in `Host`, as the usual
// `proxy_pass` with a path does. Prints what the page dials, and the state that it shows in the end.
//
// page.mjs PORT HOST PATH
import { createRequire } from "node:module";
import http from "node:http";
import net from "node:net";
import vm from "node:vm";

const { WebSocket } = createRequire(process.env.NODE_MODULES + "/")("ws");
const [port, name, prefix] = process.argv.slice(2);

const proxy = http.createServer((request, response) => {
  const target = { port, path: request.url.replace(prefix, "/"), headers: { ...request.headers, host: name } };
  http.get(target, upstream => {
    response.writeHead(upstream.statusCode, upstream.headers);
    upstream.pipe(response);
  });
});
proxy.on("upgrade", (request, socket) => {
  const upstream = net.connect(port, "127.0.0.1", () => {
    const headers = Object.entries({ ...request.headers, host: name }).map(([key, value]) => `${key}: ${value}\r\n`);
    upstream.write(`GET ${request.url.replace(prefix, "/")} HTTP/1.1\r\n${headers.join("")}\r\n`);
    upstream.pipe(socket).pipe(upstream);
  });
});
await new Promise(resolve => proxy.listen(0, "127.0.0.1", resolve));
const local = `127.0.0.1:${proxy.address().port}`, origin = `http://${name}:${proxy.address().port}`;
// The browser resolves the name; here it is replaced by the address of the proxy.
const resolved = url => String(url).replace(new URL(origin).host, local);
// Without the proxy, which the server may refuse.
const page = await (await fetch(`http://127.0.0.1:${port}/`)).text();

let dialled, fetched;
const shown = {};
const element = id => new Proxy({ classList: {}, append() {}, focus() {}, replaceChildren() {} }, {
  get: (target, key) => target[key] ?? "",
  set: (target, key, value) => {
    target[key] = value;
    (shown[id] ??= {})[key] = value;
    report();
    return true;
  },
});
const elements = {};
const byId = id => elements[id] ??= element(id);
function report() {
  const state = shown.state?.textContent, title = shown.name?.textContent;
  if (!(state === "Connected" && title) && !(state === "Refused" && shown.detail?.textContent)) return;
  const detail = state === "Refused" ? shown.detail?.textContent : undefined;
  console.log("report " + JSON.stringify({ detail, dialled: dialled.replace(origin.slice(7), "HOST"), fetched, state, title, address: shown.address?.textContent?.replace(origin.slice(7), "HOST") }));
  process.exit();
}
class PageSocket extends WebSocket {
  constructor(url, protocols) {
    dialled = url;
    super(resolved(url), protocols, { headers: { Origin: origin } });
    // The page learns of a failure from the event `close`.
    this.on("error", () => {});
  }
}
const location = { protocol: "http:", host: new URL(origin).host, origin, pathname: prefix, hash: "" };
const sandbox = {
  location, console, setTimeout, clearTimeout, URLSearchParams, Uint8Array, Date, Math, Promise, AbortController, TextEncoder,
  btoa, crypto,
  document: { getElementById: byId, createElement: () => element("new"), addEventListener() {}, hidden: true },
  WebSocket: PageSocket,
  fetch: (url, options) => {
    fetched = new URL(url, origin + prefix).pathname;
    return fetch(resolved(new URL(url, origin + prefix)), options);
  },
  history: { replaceState() {} }, sessionStorage: { getItem: () => null, setItem() {} },
  addEventListener() {}, requestAnimationFrame: setTimeout, matchMedia: () => ({ matches: false }),
  ResizeObserver: class { observe() {} }, navigator: {}, getSelection() {},
};
vm.runInNewContext(page.match(/<script>([^]*)<\/script>/)[1], sandbox);
