// Sends ten readings a second, and skips those that a slow network has no room for: node sensor.js living-room
import { loadavg } from "node:os";
import { connect } from "halloo";

const link = connect(process.argv[2] ?? "living-room", { queue: { messages: 10 } });
link.addEventListener("retry", ({ reason }) => console.error(reason));
link.addEventListener("gaveup", ({ reason }) => {
  console.error(reason);
  clearInterval(timer);
});

let skipped = 0;
const timer = setInterval(() => {
  const reading = JSON.stringify({ time: Date.now(), load: loadavg()[0], skipped });
  if (link.send(reading) === "full") skipped++;
}, 100);
