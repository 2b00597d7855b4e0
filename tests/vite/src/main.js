import { show } from "./messages.js";
import tank from "./tank.svg";
import "./style.css";

// While Vite serves the page, the server has another port.
const server = import.meta.env.DEV ? `http://${location.hostname}:${import.meta.env.VITE_PORT}` : location.origin;
const { connect } = await import(/* @vite-ignore */ `${server}/_halloo/client.js`);

const image = new Image();
image.src = tank;
document.body.append(image);

const link = connect();
link.addEventListener("open", () => { document.getElementById("state").textContent = "Connected"; });
link.addEventListener("message", ({ data }) => show(data));
link.send("hello from Vite");
