
const CODES = { start: "Enter", select: "Backspace" };
const BUTTON_CODES = "Space KeyE KeyQ KeyR KeyF KeyC KeyX KeyZ Digit1 Digit2 Digit3 Digit4".split(" ");
const ARROWS = { ArrowLeft: [0, -1, 0], ArrowRight: [0, 1, 0], ArrowUp: [0, 0, -1], ArrowDown: [0, 0, 1], KeyA: [0, -1, 0], KeyD: [0, 1, 0], KeyW: [0, 0, -1], KeyS: [0, 0, 1], KeyJ: [1, -1, 0], KeyL: [1, 1, 0], KeyI: [1, 0, -1], KeyK: [1, 0, 1] };

/** A game controller in `host`, an element with a size. docs/pad.md describes the options. */
export class Pad {
  #link; #layout; #sender; #player = new Player(); #fingers = new Map(); #keys = new Set(); #codes = {}; #axes = [];
  #controls = []; #buttons = []; #root; #parts = {}; #turned = false; #lock = new ScreenLock(); #tilt; #off = []; #failures = 0;

  constructor(host, { link, layout, name } = {}) {
    // Nothing but the newest state may wait, and that waits here.
    this.#link = link ?? connect(undefined, { queue: { messages: 0, bytes: 0 } });
    if (!link) this.#off.push(() => this.#link.close());
    this.#root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    this.#draw(name ?? "");
    this.#tilt = new Tilt(value => this.#sender.set("tilt", value));
    this.#sender = new Sender(this.#link, () => ({ name: this.#player.name, color: this.#player.color, seat: this.#player.seat }));
    this.setLayout(layout);
    this.#listen(host);
    this.#showPlayer();
    this.#showState();
  }

  get layout() { return this.#layout; }
  get player() { return { name: this.#player.name, color: this.#player.color, seat: this.#player.seat }; }

  setLayout(value = DEFAULT_LAYOUT) {
    this.#releaseAll();
    this.#tilt.stop();
    this.#layout = readLayout(value);
    const neutral = {}, set = (key, value) => this.#sender.set(key, value), occur = (key, value) => this.#sender.occur(key, value);
    [this.#controls, this.#buttons, this.#codes] = [[], [], {}];
    const codes = BUTTON_CODES.slice();
    const hint = name => {
      const code = CODES[name] ?? codes.shift();
      if (code) this.#codes[code] = name;
      return code?.replace(/Key|Digit/, "").replace("Backspace", "⌫");
    };
    for (const place of PLACES) {
      const kind = this.#layout[place], cell = this.#parts[place];
      cell.hidden = !kind;
      if (!kind) { cell.replaceChildren(); continue; }
      const control = Array.isArray(kind) ? new Buttons(place, kind, this.#layout, hint) : new { stick: Stick, dpad: Dpad, swipe: Swipe }[kind](place, set, occur);
      if (control.buttons) {
        this.#buttons.push(...control.buttons);
        for (const name of kind) neutral[name] = 0;
      } else {
        this.#controls.push(control);
        if (control.neutral) neutral[place] = control.neutral;
      }
      cell.replaceChildren(control.element);
    }
    this.#parts.play.classList.toggle("alone", !this.#layout.left && !this.#layout.right);
    // The arrow keys are for the left stick, or what there is instead.
    const order = place => this.#controls.find(control => this.#parts[place].contains(control.element));
    this.#axes = ["left", "right", "middle"].map(order).filter(Boolean);
    const { text, tilt } = this.#layout, { entry, field } = this.#parts;
    entry.hidden = !text;
    field.placeholder = text === true ? "Your text" : text || "";
    if (tilt) neutral.tilt = null;
    this.#offerTilt(tilt);
    this.#sender.define(neutral);
    this.#arrange();
  }

  /** Stops the pad. A link that was given to it stays open. */
  close() {
    this.#releaseAll();
    this.#sender.flush(true);
    this.#tilt.stop();
    this.#off.forEach(off => off());
    this.#root.replaceChildren();
  }

  #draw(title) {
    const parts = this.#parts;
    for (const place of PLACES) parts[place] = element("div", { class: "place " + place });
    parts.chip = element("button", { type: "button", class: "chip", onclick: () => this.#openSettings() }, element("i", { class: "dot" }), parts.name = element("span"));
    parts.state = element("span", { class: "state", role: "status" });
    parts.rtt = element("span", { class: "rtt" });
    parts.full = element("button", { type: "button", class: "full", "aria-label": "Full screen", onclick: () => this.#toggleFullScreen() }, element("i"));
    parts.full.hidden = !document.fullscreenEnabled;
    parts.bar = element("header", { class: "bar ui" }, parts.chip, parts.rtt, parts.state, parts.full);
    parts.field = element("input", { maxlength: 200, enterkeyhint: "send", autocomplete: "off", "aria-label": "Text to send" });
    parts.entry = element("form", { class: "entry ui", onsubmit: event => this.#enter(event) }, parts.field, element("button", { class: "main" }, "Send"));
    parts.said = element("p", { class: "said", role: "status" }, title);
    parts.offer = element("p", { class: "offer ui", hidden: true });
    parts.end = element("div", { class: "end ui", hidden: true });
    parts.flash = element("div", { class: "flash", "aria-hidden": "true" });
    parts.center = element("div", { class: "center" }, parts.said, parts.entry, parts.offer, parts.end, parts.middle);
    parts.play = element("main", { class: "play" }, parts.top, parts.left, parts.center, parts.right);
    parts.settings = element("dialog", { class: "settings ui", "aria-label": "Player" });
    parts.pad = element("div", { class: "pad" }, parts.bar, parts.play, parts.settings, parts.flash);
    // Safari before 16.4 has no sheets of the constructor.
    this.#root.append(element("style", {}, CSS), parts.pad);
  }

  #on(target, type, listener, options) {
    target.addEventListener(type, listener, options);
    this.#off.push(() => target.removeEventListener(type, listener, options));
  }

  #listen(host) {
    const { pad } = this.#parts, release = () => { this.#releaseAll(); this.#sender.flush(true); };
    this.#on(pad, "pointerdown", event => this.#down(event));
    this.#on(pad, "pointermove", event => this.#move(event));
    this.#on(pad, "pointerup", event => this.#up(event));
    this.#on(pad, "pointercancel", release);
    this.#on(pad, "contextmenu", event => event.preventDefault());
    // Without this, a long touch in Safari selects text or opens a magnifier.
    this.#on(pad, "touchstart", event => { if (!isInterface(event)) event.preventDefault(); }, { passive: false });
    this.#on(window, "blur", release);
    this.#on(window, "pagehide", release);
    this.#on(document, "visibilitychange", () => document.hidden ? release() : this.#lock.request());
    this.#on(window, "keydown", event => this.#key(event, true));
    this.#on(window, "keyup", event => this.#key(event, false));
    this.#on(this.#link, "message", ({ data }) => this.#receive(data));
    this.#on(this.#link, "open", () => { this.#failures = NaN; this.#sender.introduce(); this.#showState(); });
    this.#on(this.#link, "retry", () => {
      this.#showState();
      // Some browsers accept a certificate for the page and not for its WebSocket.
      if (++this.#failures === 3 && /^https/.test(location)) this.#say("This phone may not trust the certificate. Use the plain page, or another certificate (--cert).");
    });
    this.#on(this.#link, "close", () => { this.#releaseAll(); this.#showState(); });
    this.#on(this.#link, "gaveup", ({ reason }) => this.#showEnd(reason));
    const resized = new ResizeObserver(() => this.#arrange());
    resized.observe(host);
    const clock = setInterval(() => this.#showLatency(), 1000);
    this.#off.push(() => resized.disconnect(), () => clearInterval(clock), () => this.#lock.release());
  }

  // Turns the pad where the phone is not held as the game wants it, and gives each place its unit.
  #arrange() {
    const { pad } = this.#parts, { clientWidth: width, clientHeight: height } = this.#root.host;
    const wanted = this.#layout.orientation;
    this.#turned = wanted === "landscape" && height > width || wanted === "portrait" && width > height;
    const [w, h] = this.#turned ? [height, width] : [width, height];
    pad.classList.toggle("turned", this.#turned);
    pad.classList.toggle("wide", w > h);
    pad.classList.toggle("swapped", this.#player.leftHanded);
    Object.assign(pad.style, { width: w + "px", height: h + "px" });
    for (const place of ["left", "middle", "right"]) {
      const zone = this.#parts[place].querySelector(".zone");
      if (zone) zone.style.setProperty("--u", Math.min(zone.offsetWidth, zone.offsetHeight) + "px");
    }
  }

  // Returns where an event is, from the middle of an element, in the directions of the pad.
  #local(event, target) {
    const box = target.getBoundingClientRect();
    const x = event.clientX - box.left - box.width / 2, y = event.clientY - box.top - box.height / 2;
    return this.#turned ? [y, -x] : [x, y];
  }

  #down(event) {
    if (isInterface(event) || event.button > 0) return;
    this.#lock.request();
    const path = event.composedPath(), control = this.#controls.find(control => path.includes(control.element));
    const isTaken = [...this.#fingers.values()].some(finger => finger.control === control);
    if (control && isTaken) return;
    this.#parts.pad.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, { control, name: null });
    if (control) control.down(...this.#local(event, control.element));
    else this.#press(event);
  }

  #move(event) {
    const finger = this.#fingers.get(event.pointerId);
    if (finger?.control) finger.control.move(...this.#local(event, finger.control.element));
    else if (finger) this.#press(event);
  }

  #up(event) {
    const finger = this.#fingers.get(event.pointerId);
    this.#fingers.delete(event.pointerId);
    if (finger?.control) finger.control.up();
    else if (finger) this.#updateButtons();
  }

  // Presses the button under a finger, or the nearest one beside it.
  #press(event) {
    let [best, name] = [SLACK, null];
    for (const button of this.#buttons) {
      const { left, right, top, bottom } = button.getBoundingClientRect(), { clientX: x, clientY: y } = event;
      const distance = Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
      if (distance < best) [best, name] = [distance, button.dataset.name];
    }
    this.#fingers.get(event.pointerId).name = name;
    this.#updateButtons();
  }

  #updateButtons() {
    const pressed = new Set([...this.#fingers.values()].map(finger => finger.name));
    for (const code of this.#keys) pressed.add(this.#codes[code] ?? code);
    for (const button of this.#buttons) {
      const { name } = button.dataset, on = pressed.has(name);
      button.classList.toggle("on", on);
      this.#sender.set(name, on ? 1 : 0);
    }
  }

  #releaseAll() {
    if (!this.#layout) return;
    this.#fingers.clear();
    this.#keys.clear();
    for (const control of this.#controls) control.up();
    this.#updateButtons();
    this.#sender.release();
  }

  #key(event, down) {
    const target = event.composedPath()[0], { code } = event;
    const ownKey = /^(Space|Enter|Backspace)$/.test(code);
    if (event.ctrlKey || event.metaKey || event.altKey || this.#parts.settings.open || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) {
      if (!down) this.#keys.delete(code);
      return;
    }
    const focused = code !== "Backspace" && ownKey ? target.dataset?.name : null;
    if (ownKey && !focused && /^(BUTTON|A)$/.test(target.tagName)) return;
    const known = focused || code in this.#codes || this.#axes[ARROWS[code]?.[0]];
    if (!known) return;
    event.preventDefault();
    if (event.repeat) return;
    const key = focused ?? code;
    if (down) this.#keys.add(key);
    else this.#keys.delete(key);
    this.#updateButtons();
    const [axis] = ARROWS[code] ?? [];
    if (axis === undefined || code in this.#codes) return;
    const held = [...this.#keys].map(key => ARROWS[key]).filter(arrow => arrow?.[0] === axis);
    const sum = part => Math.sign(held.reduce((total, arrow) => total + arrow[part], 0));
    this.#axes[axis]?.keys(sum(1), sum(2));
  }

  #receive(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return; // A message for something else.
    }
    if (!isObject(message)) return;
    const { layout, color, text, ping } = message;
    if (layout !== undefined) this.setLayout(layout);
    if (COLOR.test(color)) this.#parts.pad.style.setProperty("--me", color);
    if (typeof text === "string") this.#parts.said.textContent = text.slice(0, 200);
    if (message.vibrate !== undefined) vibrate(message.vibrate, this.#parts.flash);
    if (typeof ping === "number") this.#sender.sendNow({ pong: ping });
  }

  #enter(event) {
    event.preventDefault();
    const { field } = this.#parts;
    if (!field.value) return;
    if (!this.#sender.sendNow({ text: field.value })) return this.#say("Not sent. Try again.");
    field.value = "";
    field.blur();
    this.#say("Sent");
  }

  #say(text) { this.#parts.said.textContent = text; }

  async #offerTilt(wanted) {
    const { offer } = this.#parts;
    offer.hidden = true;
    if (!wanted || isSecureContext && await this.#tilt.start()) return;
    let way = "Tilt needs a page with https.";
    if (isSecureContext) {
      way = element("button", { class: "main", onclick: async () => { offer.hidden = await this.#tilt.start(); } }, "Turn on tilt");
    } else if ((await fetch(new URL("../discovery.json", import.meta.url)).then(answer => answer.json()).catch(() => {}))?.secure) {
      const url = new URL(location.href);
      url.protocol = "https:";
      url.searchParams.delete("token");
      url.hash = fragment;
      // The player as it is at that moment.
      const handOver = () => { way.hash = fragment + "&halloo-player=" + encodeURIComponent(JSON.stringify(this.#player)); };
      way = element("a", { href: url.href, onclick: handOver }, "Tilt and keeping the screen on need the secure page. Your phone will warn once: continue.");
    }
    offer.replaceChildren(way);
    offer.hidden = false;
  }

  #toggleFullScreen() {
    if (document.fullscreenElement) return document.exitFullscreen();
    const target = this.#root.host === document.body ? document.documentElement : this.#root.host;
    target.requestFullscreen().then(() => this.#layout.orientation !== "any" && screen.orientation.lock?.(this.#layout.orientation)).catch(() => {});
  }

  #showPlayer() {
    const { pad, name, chip } = this.#parts;
    pad.style.setProperty("--me", this.#player.color);
    pad.style.setProperty("--on-me", inkOn(this.#player.color));
    name.textContent = this.#player.name;
    chip.setAttribute("aria-label", `${this.#player.name}: name, color and settings`);
  }

  #showState() {
    const { pad, state } = this.#parts, on = this.#link.state === "connected";
    const text = on ? "Connected" : pad.dataset.state ? "Reconnecting" : "Connecting";
    if (state.textContent !== text) state.textContent = text;
    if (on || pad.dataset.state) pad.dataset.state = on ? "on" : "off";
    this.#showLatency();
  }

  #showLatency() {
    const { rtt, state } = this.#link;
    this.#parts.rtt.textContent = state === "connected" && rtt >= 0 ? `${Math.round(rtt)} ms` : "";
  }

  #showEnd(reason) {
    const { end, pad } = this.#parts, token = element("input", { "aria-label": "Token", placeholder: "Token", autocomplete: "off", autocapitalize: "off" });
    const retry = event => {
      event.preventDefault();
      if (token.value) location.hash = "token=" + encodeURIComponent(token.value.trim());
      location.reload();
    };
    const form = element("form", { onsubmit: retry }, ...(/token/i.test(reason) ? [token] : []), element("button", { class: "main" }, "Try again"));
    end.replaceChildren(element("p", { role: "alert" }, reason), form);
    end.hidden = false;
    pad.dataset.state = "off";
    this.#parts.state.textContent = "Disconnected";
  }

  #openSettings() {
    const { settings, play, bar } = this.#parts, player = this.#player;
    this.#releaseAll();
    const name = element("input", { maxlength: 24, value: player.name, autocomplete: "off", "aria-label": "Name" });
    const colors = Object.entries(COLORS).map(([label, color]) => {
      const radio = element("input", { type: "radio", name: "color", value: color, checked: color === player.color, "aria-label": label });
      radio.style.setProperty("--swatch", color);
      return radio;
    });
    const left = element("input", { type: "checkbox", checked: player.leftHanded });
    const done = event => {
      event?.preventDefault();
      player.name = [...name.value.trim()].slice(0, 24).join("") || player.name;
      player.color = colors.find(radio => radio.checked)?.value ?? player.color;
      player.leftHanded = left.checked;
      player.save();
      settings.close();
      play.inert = bar.inert = false;
      this.#showPlayer();
      this.#arrange();
      this.#sender.occur("join", this.player);
      this.#parts.chip.focus();
    };
    settings.replaceChildren(element("form", { onsubmit: done },
      element("label", {}, element("span", {}, "Name"), name),
      element("fieldset", {}, element("legend", {}, "Color"), ...colors),
      element("label", { class: "switch" }, element("span", {}, "Left-handed"), left),
      element("button", { class: "main" }, "Done")));
    settings.onkeydown = event => { if (event.key === "Escape") done(event); };
    play.inert = bar.inert = true;
    settings.show();
    if (matchMedia("(hover: hover)").matches) name.select();
  }
}

const isInterface = event => event.composedPath().some(part => part.classList?.contains("ui"));

// The token of the link, which the secure page also needs: `connect` takes it out of the address.
const fragment = (() => {
  // Storage may be switched off.
  let token = [location.hash, location.search].map(part => new URLSearchParams(part.slice(1)).get("token")).find(Boolean);
  try {
    token ||= sessionStorage.getItem("token " + new URL("..", import.meta.url));
  } catch {}
  return token ? "#token=" + encodeURIComponent(token) : "";
})();

// The page of the server has the layout in itself; other pages make a Pad on their own.
const own = document.getElementById("halloo-pad");
if (own) {
  const { layout, name } = JSON.parse(own.textContent);
  if (name) document.title = name;
  globalThis.pad = new Pad(document.body, { layout, name });
  // Nothing of the start waits for what only the home screen needs.
  const manifest = element("link", { rel: "manifest", href: new URL("pad.webmanifest", import.meta.url) });
  addEventListener("pointerdown", () => document.head.append(manifest), { once: true });
}
