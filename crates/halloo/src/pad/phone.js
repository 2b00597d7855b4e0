
// Keeps the screen on while the page is visible, from the first touch on.
class ScreenLock {
  #lock; #video; #clock;

  async request() {
    if (document.hidden) return;
    if (navigator.wakeLock) this.#lock = this.#lock && !this.#lock.released ? this.#lock : await navigator.wakeLock.request("screen").catch(() => null);
    // Plain http has no wake lock, but a phone does not dim while a video plays.
    else await (this.#video ??= this.#film())?.play().catch(() => {});
  }

  release() {
    this.#lock?.release();
    this.#video?.remove();
    clearInterval(this.#clock);
  }

  #film() {
    const canvas = element("canvas", { width: 16, height: 16 });
    if (!canvas.captureStream) return null;
    const draw = () => canvas.getContext("2d").fillRect(0, 0, 16, 16);
    draw();
    this.#clock = setInterval(draw, 1000);
    const video = element("video", { muted: true, playsinline: true, tabindex: -1, "aria-hidden": "true" });
    video.muted = true;
    video.srcObject = canvas.captureStream(1);
    document.body.append(video);
    Object.assign(video.style, { position: "fixed", inset: 0, width: "100%", height: "100%", opacity: .01, zIndex: -1, pointerEvents: "none" });
    return video;
  }
}

// Reads the tilt of the phone, in degrees.
class Tilt {
  #read;

  constructor(set) {
    this.#read = ({ alpha, beta, gamma }) => {
      // A computer without sensors sends one event without values.
      if (beta !== null) set([alpha ?? 0, beta, gamma].map(angle => Math.round(angle * 10) / 10));
    };
  }

  /** Resolves to whether it reads. Safari allows that only after a tap. */
  async start() {
    const answer = await globalThis.DeviceOrientationEvent?.requestPermission?.().catch(() => "denied");
    if (answer && answer !== "granted") return false;
    addEventListener("deviceorientation", this.#read);
    return true;
  }

  stop() { removeEventListener("deviceorientation", this.#read); }
}

function vibrate(pattern, flash) {
  const times = (Array.isArray(pattern) ? pattern : [pattern]).slice(0, 16);
  if (!times.length || !times.every(time => Number.isInteger(time) && time >= 0 && time <= 5000)) {
    return console.warn("pad: ignored vibrate; use 1 to 16 times of 0 to 5000 ms");
  }
  // Safari cannot vibrate, and Chrome only after a touch.
  if (!(navigator.userActivation?.hasBeenActive ?? true) || !navigator.vibrate?.(times)) {
    flash.animate?.([{ opacity: .7 }, { opacity: 0 }], Math.max(150, Math.min(1000, times[0])));
  }
}
