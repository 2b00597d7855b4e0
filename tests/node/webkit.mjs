// A window of WebKit, driven by the WebDriver protocol. What it lacks, compared with `Tab`: the fingers of a touch screen; its
// one pointer is a mouse.
import { spawn } from "node:child_process";
import net from "node:net";
import { pause } from "./server.mjs";

export class WebKitWindow {
  // Starts the driver of WebKit, which starts the browser. Both end with this process, which holds the driver's input.
  static async open() {
    const window = new WebKitWindow(), port = await unusedPort();
    window.driver = spawn(process.env.WEBKIT, [port], { stdio: ["pipe", "inherit", "inherit"] });
    window.url = `http://127.0.0.1:${port}/session`;
    // Until the driver listens and its display exists.
    for (;;) {
      const session = await window.call("", { capabilities: {} }).catch(() => null);
      if (session) {
        window.url += "/" + session.sessionId;
        return window;
      }
      await pause(100);
    }
  }

  async call(command, parameters) {
    const response = await fetch(this.url + command, { method: "POST", body: JSON.stringify(parameters) });
    const { value } = await response.json();
    if (value?.error) throw new Error(`${value.error}: ${value.message}`);
    return value;
  }

  // Returns the value of a JavaScript expression in the page.
  async evaluate(expression) {
    const script = `const done = arguments[0]; (async () => (${expression}))().then(value => done({ value }), error => done({ error: String(error) }));`;
    const { value, error } = await this.call("/execute/async", { script, args: [] });
    if (error) throw new Error(error);
    return value;
  }

  // Waits until an expression is true.
  async until(expression) {
    while (!await this.evaluate(`Boolean(${expression})`)) await pause(10);
  }

  async navigate(url) { await this.call("/url", { url }); }
  async back() { await this.call("/back", {}); }

  // Moves the pointer to each of the points, presses it at the first one, and does not release it.
  async drag(...points) {
    const [start, ...others] = points.map(([x, y]) => ({ type: "pointerMove", x: Math.round(x), y: Math.round(y) }));
    await this.point([start, { type: "pointerDown", button: 0 }, ...others]);
  }

  async release() { await this.point([{ type: "pointerUp", button: 0 }]); }
  async point(actions) { await this.call("/actions", { actions: [{ type: "pointer", id: "mouse", actions }] }); }

  async close() {
    const ended = new Promise(resolve => this.driver.on("exit", resolve));
    this.driver.stdin.end();
    await ended;
  }
}

function unusedPort() {
  return new Promise(resolve => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
