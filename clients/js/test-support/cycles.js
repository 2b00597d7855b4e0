// Connects, searches and browses again and again, and prints what is left.
//
// cycles.js DISCOVERY_PORT URL
import { browse, connect, discover, find } from "halloo";

const [port, url] = process.argv.slice(2), search = { local: true, port: Number(port) };
let opened = 0;
const open = async () => {
  const link = connect(url);
  await new Promise(resolve => link.addEventListener("open", resolve));
  opened++;
  link.close();
};
for (let round = 0; round < 100; round++) await Promise.all(Array.from({ length: 10 }, open));
// In each state.
for (const target of ["nothing", "127.0.0.1:1", url]) connect(target, { local: true, discoveryPort: search.port }).close();
const retrying = connect("127.0.0.1:1");
await new Promise(resolve => retrying.addEventListener("retry", resolve));
retrying.close();
await find("den", search);
await discover({ ...search, timeout: 50 });
for await (const { type } of browse(search)) if (type === "found") break;
browse(search).close();
// Sockets close in a few turns; a timer may only be one that does not keep the process running.
const left = () => process.getActiveResourcesInfo().filter(kind => !/^(Pipe|TTY|FS)/.test(kind));
process.on("exit", () => console.log(JSON.stringify({ opened, left: left() })));
