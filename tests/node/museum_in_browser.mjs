// Opens the pages of docs/museum.md in Chromium: a screen and the control. Prints what the screen shows first, after a change, and
// after it was loaded again, each after the word `shows`.
//
// museum_in_browser.mjs SERVER
import { Tab } from "./browser.mjs";

const [address] = process.argv.slice(2);
const [screen, control] = [await Tab.open(), await Tab.open()];
const text = `document.getElementById("text")?.textContent`;
const shows = async expected => {
  await screen.until(`${text} === ${JSON.stringify(expected)}`);
  console.log("shows " + await screen.evaluate(text));
};
await screen.navigate(`${address}/?room=dinosaurs`);
await control.navigate(`${address}/control.html`);
await control.until(`document.forms.rooms.elements.length === 3`);
const set = value => control.evaluate(`(() => {
  const input = document.forms.rooms.elements.dinosaurs;
  input.value = ${JSON.stringify(value)};
  input.dispatchEvent(new Event("change"));
})()`);
await set("Tyrannosaurus");
await shows("Tyrannosaurus");
await screen.navigate(`${address}/?room=minerals`);
await shows("Welcome");
await screen.navigate(`${address}/?room=dinosaurs`);
await shows("Tyrannosaurus");
await Promise.all([screen.close(), control.close()]);
