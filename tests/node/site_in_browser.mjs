// Opens the documentation site in Chromium: each tab of the first page shows its own section, the arrow keys choose a tab and do
// not turn the page, pages fit a phone, and axe-core finds nothing in them. Prints each fault, and fails if there is one.
//
// site_in_browser.mjs DIRECTORY
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Tab } from "./browser.mjs";

const [directory] = process.argv.slice(2);
const address = page => pathToFileURL(resolve(directory, page)).href;
const faults = [];
const tab = await Tab.open();
await tab.show(390, 844, "light");
await tab.navigate(address("index.html"));

const shown = `[...document.querySelectorAll(".tabs > section")].filter(section => section.offsetHeight).map(({ id }) => id).join()`;
const tabs = await tab.evaluate(`[...document.querySelectorAll(".tabs > input")].map(({ id }) => id)`);
if (tabs.length < 9) faults.push(`the first page has ${tabs.length} tabs`);
await tab.evaluate(`document.getElementById(${JSON.stringify(tabs[0])}).focus()`);
for (const id of tabs) {
  const sections = await tab.evaluate(shown);
  if (sections !== id.replace("tab-", "in-")) faults.push(`${id} shows ${sections || "nothing"}`);
  const key = { key: "ArrowRight", code: "ArrowRight", windowsVirtualKeyCode: 39 };
  await tab.call("Input.dispatchKeyEvent", { type: "keyDown", ...key });
  await tab.call("Input.dispatchKeyEvent", { type: "keyUp", ...key });
}

for (const page of ["index.html", "dashboard.html", "limits.html", "cli-reference.html", "comparison.html", "pad.html"]) {
  await tab.navigate(address(page));
  const width = await tab.evaluate(`Math.max(...["html", ".content", "main"].map(part => document.querySelector(part).scrollWidth))`);
  if (width > 390) faults.push(`${page} is ${width} pixels wide on a phone`);
  // What is around the pages is the markup of mdBook: its button for the contents, and its title.
  faults.push(...(await tab.findings("main")).map(finding => `${page}: ${finding}`));
}
// The settings are looked up on phones, too: their table does not scroll sideways.
await tab.navigate(address("limits.html"));
const hidden = await tab.evaluate(`Math.max(...[...document.querySelectorAll(".table-wrapper")].map(table => table.scrollWidth - table.clientWidth))`);
if (hidden > 0) faults.push(`a table of limits.html is ${hidden} pixels too wide for a phone`);
await tab.close();
for (const fault of faults) console.log(fault);
process.exitCode = faults.length ? 1 : 0;
