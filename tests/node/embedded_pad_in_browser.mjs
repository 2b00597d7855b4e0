// Uses the pad in a page of the application, in Chromium. Prints `done` after each step, and waits for a line of input before the next
// one; at the end the word `report` and JSON. With a token, it looks at the page of the server instead.
//
// embedded_pad_in_browser.mjs PORT [TOKEN]
import { createInterface } from "node:readline";
import { Tab } from "./browser.mjs";

const [port, token] = process.argv.slice(2);
// An address of loopback would be a secure context.
const url = `http://game.example:${port}/`, report = {};
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const step = async () => {
  console.log("done");
  await lines.next();
};
const tab = await Tab.open();

if (token) {
  // The way to the secure page, which needs the token, also when the page was reloaded and the address has none.
  const offer = `document.body?.shadowRoot?.querySelector(".offer a")`;
  report.offers = [];
  for (const address of [`${url}#token=${token}`, url, `${url}?token=${token}`]) {
    await tab.call("Page.navigate", { url: "about:blank" });
    await tab.call("Page.navigate", { url: address });
    await tab.until(`${offer} && document.body.shadowRoot.querySelector(".state").textContent === "Connected"`);
    report.offers.push(await tab.evaluate(`${offer}.href`));
  }
  // A browser that accepts the certificate for the page only.
  await tab.call("Security.setIgnoreCertificateErrors", { ignore: true });
  await tab.call("Page.enable");
  await tab.call("Page.addScriptToEvaluateOnNewDocument", { source: `
    globalThis.WebSocket = class { constructor() { setTimeout(() => this.onclose({})); } close() {} };
  ` });
  report.distrusted = [];
  for (const [path, text] of [["", `document.body?.shadowRoot?.querySelector(".said").textContent`], ["_halloo/", `document.getElementById("detail")?.textContent`]]) {
    await tab.call("Page.navigate", { url: "about:blank" });
    await tab.call("Page.navigate", { url: `${url.replace("http:", "https:")}${path}#token=${token}` });
    await tab.until(`(${text})?.includes("certificate")`);
    report.distrusted.push((await tab.evaluate(text)).slice(0, 40));
  }
} else {
  // As in Safari before 16.4, which phones of 2016 have.
  await tab.call("Page.enable");
  await tab.call("Page.addScriptToEvaluateOnNewDocument", {
    source: `globalThis.CSSStyleSheet = function () { throw TypeError("Illegal constructor"); };`,
  });
  await tab.navigate(url);
  const pad = `document.getElementById("controller").shadowRoot`;
  await tab.until(`${pad}?.querySelector(".state").textContent === "Connected"`);
  report.display = await tab.evaluate(`getComputedStyle(${pad}.querySelector(".play")).display`);
  await step();
  // What is sent now does not arrive, and the server ends the connection.
  await tab.evaluate(`
    globalThis.send = WebSocket.prototype.send;
    WebSocket.prototype.send = () => { globalThis.isLost = true; };
    dispatchEvent(new KeyboardEvent("keydown", { code: "Space" }));
  `);
  await tab.until("globalThis.isLost");
  await tab.evaluate(`void (WebSocket.prototype.send = send)`);
  await step();
  // The pad is closed and its link is not.
  await tab.evaluate(`
    globalThis.pad.close();
    link.addEventListener("open", () => { globalThis.isBack = true; });
    link.send("closed");
  `);
  await step();
  await tab.until("globalThis.isBack");
  await tab.evaluate(`void link.send("back")`);
  await step();
  // Another pad takes its place, with a link of its own, which it closes.
  await tab.evaluate(`(async () => {
    const { Pad } = await import("/_halloo/pad.js");
    globalThis.pad = new Pad(document.getElementById("controller"), { layout: { right: ["b"] } });
  })()`);
  await step();
  await tab.evaluate("pad.close()");
  await step();
}
await tab.close();
console.log("report " + JSON.stringify(report));
process.exit();
