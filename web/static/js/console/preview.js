/** "Check my camera and sound": a look at oneself before the first call. Nothing leaves this machine. */

import * as devices from "../lib/devices.js";
import { el, find, icon, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import * as sounds from "../lib/sounds.js";

export class Preview {
  constructor() {
    this.button = find("#preview-start", HTMLButtonElement);
    this.box = find("#preview", HTMLElement);
    this.video = find("#preview-video", HTMLVideoElement);
    this.level = find("#preview-level", HTMLMeterElement);
    this.sound = find("#preview-sound", HTMLElement);
    this.checks = find("#preview-checks", HTMLElement);
    this.open = false;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.timer = undefined;
    this.button.addEventListener("click", () => { if (this.open) this.close(); else void this.start(); });
    find("#preview-ring", HTMLButtonElement).addEventListener("click", () => { void this.#ring(); });
  }

  async start() {
    this.open = true;
    this.#draw();
    const opened = await devices.open({ camera: true });
    if (!this.open) return devices.release(opened.stream);
    this.stream = opened.stream;
    this.video.srcObject = opened.stream;
    this.box.hidden = opened.camera !== null;
    this.sound.hidden = opened.microphone !== null;
    if (opened.camera === null) void this.video.play().catch(() => { /* muted: starts when shown */ });
    if (opened.stream && opened.microphone === null) this.#listen(opened.stream);
    this.checks.replaceChildren(...["camera", "microphone"].map((kind) => {
      const why = kind === "camera" ? opened.camera : opened.microphone;
      return el("li", { class: "status", dataset: { state: why ? "alert" : "ok" } }, icon(why ? "alert" : "check"),
        el("span", { text: t(why ? `console.device.${kind}.${why}` : `console.preview.${kind}.ok`) }));
    }));
  }

  close() {
    if (!this.open) return;
    this.open = false;
    clearInterval(this.timer);
    void this.context?.close();
    this.context = null;
    devices.release(this.stream);
    this.stream = null;
    this.video.srcObject = null;
    this.box.hidden = true;
    this.sound.hidden = true;
    this.checks.replaceChildren();
    this.#draw();
  }

  #draw() {
    this.button.setAttribute("aria-expanded", String(this.open));
    setText(this.button, t(this.open ? "console.preview.stop" : "console.preview.start"));
  }

  /** @param {MediaStream} stream */
  #listen(stream) {
    const context = new AudioContext();
    this.context = context;
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      this.level.value = Math.min(1, 3 * Math.max(...samples.map(Math.abs)));
    }, 100);
  }

  async #ring() {
    await sounds.unlock();
    const stop = sounds.ring();
    setTimeout(stop, 2400);
  }
}
