// Opens the page in tests/vite in Chromium: first built by the Vite in the directory VITE, from a server with `--www`; then
// from Vite's own server, as while it is developed. Prints the word `report` with JSON.
//
// vite_page_in_browser.mjs HALLOO DIRECTORY
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Tab } from "./browser.mjs";
import { Server } from "./server.mjs";

const directory = process.argv[3], outDir = join(directory, "dist");
const { build, createServer } = await import(pathToFileURL(createRequire(process.env.VITE + "/").resolve("vite")));
const project = {
  root: fileURLToPath(new URL("../vite", import.meta.url)), configFile: false, cacheDir: join(directory, "cache"), logLevel: "warn",
};
const tab = await Tab.open();

// Opens the page at this address, and returns what it shows.
async function open(url, server) {
  await tab.renew();
  await tab.navigate(url);
  const { client } = await server.event(({ text }) => text === "hello from Vite");
  server.command({ cmd: "send", client, text: "hello from the server" });
  await tab.until(`document.querySelector("li") && document.querySelector("img").complete`);
  return tab.evaluate(`({
    state: document.getElementById("state").textContent, color: getComputedStyle(document.getElementById("state")).color,
    image: document.querySelector("img").naturalWidth, messages: [...document.querySelectorAll("li")].map(entry => entry.textContent),
  })`);
}

await build({ ...project, build: { outDir, emptyOutDir: true, assetsInlineLimit: 0 } });
// `build` sets it for production.
delete process.env.NODE_ENV;
const files = readdirSync(join(outDir, "assets")).map(name => name.replace(/-[^.]+/, "")).sort();
const server = await Server.start(0, "--www", outDir);
const built = await open(`http://127.0.0.1:${server.port}/`, server);
await server.kill();

const own = await Server.start(0, "--allowed-origins", "*");
process.env.VITE_PORT = own.port;
const vite = await (await createServer({ ...project, server: { host: "127.0.0.1", port: 0 } })).listen();
const developed = await open(vite.resolvedUrls.local[0], own);
await tab.close();
await vite.close();
await own.kill();
console.log("report " + JSON.stringify({ files, built, developed }));
