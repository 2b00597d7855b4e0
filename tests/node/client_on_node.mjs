// Uses client.js on Node.js with a server that echoes messages. Prints the word `report` and JSON with what it observed.
//
// client_on_node.mjs PORT TOKEN
import { connect } from "../../crates/halloo/src/assets/client.js";

const [port, token] = process.argv.slice(2);
const happens = (link, type) => new Promise(resolve => link.addEventListener(type, resolve, { once: true }));

const stranger = connect(`ws://127.0.0.1:${port}`);
const refused = (await happens(stranger, "gaveup")).reason;

// Closed as soon as it is open, while the server is asked about it.
const brief = connect(`http://127.0.0.1:${port}/room/red?seat=3#token=${token}`), seen = [];
for (const type of ["open", "close", "retry"]) brief.addEventListener(type, () => seen.push(type));
brief.addEventListener("open", () => brief.close());
await happens(brief, "close");

const link = connect(`http://127.0.0.1:${port}/#token=${token}`);
const outcome = link.send("one"), replies = [];
for await (const message of link) {
  replies.push(message);
  if (replies.length === 1) link.send("two");
  else break;
}
while (link.pending.unconfirmed) await happens(link, "pending");
const proven = link.rtt > 0;
let mistake;
try {
  link.send({ x: 1 });
} catch ({ name, message }) {
  mistake = `${name}: ${message}`;
}
link.send("dismiss");
const ended = (await happens(link, "gaveup")).reason;
console.log("report " + JSON.stringify({ outcome, replies, proven, refused, ended, brief: [brief.url, ...seen], mistake }));
