// Measures messages per second of a link and of the bare WebSocket of this platform in one run, and the time from a search to
// the first message. HALLOO_PROGRAM is the program in a release build; Node.js before 22 needs `--experimental-websocket`.
import { connect } from "halloo";
import { Server, unusedUdpPort } from "./test-support/fixture.js";

const SIZE = 64, COUNT = 50000, ROUNDS = 7, STARTS = 30;
const text = "x".repeat(SIZE), median = list => list.toSorted((a, b) => a - b)[list.length >> 1];

const opens = socket => new Promise(resolve => socket.addEventListener("open", () => resolve(socket), { once: true }));
const bare = url => opens(new WebSocket(url));
const linked = url => opens(connect(url, { queue: { messages: COUNT, bytes: 1 << 26 } }));

// Messages per second from `sender` to `receiver`, which are alone in a room.
async function rate(server, room, openSender, openReceiver) {
  const url = `${server.url}/room/${room}`, [sender, receiver] = [await openSender(url), await openReceiver(url)];
  const start = performance.now(), cpu = process.cpuUsage();
  let count = 0;
  const all = new Promise(resolve => receiver.addEventListener("message", () => { if (++count === COUNT) resolve(); }));
  for (let sent = 0; sent < COUNT; sent++) {
    sender.send(text);
    // The server reads meanwhile.
    if (sent % 500 === 499) await new Promise(resolve => { setImmediate(resolve); });
  }
  await all;
  const elapsed = performance.now() - start, { user, system } = process.cpuUsage(cpu);
  sender.close();
  receiver.close();
  return { rate: COUNT / elapsed * 1000, cost: (user + system) / COUNT };
}

async function throughput(server) {
  const rates = { bare: [], out: [], in: [] };
  for (let round = 0; round <= ROUNDS; round++) {
    const measured = {
      bare: await rate(server, `bare${round}`, bare, bare), out: await rate(server, `out${round}`, linked, bare),
      in: await rate(server, `in${round}`, bare, linked),
    };
    // The first round warms up.
    if (round) for (const kind in rates) rates[kind].push(measured[kind]);
  }
  const of = (kind, what) => median(rates[kind].map(one => one[what]));
  for (const [kind, what] of [["bare", "bare WebSocket"], ["out", "link out"], ["in", "link in"]]) {
    const rate = of(kind, "rate"), share = (rate / of("bare", "rate")).toFixed(2);
    const cost = of(kind, "cost").toFixed(2);
    console.log(`${what}: ${Math.round(rate)} messages/s of ${SIZE} bytes (${share}), ${cost} us of CPU each`);
  }
}

// Milliseconds from `connect` to the echo of a message that waited for the connection.
async function timeToMessage(server, discoveryPort, target) {
  const start = performance.now(), link = connect(target, { local: true, discoveryPort });
  link.send("hi");
  const message = new Promise(resolve => link.addEventListener("message", resolve, { once: true }));
  const { client } = await server.event("message");
  server.command("send", { client, text: "hi" });
  await message;
  link.close();
  return performance.now() - start;
}

async function starts() {
  const discoveryPort = await unusedUdpPort(), server = await Server.start(discoveryPort, "bench");
  const idOf = async () => (await (await fetch(`http://127.0.0.1:${server.ready.port}/discovery.json`)).json()).id;
  for (const [what, target] of [["name", "bench"], ["id", await idOf()], ["address", server.url]]) {
    const times = [];
    for (let start = 0; start < STARTS; start++) times.push(await timeToMessage(server, discoveryPort, target));
    console.log(`connect by ${what} to the first message: p50 ${median(times).toFixed(1)} ms of ${STARTS}`);
  }
  await server.stop();
}

const relay = await Server.start(await unusedUdpPort(), "bench", "--relay");
await throughput(relay);
await relay.stop();
await starts();
