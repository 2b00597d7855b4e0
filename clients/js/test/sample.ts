// Compiled by the tests, and not run.
import { browse, type Change, connect, discover, find, type Link, type Server } from "halloo";

const ended = new AbortController();
const options = { token: "the-otters-meet-at-nine", room: "red", queue: { messages: 10 }, signal: ended.signal };
const link: Link = connect("living-room", options);
link.addEventListener("message", ({ data }) => {
  const text: string = typeof data === "string" ? data : String(data.byteLength);
  if (link.send(text) === "full") link.close(1000, "enough");
});
link.addEventListener("retry", event => console.log(event.delay, event.reason?.length), { once: true });
link.addEventListener("gaveup", ({ reason, code }) => console.log(reason, code));
// @ts-expect-error: there is no such event
link.addEventListener("opened", () => {});
// @ts-expect-error: a number is neither text nor bytes
link.send(5);
link.send(new Uint8Array([1]));

const servers: Server[] = await discover({ timeout: 100, app: "Tanks" });
const { url, clients }: Server = await find("den");
connect(servers[0]), connect(new URL(url)), connect(), console.log((clients ?? 0) + 1);
for await (const message of link) console.log(typeof message === "string" ? message.length : message.byteLength);
for await (const { type, server } of browse() as AsyncIterable<Change>) if (type === "lost") console.log(server.name);
