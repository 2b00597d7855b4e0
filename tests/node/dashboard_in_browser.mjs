// Opens the page of docs/dashboard.md in Chromium, and prints the first measurement that it shows after the word `shows`.
//
// dashboard_in_browser.mjs SERVER
import { Tab } from "./browser.mjs";

const [address] = process.argv.slice(2);
const tab = await Tab.open();
await tab.navigate(`${address}/`);
console.log("opened " + await tab.evaluate("document.title"));
await tab.until(`document.querySelector("meter")`);
console.log("shows " + await tab.evaluate(`document.querySelector("#sensors p").textContent`));
await tab.close();
