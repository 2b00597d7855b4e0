// Takes the pictures of the pad and of the page for the documentation in Chromium: in portrait and in landscape, by day and by
// night. With `all`, every picture in every size, to be looked at.
//
// pictures.mjs HALLOO DIRECTORY [all]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tab } from "./browser.mjs";
import { Server } from "./server.mjs";

const [, , , directory, all] = process.argv;
const SIZES = { small: [320, 568], portrait: [390, 844], landscape: [844, 390], desktop: [1280, 800] };
const work = mkdtempSync(join(tmpdir(), "halloo-pictures-"));

const PADS = {
  pad: { sizes: { small: ["light"], portrait: ["light", "dark"] }, player: ["Ada", "#2d7dd2"], layout: { left: "stick", right: ["a", "b"] } },
  "pad-buttons": {
    sizes: { landscape: ["light", "dark"] }, player: ["Grace", "#e5484d"],
    layout: { left: "dpad", middle: ["select", "start"], right: ["a", "b", "x", "y"], top: ["l", "r"], orientation: "landscape" },
  },
  "pad-buzzer": {
    sizes: { portrait: ["dark"] }, player: ["Linus", "#e8b022"],
    layout: { middle: ["buzz"], text: "Your answer", labels: { buzz: "Buzz!" }, colors: { buzz: "#c62f2b" } },
  },
  "pad-swipe": { sizes: {}, player: ["Ken", "#157f3f"], layout: { left: "swipe", right: ["jump", "duck", "fire"], tilt: true, text: true } },
};

async function picture(tab, name, sizes) {
  for (const [size, [width, height]] of Object.entries(SIZES)) {
    for (const scheme of all ? ["light", "dark"] : sizes[size] ?? []) {
      await tab.show(width, height, scheme);
      // Two frames: the page arranges itself in the first one.
      await tab.evaluate("new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
      writeFileSync(join(directory, `${name}-${size}-${scheme}.png`), await tab.screenshot());
      console.log(`${name}-${size}-${scheme}.png`);
    }
  }
}

const tab = await Tab.open();
for (const [name, { sizes, player: [player, color], layout }] of Object.entries(PADS)) {
  const file = join(work, "layout.json");
  writeFileSync(file, JSON.stringify(layout));
  const server = await Server.start(0, "--pad", file, "--name", "Living room", "--allowed-hosts", "game.example");
  await tab.renew();
  await tab.bePhone();
  await tab.call("Page.enable");
  await tab.call("Page.addScriptToEvaluateOnNewDocument", {
    source: `localStorage.setItem("halloo pad ", ${JSON.stringify(JSON.stringify({ name: player, color }))})`,
  });
  await tab.navigate(`http://game.example:${server.port}/`);
  await tab.until(`document.body?.shadowRoot?.querySelector(".rtt").textContent`);
  await picture(tab, name, sizes);
  await server.kill();
}

const server = await Server.start(0, "--name", "Stage");
await tab.renew();
await tab.show(390, 844, "light");
await tab.navigate(`http://127.0.0.1:${server.port}/`);
const has = text => tab.until(`document.getElementById("log").textContent.includes(${JSON.stringify(text)})`);
await has("Connected");
server.command({ cmd: "send_to_all", text: "Lights to 40 %" });
await has("Lights");
await tab.evaluate(`document.getElementById("text").value = "Curtain up in five minutes", document.getElementById("send").click()`);
await has("You, delivered");
server.command({ cmd: "send_to_all", binary: "AAECAw==" });
await has("Binary");
await picture(tab, "page", { portrait: ["light", "dark"], desktop: ["light"] });
await tab.close();
await server.kill();
rmSync(work, { recursive: true });
