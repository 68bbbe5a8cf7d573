/**
 * The clinician's camera, microphone and leg, kept in step with the session that they lead: up from the accept until the end.
 * Of several open pages of one clinician in a browser only one holds the call; another can take it over by a press.
 */

import { CallMedia } from "../lib/call_media.js";

export class ConsoleMedia extends CallMedia {
  /** @param {import("../lib/call_media.js").MediaOptions} options */
  constructor(options) {
    super(options);
    this.elsewhere = false; // another page of ours holds this call
    /** @type {(() => void) | null} */
    this.letGo = null;
    this.queued = false; // waits until the page that holds it lets go
  }

  /** @protected @override @param {import("../lib/call_media.js").CallSession} session */
  join(session) {
    void this.#hold(session.id, { ifAvailable: true });
  }

  /** Take the call over from our other page. */
  takeHere() {
    if (this.sessionId !== null && this.elsewhere) void this.#hold(this.sessionId, { steal: true });
  }

  /**
   * One page a call: two would replace each other's leg for ever.
   * @param {string} id @param {LockOptions} how
   */
  async #hold(id, how) {
    if (!navigator.locks) return this.#enter(id); // an insecure page: no camera either
    const waits = !how.steal && !how.ifAvailable;
    const held = (/** @type {Lock | null} */ lock) => {
      if (waits) this.queued = false;
      if (this.sessionId !== id) return undefined;
      this.elsewhere = lock === null;
      this.options.changed();
      if (lock === null) return undefined;
      void this.#enter(id);
      return /** @type {Promise<void>} */ (new Promise((resolve) => { this.letGo = resolve; }));
    };
    try {
      await navigator.locks.request(`crisisbridge-call-${id}`, how, held);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
      if (this.sessionId !== id) return; // taken over by another page of ours
      this.leave();
      this.elsewhere = true;
      this.options.changed();
    }
    if (!this.elsewhere || this.sessionId !== id || this.queued) return;
    this.queued = true;
    void this.#hold(id, {}); // when that page closes, the call goes on here
  }

  /**
   * The lock may come long after the snapshot: ask anew whether the session is by voice.
   * @param {string} id
   */
  async #enter(id) {
    const session = this.session();
    if (session?.role === "supervisor") return this.connect(id); // hears and sees, with nothing of its own open
    await this.begin(id, { camera: session?.voice_only !== true });
  }

  /** @returns {import("../lib/wire.js").ConsoleSession | null} */
  session() {
    return /** @type {import("../lib/wire.js").ConsoleSession | null} */ (this.options.session());
  }

  /** @protected @override */
  get sendsStills() {
    return this.session()?.role === "lead";
  }

  /** @override @param {import("../lib/call_media.js").CallSession | null} session */
  follow(session) {
    super.follow(session);
    // whoever only listened leads now: devices open, and the leg that is up gets their tracks
    const now = this.session();
    if (session && now?.role === "lead" && this.peer && !this.capturing) {
      this.capture({ camera: now.voice_only !== true });
      this.peer.cameraOn = this.cameraOn;
    }
  }

  /** A supervisor speaks to the lead alone: the microphone opens, the camera does not. */
  speak() {
    this.setMuted(false);
    this.capture({ camera: false });
  }

  /** A supervisor only listens again: nothing of theirs is sent. */
  hush() {
    if (this.session()?.role === "supervisor") this.setMuted(true);
  }

  /** @override */
  stop() {
    this.elsewhere = this.queued = false;
    this.letGo?.();
    this.letGo = null;
    super.stop();
  }

  /** The accept was refused: what was opened for it goes out again. */
  release() {
    if (this.sessionId === null) this.stop();
  }

  /** @override */
  tell() {
    if (this.peer !== null) super.tell(); // the page that holds the call speaks for us
  }

  /** Called at every press, also when there is nothing to hear. @override */
  async playSound() {
    if (this.audio.srcObject) await super.playSound();
  }
}
