// Opens a page in Chromium and prints what it writes to its console, after the word `console`, until it is killed.
//
// console_of_page.mjs URL
import { Tab } from "./browser.mjs";

const [url] = process.argv.slice(2);
const tab = await Tab.open();
tab.on("Runtime.consoleAPICalled", ({ args }) => console.log("console " + args.map(({ value }) => value).join(" ")));
await tab.call("Runtime.enable");
await tab.navigate(url);
