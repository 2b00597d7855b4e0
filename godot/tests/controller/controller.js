import { Pad } from "/_halloo/pad.js";

new Pad(document.getElementById("controller"), { layout: { left: "stick", right: ["a"] }, name: "Own controller" });
