// Opens the pad of a server with `--tls=both` in Chromium, without TLS, and goes over to its page with TLS as a person does:
// by the link that the pad offers, and past the warning of the browser. Prints `playing` when the pad has sent the tilt of
// the phone, waits for the text `Go!` from the game, and prints the word `report` with JSON.
//
// secure_page_in_browser.mjs PORT TOKEN
import { Tab } from "./browser.mjs";

const [port, token] = process.argv.slice(2);
const shadow = "document.body?.shadowRoot", part = name => `${shadow}?.querySelector(".${name}")`;
const isConnected = `${part("state")}?.textContent === "Connected"`;
const tab = await Tab.open();
await tab.bePhone();
await tab.call("Page.enable");
await tab.call("Page.addScriptToEvaluateOnNewDocument", { source: `
  window.locks = [];
  if (navigator.wakeLock) {
    const request = navigator.wakeLock.request.bind(navigator.wakeLock);
    navigator.wakeLock.request = async type => (locks.push(await request(type)), locks.at(-1));
  }
` });

// What the page of this kind can do, after a touch. On loopback, Chromium trusts pages without TLS, so it has another name.
async function look() {
  await tab.until(isConnected);
  await tab.tap(195, 700);
  await tab.until(`locks.length || document.querySelector("video")?.paused === false`);
  return tab.evaluate(`({
    protocol: location.protocol, secure: isSecureContext, address: location.href.slice(location.origin.length), player: pad.player,
    lock: locks.map(({ released }) => released ? "released" : "held"), film: document.querySelectorAll("video").length,
    offer: ${part("offer")}.hidden ? null : ${part("offer")}.textContent,
  })`);
}

await tab.navigate(`http://game.example:${port}/#token=${token}`);
await tab.until(isConnected);
// The link must lead there without asking for the token, also when the page was reloaded.
await tab.evaluate("window.before = true");
await tab.call("Page.reload");
await tab.until(`!window.before && ${part("offer")} && !${part("offer")}.hidden`);
const plain = await look();

await tab.evaluate(`(({ shadowRoot }) => {
  shadowRoot.querySelector(".chip").click();
  shadowRoot.querySelector("dialog input").value = "Ada";
  shadowRoot.querySelector("dialog form").requestSubmit();
})(document.body)`);
const { name, ...rest } = plain.player;
await tab.evaluate(`${part("offer")}.querySelector("a").click()`);
// The warning is a page of the browser. "Advanced" shows the way on.
await tab.until(`document.getElementById("proceed-link")`);
const warned = await tab.evaluate(`document.getElementById("proceed-link").click(), true`);
await tab.until(`location.protocol === "https:" && ${isConnected}`);
const secure = await look();
await tab.call("DeviceOrientation.setDeviceOrientationOverride", { alpha: 10, beta: 20.04, gamma: -30 });
console.log("playing");
await tab.until(`${part("said")}.textContent === "Go!"`);
await tab.close();
const samePlayer = JSON.stringify(secure.player) === JSON.stringify({ name: "Ada", ...rest });
for (const page of [plain, secure]) delete page.player;
console.log("report " + JSON.stringify({ plain, warned, secure, samePlayer }));
