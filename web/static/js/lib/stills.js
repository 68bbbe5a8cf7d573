/**
 * Still pictures, when the line carries no moving ones: ours go out over the conversation, one every three seconds and the next one
 * only when the last has arrived; theirs are painted over the place of the video. Nothing of them is kept. They are as small as the
 * line wants them: what it needs for one it takes from the voices.
 */

export const EVERY_MS = 3000;
const STALE_MS = 10_000; // older than that, it is no picture of now
export const MOST_BYTES = 14_000; // with base64 about 50 kbit/s
export const THIN_BYTES = 6_000; // on a line of which no more is known than that it carries no moving picture
export const LEAST_BYTES = 3_500;
const SLOW_MS = 1000; // that one takes until it is answered
const QUICK_MS = 400;
/** Longer side and quality, the best first. @type {readonly (readonly [number, number])[]} */
const SIZES = [[320, 0.6], [320, 0.45], [320, 0.3], [240, 0.35], [240, 0.2], [192, 0.2], [160, 0.15]];

/** Bytes of the next one at most, when one of at most `most` took so long. @param {number} most @param {number} took  ms @returns {number} */
export function budget(most, took) {
  if (took > SLOW_MS) return Math.max(LEAST_BYTES, Math.round(0.6 * most));
  return took < QUICK_MS ? Math.min(MOST_BYTES, Math.round(1.3 * most)) : most;
}

/** Takes stills of our camera and sends them, for as long as they are wanted. */
export class StillSender {
  /** @param {{ source: HTMLVideoElement, send: (picture: string) => Promise<unknown> }} given  source: plays our camera */
  constructor(given) {
    this.given = given;
    this.canvas = document.createElement("canvas");
    this.sending = false;
    this.sentAt = -STALE_MS;
    this.most = THIN_BYTES;
    this.theirs = MOST_BYTES;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.timer = undefined;
  }

  /** Whether what we send arrives. */
  get through() {
    return this.timer !== undefined && performance.now() - this.sentAt < STALE_MS;
  }

  /** @param {boolean} wanted @param {boolean} thin  the other side's line is as thin as that too */
  want(wanted, thin = false) {
    this.theirs = thin ? THIN_BYTES : MOST_BYTES;
    if (wanted === (this.timer !== undefined)) return;
    clearInterval(this.timer);
    this.timer = undefined;
    if (!wanted) return;
    this.most = THIN_BYTES;
    this.timer = setInterval(() => { void this.#take(); }, EVERY_MS);
    void this.#take();
  }

  async #take() {
    const { source, send } = this.given;
    if (this.sending || source.videoWidth === 0 || document.visibilityState !== "visible") return;
    this.sending = true;
    try {
      const picture = await this.#picture(source);
      if (picture === null || this.timer === undefined) return;
      const begun = performance.now();
      await send(picture);
      this.sentAt = performance.now();
      this.most = budget(this.most, this.sentAt - begun);
    } catch {
      // refused or not connected: the next one is as good
    } finally {
      this.sending = false;
    }
  }

  /** Small enough for a thin line, or null. @param {HTMLVideoElement} source @returns {Promise<string | null>} base64 */
  async #picture(source) {
    const longer = Math.max(source.videoWidth, source.videoHeight);
    const most = Math.min(this.most, this.theirs);
    for (const [side, quality] of SIZES) {
      const scale = Math.min(1, side / longer);
      this.canvas.width = Math.round(source.videoWidth * scale);
      this.canvas.height = Math.round(source.videoHeight * scale);
      this.canvas.getContext("2d")?.drawImage(source, 0, 0, this.canvas.width, this.canvas.height);
      /** @type {Blob | null} */
      const blob = await new Promise((resolve) => { this.canvas.toBlob(resolve, "image/jpeg", quality); });
      if (blob && blob.size <= most) return base64(new Uint8Array(await blob.arrayBuffer()));
    }
    return null;
  }
}

/** Where the other side's stills are painted: a canvas in the place of their video. */
export class StillView {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.count = 0; // since this call began
    this.at = -STALE_MS;
  }

  /** Whether what is shown is as good as now. */
  get fresh() {
    return performance.now() - this.at < STALE_MS;
  }

  /** @param {string} picture  a JPEG in base64 */
  async show(picture) {
    const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    this.canvas.width = image.width;
    this.canvas.height = image.height;
    this.canvas.getContext("2d")?.drawImage(image, 0, 0);
    image.close();
    this.count += 1;
    this.at = performance.now();
    this.canvas.dataset["stills"] = String(this.count);
  }

  clear() {
    this.count = 0;
    this.at = -STALE_MS;
    this.canvas.width = 0; // a face of the last call must not be seen in the next
    delete this.canvas.dataset["stills"];
  }
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
