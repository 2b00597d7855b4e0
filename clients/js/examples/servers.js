// Prints the servers on the network as they appear, change and vanish, until Ctrl+C.
import { browse } from "halloo";

for await (const { type, server } of browse()) {
  const { name, url, clients, meta } = server;
  console.log(type, name, url, `${clients ?? "?"} clients`, JSON.stringify(meta));
}
