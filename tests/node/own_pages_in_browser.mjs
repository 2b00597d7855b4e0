// Opens the page that the application publishes in Chromium: it loads forty files and a part of one, opens WebSockets at `/`
// and at another path, and reads an encoded file. Prints the word `report` with JSON.
//
// own_pages_in_browser.mjs PORT
import { Tab } from "./browser.mjs";

const [port] = process.argv.slice(2);
const tab = await Tab.open();
await tab.navigate(`http://127.0.0.1:${port}/`);
await tab.until("window.imported === 20 && [...document.images].every(image => image.complete)");
const report = await tab.evaluate(`(async () => {
  const echo = path => new Promise((resolve, reject) => {
    const socket = new WebSocket("ws://" + location.host + path);
    socket.onopen = () => socket.send(path);
    socket.onmessage = event => resolve(event.data);
    socket.onerror = () => reject(new Error("no WebSocket at " + path));
  });
  const part = await fetch("/video.webm", { headers: { Range: "bytes=100-199" } });
  const wasm = await WebAssembly.instantiateStreaming(fetch("/empty.wasm"));
  const bytes = new Uint8Array(await part.arrayBuffer());
  const client = await import("/_halloo/client.js");
  return {
    images: [...document.images].filter(image => image.naturalWidth === 7).length,
    part: [part.status, part.headers.get("Content-Range"), bytes.length, bytes[0]],
    wasm: wasm.module instanceof WebAssembly.Module,
    encoded: await (await fetch("/big.txt")).text(),
    isolated: crossOriginIsolated,
    echoes: [await echo("/"), await echo("/room/1")],
    client: Object.keys(client).length > 0,
    cached: await fetch("/part1.js").then(response => response.text()).then(text => text.length > 0),
  };
})()`);
await tab.close();
console.log("report " + JSON.stringify(report));
