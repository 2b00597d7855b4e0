// A tab of Chromium, driven by its DevTools protocol.
import { spawn } from "node:child_process";
import { readFileSync, rmSync, mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(process.env.NODE_MODULES + "/");

export class Tab {
  // Starts Chromium with a profile of its own, which `close` removes. It ends with this process, which holds its pipes.
  static async open(...options) {
    const tab = new Tab();
    tab.profile = mkdtempSync(join(tmpdir(), "halloo-page-"));
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe",
      "--host-resolver-rules=MAP game.example 127.0.0.1"];
    tab.browser = spawn(process.env.CHROMIUM, [...flags, ...options, `--user-data-dir=${tab.profile}`], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    tab.calls = new Map();
    tab.listeners = new Map();
    let unread = "";
    tab.browser.stdio[4].setEncoding("utf8").on("data", data => {
      const messages = (unread + data).split("\0");
      unread = messages.pop();
      messages.forEach(message => tab.receive(JSON.parse(message)));
    });
    await tab.renew();
    return tab;
  }

  // Continues in another tab, without the storage and the cache of the one before, which is closed.
  async renew() {
    const before = this.browserContextId;
    this.sessionId = undefined;
    const { browserContextId } = await this.call("Target.createBrowserContext");
    const { targetId } = await this.call("Target.createTarget", { url: "about:blank", browserContextId });
    if (before) await this.call("Target.disposeBrowserContext", { browserContextId: before });
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
    Object.assign(this, { browserContextId, sessionId });
  }

  // Calls `listener` with the parameters of each event of this kind.
  on(method, listener) { this.listeners.set(method, listener); }

  receive({ id, result, error, method, params }) {
    this.listeners.get(method)?.(params);
    const call = this.calls.get(id);
    this.calls.delete(id);
    if (error) call?.reject(new Error(error.message));
    else call?.resolve(result);
  }

  call(method, params = {}) {
    const id = this.last = (this.last ?? 0) + 1;
    this.browser.stdio[3].write(JSON.stringify({ id, method, params, sessionId: this.sessionId }) + "\0");
    return new Promise((resolve, reject) => this.calls.set(id, { resolve, reject }));
  }

  // Returns the value of a JavaScript expression in the page.
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  // Waits until an expression is true.
  async until(expression) {
    while (!await this.evaluate(`Boolean(${expression})`)) await new Promise(resolve => setTimeout(resolve, 10));
  }

  async navigate(url) {
    await this.call("Page.navigate", { url });
    await this.until(`document.readyState === "complete" && location.href !== "about:blank"`);
  }

  // Touches the page with the fingers [id, x, y] that are on it now. The type is that of the event in the page.
  touch(type, ...fingers) {
    return this.call("Input.dispatchTouchEvent", { type, touchPoints: fingers.map(([id, x, y]) => ({ id, x, y })) });
  }

  async tap(x, y) {
    await this.touch("touchStart", [1, x, y]);
    await this.touch("touchEnd");
  }

  // Makes the page that of a phone with a touch screen.
  async bePhone() {
    await this.call("Emulation.setTouchEmulationEnabled", { enabled: true, maxTouchPoints: 5 });
    await this.show(390, 844, "light");
  }

  // Takes the network away, or gives it back.
  async setOffline(offline) {
    await this.call("Network.enable");
    await this.call("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  }

  // A headless tab is always visible, so its visibility is feigned.
  setHidden(hidden) {
    return this.evaluate(`Object.defineProperty(document, "hidden", { configurable: true, value: ${hidden} }),
      document.dispatchEvent(new Event("visibilitychange")), 0`);
  }

  // Sets the size and the colours of the page.
  async show(width, height, scheme) {
    await this.call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  }

  // Lets the clock of the page run that far at once, and stops it there.
  async advance(milliseconds) {
    const advanced = new Promise(resolve => this.on("Emulation.virtualTimeBudgetExpired", resolve));
    await this.call("Emulation.setVirtualTimePolicy", { policy: "advance", budget: milliseconds });
    await advanced;
  }

  // Returns what axe-core finds in the page, or in the element that a selector names, one line each.
  async findings(part) {
    if (!await this.evaluate("Boolean(window.axe)")) await this.evaluate(readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
    const violations = await this.evaluate(`axe.run(${part ? JSON.stringify(part) : ""}).then(({ violations }) => violations)`);
    return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html}`));
  }

  // Shows the page on phones and on a desktop, by day and by night, prints each, and passes on what axe-core finds in it.
  // `look` is called with each size and scheme.
  async examine(add, look = () => {}) {
    for (const [width, height] of [[320, 568], [390, 844], [844, 390], [1280, 800]]) {
      for (const scheme of ["light", "dark"]) {
        const shown = `${width}x${height} ${scheme}`;
        console.log(shown);
        await this.show(width, height, scheme);
        for (const finding of await this.findings()) add(finding, shown);
        await look(width, height, scheme);
      }
    }
  }

  async screenshot() {
    const { data } = await this.call("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data, "base64");
  }

  async close() {
    const ended = new Promise(resolve => this.browser.on("exit", resolve));
    await this.call("Browser.close").catch(() => {});
    await ended;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 10 });
  }
}
