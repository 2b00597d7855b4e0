
const round = number => Math.round(number * 100) / 100 || 0;
const SWIPE = 32, SLACK = 18;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made[name] = value;
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// Each control of a finger: `down`, `move` and `up` get the position in pixels from the middle of its element.
class Stick {
  neutral = [0, 0];

  constructor(place, set) {
    this.knob = element("i", { class: "knob" });
    this.base = element("i", { class: "base" }, this.knob);
    this.element = element("div", { class: "zone stick", role: "img", "aria-label": place + " stick" }, this.base);
    this.show = value => {
      this.knob.style.translate = `${value[0] * 50}% ${value[1] * 50}%`;
      set(place, value);
    };
  }

  down(x, y) {
    const { offsetWidth: width, offsetHeight: height } = this.element, radius = this.radius = this.base.offsetWidth / 2;
    const clamp = (value, size) => Math.max(Math.min(0, radius - size / 2), Math.min(Math.max(0, size / 2 - radius), value));
    // The middle moves to a finger beside the stick, because players look at the game and not at their phone.
    this.origin = Math.hypot(x, y) <= radius ? [0, 0] : [clamp(x, width), clamp(y, height)];
    this.base.style.translate = `${this.origin[0]}px ${this.origin[1]}px`;
    this.base.classList.add("on");
    this.move(x, y);
  }

  move(x, y) {
    const dx = (x - this.origin[0]) / this.radius, dy = (y - this.origin[1]) / this.radius, length = Math.hypot(dx, dy);
    // A finger that rests is not quite still.
    const scale = length < .1 ? 0 : Math.min(1, (length - .1) / .8) / length;
    this.show([round(dx * scale), round(dy * scale)]);
  }

  keys(x, y) {
    const length = Math.hypot(x, y) || 1;
    this.show([round(x / length), round(y / length)]);
  }

  up() {
    this.base.style.translate = "";
    this.base.classList.remove("on");
    this.show([0, 0]);
  }
}

class Dpad {
  neutral = [0, 0];

  constructor(place, set) {
    this.base = element("i", { class: "cross" }, ...["up", "down", "left", "right"].map(name => element("i", { class: name })));
    this.element = element("div", { class: "zone dpad", role: "img", "aria-label": place + " directional pad" }, this.base);
    this.keys = (x, y) => {
      this.base.className = `cross x${x} y${y}`;
      set(place, [x, y]);
    };
  }

  down(x, y) { this.move(x, y); }

  move(x, y) {
    // Eight directions of 45 degrees each.
    const angle = Math.round(Math.atan2(y, x) / (Math.PI / 4)) * (Math.PI / 4);
    if (Math.hypot(x, y) < this.base.offsetWidth * .12) this.up();
    else this.keys(Math.sign(round(Math.cos(angle))), Math.sign(round(Math.sin(angle))));
  }

  up() { this.keys(0, 0); }
}

class Swipe {
  constructor(place, set, occur) {
    this.arrow = element("i", { class: "arrow" });
    this.element = element("div", { class: "zone swipe", role: "img", "aria-label": place + " swipe area" }, this.arrow, element("small", {}, "Swipe"));
    this.occur = direction => {
      this.arrow.className = "arrow " + direction;
      this.arrow.animate?.([{ opacity: 1, scale: 1.3 }, { opacity: 0, scale: 1 }], 400);
      occur(place, direction);
    };
  }

  down(x, y) {
    this.start = [x, y];
    this.last = null;
  }

  move(x, y) {
    const dx = x - this.start[0], dy = y - this.start[1];
    if (Math.hypot(dx, dy) < SWIPE) return;
    this.keys(...Math.abs(dx) > Math.abs(dy) ? [Math.sign(dx), 0] : [0, Math.sign(dy)]);
    this.start = [x, y];
  }

  // A long swipe is one; a finger that turns swipes again.
  keys(x, y) {
    const direction = x ? (x < 0 ? "left" : "right") : y ? (y < 0 ? "up" : "down") : null;
    if (direction && direction !== this.last) this.occur(direction);
    this.last = direction;
  }

  up() { this.last = null; }
}

// The middles of one to six buttons, and their diameter, as parts of the place.
const ROUND = [
  [.74, [.5, .5]],
  [.5, [.72, .29], [.28, .71]],
  [.42, [.76, .3], [.26, .44], [.62, .77]],
  [.37, [.5, .81], [.81, .5], [.19, .5], [.5, .19]],
  [.33, [.17, .68], [.5, .72], [.83, .68], [.33, .3], [.67, .3]],
  [.31, [.16, .68], [.5, .68], [.84, .68], [.16, .32], [.5, .32], [.84, .32]],
];
const FACES = { a: "#157f3f", b: "#c62f2b", x: "#1d6acb", y: "#e8b022" };
const NAMES = { start: "Start", select: "Select", l: "L", r: "R" };

class Buttons {
  constructor(place, names, layout, hint) {
    const isRound = place !== "top" && !(place === "middle" && (layout.left || layout.right));
    const [size, ...middles] = ROUND[names.length - 1];
    this.buttons = names.map((name, index) => {
      const label = layout.labels[name] ?? NAMES[name] ?? (name.length > 1 ? name[0].toUpperCase() + name.slice(1) : name.toUpperCase());
      const key = hint(name);
      const button = element("button", { type: "button", class: "key", "data-name": name }, element("b", {}, label), ...key ? [element("kbd", {}, key)] : []);
      const color = layout.colors[name] ?? FACES[name];
      if (color) button.style.cssText = `--face:${color};--on-face:${inkOn(color)};--edge:${color}`;
      if (isRound) {
        const [x, y] = middles[index];
        for (const [part, value] of Object.entries({ "--x": x, "--y": y, "--d": size, "--n": Math.max(3, [...label].length) })) button.style.setProperty(part, value);
      }
      return button;
    });
    this.element = element("div", { class: isRound ? "zone round" : "row", role: "group", "aria-label": place + " buttons" }, ...this.buttons);
  }
}

// Black or white, whichever has more contrast.
function inkOn(color) {
  const [r, g, b] = [1, 3, 5].map(at => (parseInt(color.slice(at, at + 2), 16) / 255) ** 2.2);
  return .2126 * r + .7152 * g + .0722 * b > .18 ? "#000" : "#fff";
}
