// Names of servers: how they are displayed and compared.
export const MAX_NAME_CHARS = 64;
const ZWJ = "\u200d", ZWNJ = "\u200c", EMOJI_STYLE = "\ufe0f", KEYCAP = "\u20e3";
const JOINERS = [ZWJ, ZWNJ, "\ufe0e", EMOJI_STYLE];
const HARMFUL = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u1680\u2000-\u200a\u2028\u2029\u205f]/u;
const EMOJI = /[\u2190-\u21ff\u2300-\u2bff\u{1f000}-\u{1ffff}\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299]/u;
const VIRAMA = /[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca]/;
const ARABIC = /[\u0620-\u064a\u0671-\u06d3\u06fa-\u06ff\u0750-\u077f]/;

/** Returns a text in Normalization Form C, without characters that could deceive, cut to `limit` characters. */
export function clean(text, limit = MAX_NAME_CHARS) {
  const characters = [...text.toWellFormed().replace(/[\p{Zs}\u2800]/gu, " ")]
    .filter(one => !HARMFUL.test(one) || JOINERS.includes(one));
  const kept = [];
  characters.forEach((one, number) => {
    if (!JOINERS.includes(one) || isJoining(kept.at(-1), one, characters[number + 1])) kept.push(one);
  });
  const cut = [...kept.join("").normalize("NFC")].slice(0, limit);
  // The character that it joined was cut.
  while (cut.length && JOINERS.includes(cut.at(-1)) && !isJoining(cut.at(-2), cut.at(-1))) cut.pop();
  return cut.join("");
}

// Returns whether a joiner or a variation selector changes how its neighbours look, so that it hides nothing.
function isJoining(before, one, after) {
  if (before === undefined) return false;
  const isAfterVirama = VIRAMA.test(before) && /^[\u0900-\u0dff]/.test(after ?? "");
  if (one === ZWJ) return isAfterVirama || (EMOJI.test(before) || before === EMOJI_STYLE) && EMOJI.test(after ?? "");
  if (one === ZWNJ) return isAfterVirama || ARABIC.test(before) && ARABIC.test(after ?? "");
  return EMOJI.test(before) || /[0-9#*]/.test(before) && after === KEYCAP;
}

/** Returns the form of a name in which it is compared. */
export function key(name) {
  const shown = [...clean(name.trim())].filter(one => !JOINERS.includes(one));
  // By way of upper case, so that the two forms of some letters become one, such as both kinds of sigma.
  const folded = [...shown.map(one => one.toUpperCase()).join("")].map(one => one.toLowerCase()).join("");
  return folded.normalize("NFC").split(/\s+/).filter(Boolean).join(" ");
}

const slug = name => name.split(/[^\p{Alphabetic}\p{N}\p{M}]+/u).filter(Boolean).join("-");

/** Returns whether two application ids are the same. */
export const isSameApp = (one, other) => key(one) !== "" && key(one) === key(other);

/** Returns whether a text is the id of a server. */
export const isId = (text, id) => /^[\0-\x7f]*$/.test(id + text.trim()) && text.trim().toLowerCase() === id.toLowerCase();

// Returns how well a text matches a server: 0 if it does not, and more if it matches better.
function match(text, { id, name }) {
  if (isId(text, id)) return 4;
  const sought = key(text), known = key(name);
  if (!sought) return 0;
  if (sought === known) return 3;
  if (slug(sought) && slug(sought) === slug(known)) return 2;
  const beginning = sought.endsWith("\u2026") ? sought.slice(0, -1) : "";
  return beginning && known.startsWith(beginning) ? 1 : 0;
}

/** Returns the servers that a text matches best. More than one means that it is ambiguous, unless they are one cluster. */
export function bestMatches(text, servers) {
  const matches = servers.map(server => match(text, server)), best = Math.max(0, ...matches);
  return servers.filter((_, number) => best && matches[number] === best);
}

/** Returns the server with the fewest clients if all of them belong to one cluster; nothing if they are different ones. */
export function leastBusy(servers) {
  const [first] = servers, isOne = servers.length === 1 || servers.every(one => one.cluster && one.cluster === first.cluster);
  return isOne ? [...servers].sort((one, other) => (one.clients ?? Infinity) - (other.clients ?? Infinity))[0] : undefined;
}

/** Returns a text from the network for an error or a log. */
export function escape(text, limit = 300) {
  const short = { "\r": "\\r", "\n": "\\n", "\t": "\\t" };
  const shown = [...text.toWellFormed()].map(one =>
    one !== " " && HARMFUL.test(one) ? short[one] ?? `\\u{${one.codePointAt(0).toString(16)}}` : one);
  return shown.length <= limit ? shown.join("") : shown.slice(0, limit).join("") + "\u2026";
}

/** Returns a text without the value of each `token=`. */
export const hideToken = text => text.replace(/(token=)[^&]*/gi, "$1\u2026");
