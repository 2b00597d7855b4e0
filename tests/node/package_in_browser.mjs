// Uses the npm package in a page in Chromium, with a server that requires a token. Prints the word `report` and JSON.
//
// package_in_browser.mjs PROGRAM
import { fileURLToPath } from "node:url";
import { Tab } from "./browser.mjs";
import { Server } from "./server.mjs";

const token = "the-otters-meet-at-nine", source = fileURLToPath(new URL("../../clients/js/src", import.meta.url));
const server = await Server.start(0, "--token", token, "--www", source);
const tab = await Tab.open();
await tab.navigate(`http://127.0.0.1:${server.port}/page.js`);
const evaluated = tab.evaluate(`(async () => {
  const { browse, connect, discover, find } = await import("/page.js");
  const messageOf = async run => { try { await run(); } catch (error) { return error.message; } };
  const link = connect(location.origin, { token: "${token}" });
  link.send("hi");
  const echo = (await new Promise(resolve => link.addEventListener("message", resolve))).data, { state } = link;
  const errors = [await messageOf(() => discover()), await messageOf(() => find("den")), await messageOf(() => browse())];
  return { echo, state, errors, fingerprint: await messageOf(() => connect("wss://den", { fingerprint: "ab" })) };
})()`);
const { client, text } = await server.event(event => event.event === "message");
server.command({ cmd: "send", client, text });
console.log("report " + JSON.stringify(await evaluated));
await tab.close();
await server.kill();
