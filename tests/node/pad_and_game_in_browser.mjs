// Plays with the pad in Chromium while a game changes it. For each line `game TEXT` that this prints, the game shall send TEXT
// to the pad. Prints the word `report` with JSON at the end: what the page sent in each step, and what axe-core found in it.
//
// pad_and_game_in_browser.mjs PORT
import { Tab } from "./browser.mjs";

const shadow = "document.body.shadowRoot", part = selector => `${shadow}.querySelector(${JSON.stringify(selector)})`;
const steps = {}, exceptions = [], warnings = [];
const tab = await Tab.open();
await tab.bePhone();
await tab.call("Page.enable");
await tab.call("Runtime.enable");
tab.on("Runtime.exceptionThrown", ({ exceptionDetails }) => exceptions.push(exceptionDetails.exception?.description));
tab.on("Runtime.consoleAPICalled", ({ args }) => warnings.push(args[0].value));
await tab.call("Page.addScriptToEvaluateOnNewDocument", { source: `
  globalThis.sent = [];
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    sent.push(JSON.parse(data));
    return send.call(this, data);
  };
  globalThis.vibrations = [];
  navigator.vibrate = times => vibrations.push(times) > 0;
` });
await tab.navigate(`http://127.0.0.1:${process.argv[2]}/`);
await tab.until(`sent.some(({ join }) => join)`);

const game = text => console.log("game " + (typeof text === "string" ? text : JSON.stringify(text)));
const middle = selector => tab.evaluate(`(() => { const { x, y, width, height } = ${part(selector)}.getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()`);
// Waits until the page has sent a message for which the expression is true, and returns what it has sent until then.
async function sent(expression) {
  await tab.until(`sent.some(message => ${expression})`);
  return tab.evaluate("sent.splice(0)");
}

await sent("message.join");
await tab.touch("touchStart", [1, ...await middle("[data-name=b]")]);
await sent("message.b === 1");
game({ layout: { left: "swipe", right: ["a"], top: ["l", "r"], text: "Your answer" } });
// The finger is still there, but what it held is gone.
steps["another layout"] = await sent("message.l === 0");
await tab.touch("touchEnd");

const [x, y] = await middle(".swipe");
await tab.touch("touchStart", [1, x, y]);
await tab.touch("touchMove", [1, x + 40, y]);
steps["swipe"] = await sent("message.left");
await tab.touch("touchMove", [1, x + 80, y]);
await tab.touch("touchMove", [1, x + 80, y - 40]);
steps["swipe on, then up"] = await sent("message.left");
await tab.touch("touchEnd");

await tab.tap(...await middle("input"));
await tab.until(`${shadow}.activeElement?.tagName === "INPUT"`);
await tab.call("Input.insertText", { text: "42 ü" });
await tab.call("Input.dispatchKeyEvent", { type: "keyDown", key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r" });
steps["text"] = [...await sent("message.text"), await tab.evaluate(`${part(".said")}.textContent`)];

game({ text: "Round 2", color: "#123456" });
await tab.until(`${part(".said")}.textContent === "Round 2"`);
steps["color"] = await tab.evaluate(`${part(".pad")}.style.getPropertyValue("--me")`);
game({ vibrate: [30, 10, 30] });
await tab.until("vibrations.length");
game({ vibrate: "much" });
await tab.evaluate("navigator.vibrate = undefined");
const flashes = `${part(".flash")}.getAnimations().length`;
steps["vibrate"] = [await tab.evaluate("vibrations.splice(0)"), await tab.evaluate(flashes)];
game({ vibrate: 1000 });
await tab.until(flashes);
game({ ping: 7 });
steps["ping"] = await sent("message.pong");

// What is for another program or of a later version changes nothing.
for (const text of ["no json", "7", "[]", { score: 3 }]) game(text);
game({ layout: { left: "stick", right: ["a"], wheel: true, orientation: "landscape" } });
await sent("message.left");
// The phone is held upright, so the pad is turned: its right is below.
const stick = await middle(".base");
await tab.touch("touchStart", [1, ...stick]);
await tab.touch("touchMove", [1, stick[0], stick[1] + 150]);
steps["turned"] = await sent("message.left?.[0] === 1");
await tab.touch("touchCancel");
steps["cancelled"] = await sent("message.left");

await tab.evaluate(`${part(".chip")}.click()`);
const findings = new Set(await tab.findings());
await tab.evaluate(`${part("[type=checkbox]")}.click(), ${part("dialog .main")}.click()`);
game({ layout: { left: "dpad", middle: ["select", "start"], right: ["a", "b", "x", "y"], top: ["l", "r"], text: true } });
await sent("message.y === 0");
steps["left-handed"] = (await middle(".dpad"))[0] > (await middle("[data-name=a]"))[0];
await tab.examine((finding, size) => findings.add(`${size}: ${finding}`));
await tab.close();
console.log("report " + JSON.stringify({ steps, exceptions, warnings, findings: [...findings] }));
