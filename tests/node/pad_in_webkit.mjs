// Plays with the pad in WebKit: it connects, plays by pointer, comes back when the server was killed and when the page was
// left. Prints the word `report` and JSON with what it observed.
//
// pad_in_webkit.mjs HALLOO
import { Server, joins } from "./server.mjs";
import { WebKitWindow } from "./webkit.mjs";

const shadow = "document.body.shadowRoot", showsState = text => `${shadow}?.querySelector(".state").textContent === "${text}"`;
const window = await WebKitWindow.open();
const middle = selector => window.evaluate(`(() => { const { x, y, width, height } = ${shadow}.querySelector(${JSON.stringify(selector)}).getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()`);
const report = {};

let server = await Server.start(0, "--pad");
const { port } = server;
await window.navigate(`http://127.0.0.1:${port}/`);
const [{ join: { seat } }] = await joins(server, 1);
await window.until(`${shadow}.querySelector(".rtt").textContent`);
console.log("connected");

const [x, y] = await middle(".base");
await window.drag([x, y], [x + 200, y]);
await server.event(({ text }) => text?.includes(`"left":[1,0]`));
await window.release();
await server.event(({ text }) => text?.includes(`"left":[0,0]}`));
await window.drag(await middle("[data-name=a]"));
await server.event(({ text }) => text === `{"a":1}`);
console.log("played");

await server.kill();
await window.until(showsState("Reconnecting"));
server = await Server.start(port, "--pad");
const [back] = await joins(server, 1);
report.restarted = { sameSeat: back.join.seat === seat, a: back.a };
await window.release();
console.log("reconnected");

await window.navigate(`http://127.0.0.1:${port}/discovery.json`);
await server.event(({ event }) => event === "client_left");
await window.back();
const [, returned] = await joins(server, 2);
report.returned = { sameSeat: returned.join.seat === seat };

await window.navigate(`http://127.0.0.1:${port}/_halloo/`);
await window.until(`document.getElementById("state")?.textContent === "Connected"`);
await window.evaluate(`document.getElementById("text").value = "hello", document.getElementById("send").click()`);
await server.event(({ text }) => text === "hello");
await window.until(`document.getElementById("log").textContent.includes("You, delivered")`);
report.page = true;
await window.close();
await server.kill();
console.log("report " + JSON.stringify(report));
