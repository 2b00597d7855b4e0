// Uses client.js and the page in Chromium against the program `halloo`: on connections that freeze or break, in a page
// that is left, behind a proxy, from another origin. Prints the word `report` and JSON with what each case observed.
//
// client_in_browser.mjs HALLOO
import http from "node:http";
import net from "node:net";
import { Tab } from "./browser.mjs";
import { Server, lossyProxy, pause } from "./server.mjs";

const TOKEN = "the-otters-meet-at-nine";

// A proxy that serves the server below a path. `hostOf` returns what it sends as `Host`.
async function pathProxy(port, prefix, hostOf) {
  const to = ({ url, headers, method }) => {
    const path = url.replace(prefix, "/");
    const own = hostOf && { host: hostOf(path, headers.upgrade) };
    // What Chromium names in `Origin` is the host that it knows.
    if (own?.host.startsWith("127.")) own.origin = `http://${own.host}`;
    return { port, path, headers: { ...headers, ...own }, method };
  };
  const proxy = http.createServer((request, response) => {
    http.get(to(request), upstream => {
      response.writeHead(upstream.statusCode, upstream.headers);
      upstream.pipe(response);
    }).on("error", () => response.destroy());
  });
  proxy.on("upgrade", (request, socket) => {
    const { path, headers } = to(request), upstream = net.connect(port, "127.0.0.1");
    const lines = Object.entries(headers).map(([key, value]) => `${key}: ${value}\r\n`);
    upstream.write(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
    upstream.pipe(socket).pipe(upstream);
    for (const end of [socket, upstream]) end.on("error", () => {});
  });
  await new Promise(resolve => proxy.listen(0, "127.0.0.1", resolve));
  return proxy;
}

// Opens a page of the server that runs no script of its own, and connects in it. `options` is JavaScript.
async function openLink(tab, port, options = "undefined", target = "undefined") {
  await tab.navigate(`http://127.0.0.1:${port}/discovery.json`);
  await tab.evaluate(`import("/_halloo/client.js").then(({ connect }) => {
    window.seen = [];
    window.link = connect(${target}, ${options});
    for (const type of ["open", "close", "retry", "gaveup", "message", "unconfirmed"]) {
      link.addEventListener(type, ({ data, code, reason, messages }) => seen.push({ type, data, code, reason, messages }));
    }
  })`);
}
const isConnected = `link.state === "connected"`, isProven = `${isConnected} && link.rtt > 0`;

const cases = {
  async "a stopped server is noticed after the page becomes visible, and no message is lost or doubled"(tab) {
    const server = await Server.start();
    await openLink(tab, server.port);
    await tab.until(isProven);
    await tab.setHidden(true);
    server.process.kill("SIGSTOP");
    const outcome = await tab.evaluate(`link.send("while stopped")`);
    await pause(1000);
    const start = Date.now();
    await tab.setHidden(false);
    await tab.until(`!(${isConnected})`);
    const noticed = Date.now() - start;
    const waiting = await tab.evaluate(`[link.send("while away"), link.pending.queued]`);
    server.process.kill("SIGCONT");
    await server.event(event => event.text === "while away");
    await pause(500);
    const { texts, joined } = server;
    await server.kill();
    return { outcome, withinSixSeconds: noticed < 6000, waiting, texts, joined };
  },

  async "a connection that swallows everything is replaced, and its messages arrive once"(tab) {
    const server = await Server.start(), proxy = await lossyProxy(server.port);
    await openLink(tab, proxy.port);
    await tab.until(isProven);
    await tab.setHidden(true);
    proxy.freeze();
    const outcome = await tab.evaluate(`link.send("into nothing")`);
    const start = Date.now();
    await tab.setHidden(false);
    await server.event(event => event.text === "into nothing");
    const delivered = Date.now() - start;
    await tab.until(`link.pending.unconfirmed === 0`);
    // The old connection is closed at once, and not when its silence is noticed.
    const left = server.events.filter(event => event.event === "client_left").length;
    const { texts } = server;
    proxy.close();
    await server.kill();
    return { outcome, withinSixSeconds: delivered < 6000, texts, left };
  },

  async "a visible page notices it when it sends"(tab) {
    const server = await Server.start(), proxy = await lossyProxy(server.port);
    await openLink(tab, proxy.port);
    await tab.until(isProven);
    proxy.freeze();
    const start = Date.now();
    await tab.evaluate(`link.send("hello")`);
    await server.event(event => event.text === "hello");
    const withinTenSeconds = Date.now() - start < 10_000;
    proxy.close();
    await server.kill();
    return { withinTenSeconds };
  },

  async "a connection that works is not replaced"(tab) {
    const server = await Server.start();
    await openLink(tab, server.port);
    await tab.until(isProven);
    for (let round = 0; round < 5; round++) {
      await tab.setHidden(true);
      await tab.setHidden(false);
      await tab.evaluate(`dispatchEvent(new Event("online"))`);
    }
    await pause(500);
    const { joined, texts } = server, seen = await tab.evaluate("seen.map(({ type }) => type)");
    await server.kill();
    return { joined, texts, seen };
  },

  async "it is back within a second of the server's return, and reports what it cannot know"(tab) {
    let server = await Server.start();
    const { port } = server;
    await openLink(tab, port);
    await tab.until(isProven);
    server.process.kill("SIGSTOP");
    await tab.evaluate(`link.send("perhaps lost")`);
    await server.kill();
    await tab.until(`!(${isConnected})`);
    await tab.evaluate(`link.send("queued")`);
    server = await Server.start(port);
    const start = Date.now();
    await server.event(event => event.text === "queued");
    const withinASecond = Date.now() - start < 1000;
    const unconfirmed = await tab.evaluate(`seen.find(({ type }) => type === "unconfirmed")?.messages`);
    const { texts } = server;
    await server.kill();
    return { withinASecond, unconfirmed, texts };
  },

  async "the queue is bounded"(tab) {
    const server = await Server.start();
    const { port } = server;
    await openLink(tab, port, "{ queue: { messages: 3, bytes: 100 } }");
    await tab.until(isProven);
    await server.kill();
    await tab.until(`!(${isConnected})`);
    const outcomes = await tab.evaluate(`["a", "b".repeat(90), "c".repeat(20), "d", "e"].map(text => link.send(text))`);
    const again = await Server.start(port);
    await again.event(event => event.text === "d");
    const lengths = again.texts.map(text => text.length);
    await again.kill();
    return { outcomes, lengths };
  },

  async "offline and back"(tab) {
    const server = await Server.start();
    await openLink(tab, server.port);
    await tab.until(isProven);
    await tab.setOffline(true);
    await tab.evaluate(`link.send("offline")`);
    // Its proof fails, so the connection is given up, although the server still has it.
    await tab.until(`!(${isConnected})`);
    await tab.setOffline(false);
    await server.event(event => event.text === "offline");
    await tab.until(`${isConnected} && link.pending.unconfirmed === 0`);
    const { texts } = server;
    await server.kill();
    return { texts };
  },

  async "the page comes back with the button of the browser"(tab) {
    const server = await Server.start();
    const url = `http://127.0.0.1:${server.port}/`;
    await tab.navigate(url);
    await tab.evaluate(`window.mark = 1, addEventListener("pageshow", event => { window.persisted = event.persisted; })`);
    const state = `document.getElementById("state")?.textContent`;
    await tab.until(`${state} === "Connected"`);
    await tab.navigate(url + "discovery.json");
    await server.event(event => event.event === "client_left");
    await tab.call("Runtime.evaluate", { expression: "history.back()" });
    while (server.joined < 2) await pause(5);
    await tab.until(`${state} === "Connected"`);
    const kept = await tab.evaluate("[window.mark, window.persisted]");
    const { joined } = server;
    await server.kill();
    return { kept, joined };
  },

  async "below the path of a proxy"(tab) {
    const server = await Server.start(), proxy = await pathProxy(server.port, "/game/");
    const host = `127.0.0.1:${proxy.address().port}`, addresses = [];
    for (const path of ["/game/", "/game/_halloo/"]) {
      await tab.navigate(`http://${host}${path}`);
      await tab.until(`document.getElementById("state")?.textContent === "Connected"`);
      addresses.push((await tab.evaluate(`document.getElementById("address").textContent`)).replace(host, "HOST"));
    }
    proxy.closeAllConnections();
    proxy.close();
    await server.kill();
    return { addresses };
  },

  // Such a proxy leaves out the port in `Host`.
  async "behind a proxy with another name"(tab) {
    const outcomes = {};
    for (const allowed of [true, false]) {
      const server = await Server.start(0, ...allowed ? ["--allowed-hosts", "game.example"] : []);
      // The page itself must load, to show why it is refused.
      const isPage = (path, upgrade) => !upgrade && (path === "/" || /\.js(\?|$)/.test(path));
      const proxy = await pathProxy(server.port, "/", (...request) =>
        allowed || !isPage(...request) ? "game.example" : `127.0.0.1:${server.port}`);
      await tab.navigate(`http://game.example:${proxy.address().port}/`);
      await tab.until(`["Connected", "Refused"].includes(document.getElementById("state")?.textContent)`);
      const shown = await tab.evaluate(`document.getElementById("${allowed ? "address" : "detail"}").textContent`);
      if (allowed) outcomes.allowed = shown.replace(/game.example:[0-9]+/, "HOST");
      else outcomes.refused = shown.slice(0, shown.indexOf(" server") + 7);
      proxy.closeAllConnections();
      proxy.close();
      await server.kill();
    }
    return outcomes;
  },

  async "the token of the address is proved, hidden, and kept for the tab"(tab) {
    const server = await Server.start(0, "--token", TOKEN, "--token-proof-only");
    const addresses = [];
    for (const [given, reloaded] of [["#token=" + TOKEN, false], ["?token=" + TOKEN + "&seat=3", true]]) {
      await tab.call("Page.navigate", { url: "about:blank" });
      await tab.call("Page.navigate", { url: `http://127.0.0.1:${server.port}/${given}` });
      await tab.until(`document.getElementById("state")?.textContent === "Connected"`);
      if (reloaded) {
        await tab.evaluate("window.before = true");
        await tab.call("Page.reload");
        await tab.until(`!window.before && document.getElementById("state")?.textContent === "Connected"`);
      }
      addresses.push(await tab.evaluate("location.pathname + location.search + location.hash"));
    }
    await tab.evaluate("sessionStorage.clear()");
    await openLink(tab, server.port, `{ token: "a-wrong-token-of-a-guest" }`);
    await tab.until(`link.state === "closed"`);
    const refused = await tab.evaluate(`[link.send("x"), seen.at(-1).type, seen.at(-1).reason]`);
    await openLink(tab, server.port, `{ token: ${JSON.stringify(TOKEN)} }`);
    await tab.until(isConnected);
    await server.kill();
    return { addresses, refused };
  },

  async "access.js is asked for again when it does not arrive"(tab) {
    const server = await Server.start(0, "--token", TOKEN), { port } = server, asked = [];
    // So that the test does not take as long as the timeouts of the page.
    const source = "const wait = setTimeout; window.setTimeout = (call, delay) => wait(call, Math.min(delay, 500));";
    await tab.call("Page.enable");
    const { identifier } = await tab.call("Page.addScriptToEvaluateOnNewDocument", { source });
    await tab.call("Fetch.enable", { patterns: [{ urlPattern: "*access.js*" }] });
    tab.on("Fetch.requestPaused", ({ requestId, request }) => {
      asked.push(request.url);
      if (asked.length > 1) tab.call("Fetch.continueRequest", { requestId });
    });
    await openLink(tab, port, `{ token: ${JSON.stringify(TOKEN)} }`);
    await tab.until(isConnected);
    asked.length = 0;
    await openLink(tab, port);
    await tab.until(`link.state === "closed"`);
    const refused = await tab.evaluate("seen.at(-1).reason");
    await tab.call("Fetch.disable");
    await tab.call("Page.removeScriptToEvaluateOnNewDocument", { identifier });
    await server.kill();
    return { joined: server.joined, refused };
  },

  async "a page of another origin that is allowed"(tab) {
    const other = http.createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<p>hi</p>"));
    await new Promise(resolve => other.listen(0, "127.0.0.1", resolve));
    const origin = `http://localhost:${other.address().port}`;
    const server = await Server.start(0, "--allowed-origins", origin);
    await tab.navigate(origin);
    await tab.evaluate(`import("http://127.0.0.1:${server.port}/_halloo/client.js").then(({ connect }) => { window.link = connect(); })`);
    await tab.until(isProven);
    await tab.evaluate(`link.send("from afar")`);
    await server.event(event => event.text === "from afar");
    server.command({ cmd: "disconnect", client: 1, code: 4001, reason: "the game is over" });
    await tab.until(`link.state === "closed"`);
    other.closeAllConnections();
    other.close();
    await server.kill();
    return { connected: true };
  },

  async "messages can be awaited until the link is closed"(tab) {
    const server = await Server.start();
    await openLink(tab, server.port);
    await tab.evaluate(`window.read = (async () => {
      const messages = [];
      for await (const message of link) messages.push(message);
      return messages;
    })(), 0`);
    await tab.until(isConnected);
    for (const text of ["a", "b"]) server.command({ cmd: "send_to_all", text });
    await tab.until(`seen.filter(({ type }) => type === "message").length === 2`);
    await tab.evaluate("link.close()");
    const messages = await tab.evaluate("read");
    await server.kill();
    return { messages };
  },
};

const tab = await Tab.open();
const report = {};
for (const [name, run] of Object.entries(cases)) {
  if (process.env.CASE && !name.includes(process.env.CASE)) continue;
  console.log(name);
  report[name] = await run(tab);
  console.log(JSON.stringify(report[name]));
}
await tab.close();
console.log("report " + JSON.stringify(report));
