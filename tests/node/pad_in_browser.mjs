// Plays with the pad in Chromium, by touch. Prints what it does, `restart` when the server shall restart, and at the end the
// word `report` with JSON: what the page sent in each step, what it loaded, and what axe-core found in it. With SCREENSHOTS,
// a directory, pictures are stored there.
//
// pad_in_browser.mjs PORT
import { writeFileSync } from "node:fs";
import { Tab } from "./browser.mjs";

const url = `http://127.0.0.1:${process.argv[2]}/`;
const shadow = "document.body.shadowRoot";
const steps = {}, findings = new Set();
const tab = await Tab.open();
const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

// Records what the page sends, and lets the socket seem blocked.
await tab.call("Page.enable");
await tab.call("Page.addScriptToEvaluateOnNewDocument", { source: `
  globalThis.sent = [];
  globalThis.blocked = false;
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    sent.push([performance.now(), JSON.parse(data)]);
    return send.call(this, data);
  };
  Object.defineProperty(WebSocket.prototype, "bufferedAmount", { get: () => blocked ? 1 : 0 });
` });
await tab.bePhone();

const connected = () => tab.until(`${shadow}?.querySelector(".state").textContent === "Connected" && sent.some(([, { join }]) => join)`);
const touch = (...event) => tab.touch(...event);
const middle = selector => tab.evaluate(`(() => { const { x, y, width, height } = ${shadow}.querySelector(${JSON.stringify(selector)}).getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()`);
// Returns what the server has been told since the last call, as one state.
async function told() {
  await pause(80);
  return tab.evaluate(`Object.assign({}, ...sent.splice(0).map(([, message]) => message))`);
}

await tab.navigate(url);
await connected();
const started = await tab.evaluate("sent[0][0]");
const loaded = await tab.evaluate(`performance.getEntriesByType("resource").filter(entry => entry.startTime < sent[0][0] && !entry.name.includes("connection")).map(entry => entry.name)`);
const { join } = await told();
const [stick, a, b] = [await middle(".base"), await middle("[data-name=a]"), await middle("[data-name=b]")];

console.log("connected");
// Each of two fingers has its own control.
await touch("touchStart", [1, ...stick]);
await touch("touchStart", [1, ...stick], [2, ...a]);
await touch("touchMove", [1, stick[0] + 200, stick[1]], [2, ...a]);
steps["two fingers"] = await told();
// A finger slides from one button to another, and from there to nothing.
await touch("touchMove", [1, stick[0] + 200, stick[1]], [2, ...b]);
steps["slide"] = await told();
await touch("touchMove", [1, stick[0] + 200, stick[1]], [2, b[0], b[1] - 300]);
steps["off"] = await told();
await touch("touchMove", [1, stick[0] + 200, stick[1]], [2, ...a]);
await told();
await touch("touchCancel");
steps["cancelled"] = await told();

await touch("touchStart", [1, ...a]);
steps["pressed"] = await told();
await tab.evaluate(`dispatchEvent(new Event("blur"))`);
steps["blurred"] = await told();
await touch("touchEnd");
await told();

console.log("played");
// At most 60 messages a second, however fast the finger moves.
await touch("touchStart", [1, ...stick]);
for (const end = Date.now() + 1000; Date.now() < end;) await touch("touchMove", [1, stick[0] + 30 + Date.now() % 17, stick[1] - 30]);
const times = await tab.evaluate("sent.splice(0).map(([time]) => time)");
const shortest = Math.min(...times.slice(1).map((time, index) => time - times[index]));

// While the socket is blocked, only the newest state waits.
await tab.evaluate("blocked = true");
for (const x of [-60, 60, -200]) await touch("touchMove", [1, stick[0] + x, stick[1]]);
await pause(100);
const whileBlocked = await tab.evaluate("sent.length");
await tab.evaluate("blocked = false");
await pause(80);
steps["unblocked"] = await tab.evaluate("sent.splice(0).map(([, message]) => message)");
await touch("touchEnd");
await told();

// A tap within one frame is seen pressed and released.
await tab.evaluate(`(() => {
  const { left, top } = ${shadow}.querySelector("[data-name=b]").getBoundingClientRect();
  for (const type of ["pointerdown", "pointerup"]) ${shadow}.querySelector("[data-name=b]").dispatchEvent(new PointerEvent(type, { bubbles: true, composed: true, pointerId: 1, clientX: left + 20, clientY: top + 20 }));
})()`).catch(error => { steps["tap error"] = error.message; });
await pause(100);
steps["tap"] = await tab.evaluate("sent.splice(0).map(([, message]) => message)");

// Keys play, too.
for (const type of ["keyDown", "keyUp"]) {
  await tab.call("Input.dispatchKeyEvent", { type, code: "ArrowLeft", key: "ArrowLeft" });
  steps[type] = await told();
}

await tab.call("DeviceOrientation.setDeviceOrientationOverride", { alpha: 10, beta: 20.04, gamma: -30 });
await tab.until(`sent.some(([, { tilt }]) => tilt)`);
steps["tilt"] = (await told()).tilt;

await tab.examine((finding, size) => findings.add(`${size}: ${finding}`), async (width, height, scheme) => {
  if (process.env.SCREENSHOTS) writeFileSync(`${process.env.SCREENSHOTS}/pad-${width}-${scheme}.png`, await tab.screenshot());
});
await tab.show(390, 844, "light");
await tab.evaluate(`${shadow}.querySelector(".chip").click()`);
for (const finding of await tab.findings()) findings.add(`settings: ${finding}`);
await tab.evaluate(`${shadow}.querySelector("dialog input").value = "Ada", ${shadow}.querySelector("dialog form").requestSubmit()`);
steps["renamed"] = (await told()).join.name;

await tab.navigate(url);
await connected();
const reloaded = (await told()).join;
console.log("restart");
await connected();
const restarted = (await told()).join;
const foreign = await tab.evaluate(`performance.getEntriesByType("resource").map(({ name }) => name).filter(name => !name.startsWith(${JSON.stringify(url)}))`);
await tab.close();
console.log("report " + JSON.stringify({
  steps, findings: [...findings], loaded, foreign, started, perSecond: times.length, shortest, whileBlocked,
  isSeat: /^[0-9a-f]{32}$/.test(join.seat), sameSeat: join.seat === reloaded.seat && join.seat === restarted.seat, name: restarted.name,
}));
