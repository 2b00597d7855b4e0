// Takes a pad in Chromium through what happens to phones: a server that is killed, the button "back", no network, a slow
// phone that was asleep while its connection died. Prints the word `report` and JSON with what each case observed.
//
// pad_away_in_browser.mjs HALLOO
import { Tab } from "./browser.mjs";
import { Server, joins, lossyProxy } from "./server.mjs";

const shadow = "document.body.shadowRoot", showsState = text => `${shadow}?.querySelector(".state").textContent === "${text}"`;

async function openPad(tab, port) {
  await tab.navigate(`http://127.0.0.1:${port}/`);
  await tab.until(showsState("Connected"));
}

// Puts a finger on the button A, and leaves it there.
async function press(tab, server) {
  const center = await tab.evaluate(`(() => { const { x, y, width, height } = ${shadow}.querySelector("[data-name=a]").getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()`);
  await tab.touch("touchStart", [1, ...center]);
  await server.event(({ text }) => text === `{"a":1}`);
}

const isPressed = tab => tab.evaluate(`${shadow}.querySelector("[data-name=a]").classList.contains("on")`);

const cases = {
  async "the server is killed and comes back"(tab) {
    let server = await Server.start(0, "--pad");
    const { port } = server;
    await openPad(tab, port);
    const [{ join }] = await joins(server, 1);
    await press(tab, server);
    await server.kill();
    await tab.until(showsState("Reconnecting"));
    const pressedWhileAway = await isPressed(tab);
    server = await Server.start(port, "--pad");
    const start = Date.now();
    const [message] = await joins(server, 1);
    const withinASecond = Date.now() - start < 1000;
    await tab.touch("touchEnd");
    await server.kill();
    return { withinASecond, sameSeat: join.seat === message.join.seat, pressedWhileAway, state: [message.left, message.a] };
  },

  async "the player leaves the page and comes back"(tab) {
    const server = await Server.start(0, "--pad");
    await openPad(tab, server.port);
    await tab.evaluate(`addEventListener("pageshow", ({ persisted }) => { window.persisted = persisted; })`);
    await press(tab, server);
    await tab.navigate(`http://127.0.0.1:${server.port}/discovery.json`);
    await server.event(({ event }) => event === "client_left");
    await tab.call("Runtime.evaluate", { expression: "history.back()" });
    const [before, after] = await joins(server, 2);
    await tab.until(showsState("Connected"));
    await tab.touch("touchCancel").catch(() => {});
    const persisted = await tab.evaluate("window.persisted");
    await server.kill();
    return { persisted, sameSeat: before.join.seat === after.join.seat, state: [after.left, after.a] };
  },

  async "the network goes and comes back"(tab) {
    const server = await Server.start(0, "--pad");
    await openPad(tab, server.port);
    await joins(server, 1);
    await tab.setOffline(true);
    await press(tab, server).catch(() => {});
    await tab.until(showsState("Reconnecting"));
    await tab.touch("touchEnd");
    await tab.setOffline(false);
    const [before, after] = await joins(server, 2);
    await server.kill();
    return { sameSeat: before.join.seat === after.join.seat, state: [after.left, after.a] };
  },

  async "a slow phone shows the page again after its connection died"(tab) {
    const server = await Server.start(0, "--pad"), proxy = await lossyProxy(server.port);
    await tab.call("Emulation.setCPUThrottlingRate", { rate: 6 });
    await openPad(tab, proxy.port);
    await tab.until(`${shadow}.querySelector(".rtt").textContent`);
    await tab.setHidden(true);
    proxy.freeze();
    const start = Date.now();
    await tab.setHidden(false);
    await tab.until(`!(${showsState("Connected")})`);
    const noticedWithinSixSeconds = Date.now() - start < 6000;
    const [before, after] = await joins(server, 2);
    proxy.close();
    await server.kill();
    await tab.call("Emulation.setCPUThrottlingRate", { rate: 1 });
    return { noticedWithinSixSeconds, sameSeat: before.join.seat === after.join.seat };
  },
};

const tab = await Tab.open();
const report = {};
for (const [name, run] of Object.entries(cases)) {
  console.log(name);
  await tab.renew();
  await tab.call("Page.enable");
  await tab.bePhone();
  report[name] = await run(tab);
  console.log(JSON.stringify(report[name]));
}
await tab.close();
console.log("report " + JSON.stringify(report));
