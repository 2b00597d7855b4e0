// Plays in Chromium with the page that a game publishes: holds the stick to the right and the button A until the game shows
// "seen" on the pad.
//
// own_controller.mjs PORT
import { Tab } from "./browser.mjs";

const shadow = `document.getElementById("controller")?.shadowRoot`;
const tab = await Tab.open();
await tab.call("Page.enable");
await tab.navigate(`http://127.0.0.1:${process.argv[2]}/`);
await tab.until(`document.images[0].naturalWidth > 0`);
await tab.until(`${shadow}?.querySelector(".state").textContent === "Connected"`);
for (const [code, key] of [["ArrowRight", "ArrowRight"], ["Space", " "]]) {
  await tab.call("Input.dispatchKeyEvent", { type: "keyDown", code, key });
}
await tab.until(`${shadow}.textContent.includes("seen")`);
await tab.close();
