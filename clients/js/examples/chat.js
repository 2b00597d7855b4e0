// Sends each line that is typed to a room, and prints what others write: node chat.js living-room [ROOM]
// The server passes messages on: halloo serve --relay --name living-room
import { createInterface } from "node:readline";
import { connect } from "halloo";

const [target = "living-room", room = "chat"] = process.argv.slice(2), link = connect(target, { room });
for (const type of ["retry", "gaveup"]) link.addEventListener(type, ({ reason }) => console.error(reason));
link.addEventListener("open", () => console.error(`connected to ${link.url}`));

createInterface({ input: process.stdin }).on("line", line => link.send(line)).on("close", () => link.close());
for await (const message of link) console.log(message);
