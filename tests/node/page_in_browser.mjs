// Uses the page in Chromium: without a token, with a wrong one and with the right one, until the application dismisses it.
// Prints each step, and at the end the word `report` with JSON: what the page showed after each step, and what axe-core found
// in it. With SCREENSHOTS, a directory, pictures of each step are stored there.
//
// page_in_browser.mjs PORT TOKEN
import { writeFileSync } from "node:fs";
import { Tab } from "./browser.mjs";

const [port, token] = process.argv.slice(2);
const url = `http://127.0.0.1:${port}/`;
const steps = {}, findings = new Set();
const tab = await Tab.open();

// Describes the page, and examines it on a phone and on a desktop, by day and by night.
async function look(step) {
  console.log(step);
  steps[step] = await tab.evaluate(`({
    state: $("state").textContent, detail: $("detail").textContent,
    asks: !$("access").hidden && !$("token").hidden, focus: document.activeElement.id,
  })`);
  await tab.examine(finding => findings.add(`${step}: ${finding}`), async (width, height, scheme) => {
    const fits = await tab.evaluate(`document.documentElement.scrollWidth <= innerWidth && $("send").getBoundingClientRect().bottom <= innerHeight
      && $("log").clientHeight >= 80`);
    if (!fits) findings.add(`${step}: does not fit into ${width}x${height}`);
    if (process.env.SCREENSHOTS) writeFileSync(`${process.env.SCREENSHOTS}/${step}-${width}-${scheme}.png`, await tab.screenshot());
  });
}

const enter = text => tab.evaluate(`$("token").value = ${JSON.stringify(text)}, $("again").click()`);
const send = text => tab.evaluate(`$("text").value = ${JSON.stringify(text)}, $("send").click()`);

// Defines what the steps use, and counts the attempts to connect from now on.
async function openPage(tab, url) {
  await tab.navigate(url);
  await tab.evaluate(`window.$ = id => document.getElementById(id), window.attempts = 0,
    window.WebSocket = class extends WebSocket { constructor(...given) { super(...given); attempts += 1; } }, 0`);
}

await openPage(tab, url);
await tab.until(`$("state").textContent === "Refused"`);
await look("no token");
await enter("a-wrong-token-of-a-guest");
await tab.until(`$("detail").textContent.includes("wrong")`);
await look("wrong token");
await enter(token);
await tab.until(`$("state").textContent === "Connected"`);
await send("hello");
await tab.until(`$("detail").textContent === "1 message received"`);
await look("connected");
await send("dismiss");
await tab.until(`$("state").textContent === "Closed"`);
await look("dismissed");
// Neither a network that comes back nor time makes it connect again, but the user can.
const attempts = await tab.evaluate(`dispatchEvent(new Event("online")), attempts`);
await tab.evaluate(`$("again").click()`);
await tab.until(`$("state").textContent === "Connected"`);
const attemptsByUser = await tab.evaluate("attempts") - attempts;
await send("dismiss");
await tab.until(`$("state").textContent === "Closed"`);
await tab.advance(60_000);
const attemptsByTime = await tab.evaluate("attempts") - attempts - attemptsByUser;
await tab.close();

// The invitation link needs nothing else, and its token does not stay in the address bar.
const guest = await Tab.open();
await openPage(guest, `${url}#token=${token}`);
await guest.until(`$("state").textContent === "Connected"`);
const address = await guest.evaluate("location.hash");
await guest.close();
console.log("report " + JSON.stringify({ steps, findings: [...findings], attemptsByUser, attemptsByTime, address }));
