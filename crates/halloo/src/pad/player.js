
const COLORS = { Red: "#e5484d", Orange: "#f08c1a", Yellow: "#e6c229", Green: "#46a758", Teal: "#12a5a5", Blue: "#3b82f6", Violet: "#8e4ec6", Pink: "#e54fa0" };

// Who plays: kept by the browser, so that a phone that reloads the page is the same player. `?player=2` is another one,
// for several players in one browser.
class Player {
  #key = "halloo pad " + (new URLSearchParams(location.search).get("player") ?? "");

  constructor() {
    let kept;
    for (const read of [handedOver, () => localStorage.getItem(this.#key)]) {
      try {
        kept ??= JSON.parse(read());
      } catch {
        // Storage may be switched off, or contain something else.
      }
    }
    kept ??= {};
    const random = crypto.getRandomValues(new Uint8Array(16)), colors = Object.values(COLORS);
    this.seat = /^[0-9a-f]{32}$/.test(kept.seat) ? kept.seat : [...random].map(byte => byte.toString(16).padStart(2, "0")).join("");
    this.name = isText(kept.name, 24) ? kept.name : "Player " + (10 + random[0] % 90);
    this.color = COLOR.test(kept.color) ? kept.color : colors[random[1] % colors.length];
    this.leftHanded = kept.leftHanded === true;
    this.save();
  }

  save() {
    try {
      localStorage.setItem(this.#key, JSON.stringify(this));
    } catch {
      // Then the player lasts as long as the page.
    }
  }
}

// The page without TLS hands the player over to the one with TLS, which has a storage of its own.
function handedOver() {
  const parts = new URLSearchParams(location.hash.slice(1)), player = parts.get("halloo-player");
  parts.delete("halloo-player");
  if (player) history.replaceState(history.state, "", location.pathname + location.search + (String(parts) && "#" + parts));
  return player;
}
