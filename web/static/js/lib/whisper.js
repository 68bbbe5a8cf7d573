/**
 * Whoever listens to a call and may speak to its lead alone. A press counts at once: what the server says of it comes later, and a
 * second press in between means the opposite of the first. The microphone is open only while somebody is spoken to.
 */

/** @typedef {"listen" | "whisper"} Mode */
/**
 * @typedef {object} Microphone
 * @property {boolean} speaks  whether it is open, or being opened
 * @property {() => void} speak
 * @property {() => Promise<void>} hush
 */

export class Whisper {
  /** @param {{ microphone: Microphone, tell: (mode: Mode) => Promise<boolean> }} options  tell: to the server; gives whether it was done */
  constructor(options) {
    this.options = options;
    /** @type {Mode} */
    this.said = "listen";
    /** @type {Mode | null} */
    this.wished = null; // pressed, and not yet in a snapshot
  }

  /** Whether we speak, as far as whoever pressed is concerned. */
  get on() {
    return (this.wished ?? this.said) === "whisper";
  }

  /** The snapshot says how we take part. @param {Mode} mode */
  follow(mode) {
    this.said = mode;
    if (this.wished === mode) this.wished = null;
    if (!this.on && this.options.microphone.speaks) void this.options.microphone.hush();
  }

  /** We listen to nobody any more. */
  forget() {
    this.said = "listen";
    this.wished = null;
  }

  /** To speak, or only to listen again. Call it within the press. */
  async press() {
    const { microphone, tell } = this.options;
    const mode = this.on ? "listen" : "whisper";
    this.wished = mode;
    if (mode === "whisper") microphone.speak();
    else void microphone.hush();
    if ((await tell(mode)) || this.wished !== "whisper") return; // who was not allowed to fall silent is silent all the same
    this.wished = null;
    this.follow(this.said);
  }
}
