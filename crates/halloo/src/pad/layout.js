const PLACES = ["left", "middle", "right", "top"], CONTROLS = ["stick", "dpad", "swipe"];
const ORIENTATIONS = ["any", "landscape", "portrait"], DEFAULT_LAYOUT = { left: "stick", right: ["a", "b"] };
const RESERVED = [...PLACES, ...CONTROLS, ..."tilt text join ping pong layout color vibrate name seat orientation".split(" ")];
const COLOR = /^#[0-9a-f]{6}$/i;
const isObject = value => value !== null && typeof value === "object" && !Array.isArray(value);
const isText = (value, max) => typeof value === "string" && value.length > 0 && [...value].length <= max;

/** Returns the valid parts of a layout. The others are ignored and reported in the console. */
export function readLayout(value) {
  const layout = { tilt: false, text: false, orientation: "any", labels: {}, colors: {} }, names = [];
  const ignore = (part, advice) => console.warn(`pad: ignored ${part} of the layout; ${advice}`);
  if (!isObject(value)) {
    ignore("all", "give an object");
    value = DEFAULT_LAYOUT;
  }
  const isName = name => {
    const valid = typeof name === "string" && /^[a-z0-9_]{1,16}$/.test(name) && !RESERVED.includes(name) && !names.includes(name);
    if (!valid) ignore(`the button ${JSON.stringify(name)}`, "use 1 to 16 of the characters a-z 0-9 _, once, and no key of a message");
    else names.push(name);
    return valid;
  };
  for (const place of PLACES.filter(place => place in value)) {
    const control = value[place];
    if (Array.isArray(control)) {
      const buttons = control.filter(isName).slice(0, 6);
      if (buttons.length) layout[place] = buttons;
      if (control.length > 6) ignore(`the buttons after the sixth at "${place}"`, "use another place");
    } else if (place !== "top" && CONTROLS.includes(control)) layout[place] = control;
    else ignore(`"${place}"`, place === "top" ? "use a list of buttons" : `use ${CONTROLS.join(", ")} or a list of buttons`);
  }
  const rules = {
    tilt: [value => typeof value === "boolean", "use true or false"],
    text: [value => typeof value === "boolean" || isText(value, 40), "use true or a placeholder of at most 40 characters"],
    orientation: [value => ORIENTATIONS.includes(value), `use ${ORIENTATIONS.join(", ")}`],
  };
  for (const [part, given] of Object.entries(value)) {
    if (PLACES.includes(part)) continue;
    const entry = part === "labels" ? text => isText(text, 12) : part === "colors" ? text => COLOR.test(text) : null;
    if (entry && isObject(given)) {
      for (const [name, text] of Object.entries(given)) {
        if (names.includes(name) && entry(text)) layout[part][name] = text;
        else ignore(`"${name}" of "${part}"`, `the buttons are ${names.join(", ")}; labels have 1 to 12 characters, colors look like #2d7dd2`);
      }
    } else if (rules[part]?.[0](given)) layout[part] = given;
    else ignore(`"${part}"`, rules[part]?.[1] ?? `the parts are ${[...PLACES, ...Object.keys(rules), "labels, colors"].join(", ")}`);
  }
  return layout;
}
