// Measures how long the pad takes in Chromium from its address to its first message, with nothing of it in the cache: the
// requests, the bytes of the responses with their heads, and the milliseconds. Prints each of RUNS runs, the median, and the
// word `report` with JSON.
//
// pad_start.mjs HALLOO RUNS
import { Tab } from "./browser.mjs";
import { Server } from "./server.mjs";

const runs = Number(process.argv[3]);
const server = await Server.start(0, "--pad");
const tab = await Tab.open();

// Returns what the first opening of the pad in a new profile took.
async function measure() {
  await tab.renew();
  const requests = [], sizes = new Map();
  const opened = new Promise(resolve => {
    const request = ({ requestId, timestamp = 0, request, url = request.url }) => {
      if (!url.startsWith("data:")) requests.push({ requestId, timestamp, url });
    };
    tab.on("Network.requestWillBeSent", request);
    tab.on("Network.webSocketCreated", request);
    tab.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => sizes.set(requestId, encodedDataLength));
    tab.on("Network.webSocketHandshakeResponseReceived", ({ requestId, response }) => sizes.set(requestId, response.headersText.length));
    tab.on("Network.webSocketFrameSent", ({ timestamp }) => resolve(timestamp));
  });
  await tab.call("Network.enable");
  await tab.bePhone();
  await tab.call("Page.navigate", { url: `http://127.0.0.1:${server.port}/` });
  const end = await opened;
  // What began later is no part of it.
  const needed = requests.filter(({ timestamp }) => timestamp < end), { timestamp: start } = needed[0];
  const bytes = needed.reduce((sum, { requestId }) => sum + sizes.get(requestId), 0);
  return { requests: needed.length, bytes, milliseconds: Math.round((end - start) * 1000) };
}

const measured = [];
for (let run = 0; run < runs; run++) {
  measured.push(await measure());
  console.log(Object.entries(measured.at(-1)).map(([what, number]) => `${number} ${what}`).join(", "));
}
await tab.close();
await server.kill();
const times = measured.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
console.log(`from the address to the first message: p50 ${times[Math.floor((times.length - 1) / 2)]} ms, ${times[0]} to ${times.at(-1)} ms`);
console.log("report " + JSON.stringify(measured));
