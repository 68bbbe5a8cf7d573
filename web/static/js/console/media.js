/**
 * The clinician's camera, microphone and leg, kept in step with the session that they lead: up from the accept until the end.
 * Of several open windows of one clinician only one has the call; another can take it over by a press. Within a browser a lock says
 * which one, between browsers and devices the server does.
 */

import { CallMedia } from "../lib/call_media.js";
import { randomKey } from "../lib/socket.js";
import { nameIn, takeName } from "./window.js";

const CLAIM_MS = 30_000; // so long after a press a session may come of it
const ALONE_MS = 5000; // nobody has the call by then: no other window of ours answered it

export class ConsoleMedia extends CallMedia {
  /** @param {import("../lib/call_media.js").MediaOptions} options */
  constructor(options) {
    super(options);
    this.elsewhere = false; // another window of ours has this call
    /** @type {(() => void) | null} */
    this.letGo = null;
    this.queued = false; // waits until the window of this browser that has it lets go
    this.met = false; // a snapshot has come: a session that comes later is one that some window of ours has answered
    this.claimedAt = -CLAIM_MS;
    /** @type {string | null} which window had it when this one came for it, until this one has it */
    this.before = null;
    this.known = false; // the server has said which one it is
    /** @type {string | null} what this window, and others of this browser, are called in this call */
    this.name = null;
    this.takes = false;
  }

  /** What was just pressed here may lead into a call: it is this window's. */
  claim() {
    this.claimedAt = performance.now();
  }

  /** @protected @override @param {import("../lib/call_media.js").CallSession} session */
  join(session) {
    const ours = !this.met || performance.now() - this.claimedAt < CLAIM_MS || this.session()?.role === "receiver";
    this.claimedAt = -CLAIM_MS;
    if (ours) {
      void this.#hold(session.id, { ifAvailable: true }, true);
      return;
    }
    this.elsewhere = true; // answered in another window, which is about to take it
    setTimeout(() => {
      if (this.sessionId !== session.id || !this.elsewhere || this.queued || this.letGo) return;
      if (this.session()?.page === null) void this.#hold(session.id, { ifAvailable: true }, false);
    }, ALONE_MS);
  }

  /** Take the call over from our other window. */
  takeHere() {
    if (this.sessionId === null || !this.elsewhere) return;
    if (this.letGo) void this.#enter(this.sessionId, true); // no other window of this browser has it
    else void this.#hold(this.sessionId, { steal: true }, true);
  }

  /**
   * One window a call: two would replace each other's leg for ever.
   * @param {string} id @param {LockOptions} how @param {boolean} takes  from any other window, too
   */
  async #hold(id, how, takes) {
    if (!navigator.locks) return this.#enter(id, takes); // an insecure page: no camera either
    const waits = !how.steal && !how.ifAvailable;
    const held = (/** @type {Lock | null} */ lock) => {
      if (waits) this.queued = false;
      if (this.sessionId !== id) return undefined;
      const there = this.session()?.page ?? null;
      const stays = lock !== null && !takes && there !== null && there !== nameIn(id); // with another browser's window
      this.elsewhere = lock === null || stays;
      this.options.changed();
      if (lock === null) return undefined;
      if (!stays) void this.#enter(id, takes);
      return /** @type {Promise<void>} */ (new Promise((resolve) => { this.letGo = resolve; }));
    };
    try {
      await navigator.locks.request(`crisisbridge-call-${id}`, how, held);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
      if (this.sessionId !== id) return; // taken over by another window of this browser
      this.letGo = null;
      this.#goesOn();
    }
    if (this.elsewhere) this.#queue(id);
  }

  /** When the window of this browser that has the call closes, it goes on here. @param {string} id */
  #queue(id) {
    if (this.sessionId !== id || this.queued || this.letGo) return;
    this.queued = true;
    void this.#hold(id, {}, false);
  }

  /** The call goes on in another window: nothing is open here any more, and nothing is tried. */
  #goesOn() {
    this.leave();
    this.elsewhere = true;
    this.options.changed();
  }

  /**
   * The lock may come long after the snapshot: ask anew whether the session is by voice.
   * @param {string} id @param {boolean} takes
   */
  async #enter(id, takes) {
    this.elsewhere = false;
    this.takes = takes;
    this.name = navigator.locks ? takeName(id) : randomKey();
    this.options.changed();
    const session = this.session();
    this.before = session?.page ?? null;
    if (session?.role === "supervisor") { // hears and sees, with nothing of its own open but to speak
      if (session.company.some(({ party, mode }) => party === session.party && mode === "whisper")) this.speak();
      return this.connect(id);
    }
    await this.begin(id, { camera: session?.voice_only !== true });
  }

  /** Another window took the call while the devices were being opened. @protected @override @param {string} id */
  async connect(id) {
    if (!this.elsewhere) await super.connect(id);
  }

  /** The window that had the call has lost it, and this one waits for a press. */
  get adrift() {
    return this.elsewhere && this.known && this.session()?.page === null;
  }

  /** @protected @override */
  get window() {
    return { page: this.name, take: this.takes, onElsewhere: () => this.#goesOn() };
  }

  /** The server says which window has the call. @param {import("../lib/wire.js").ConsoleSession} session */
  #compare({ id, page }) {
    if (page === null) return;
    this.known = true;
    if (this.elsewhere) this.#queue(id);
    else if (page === this.name) this.before = page;
    else if (this.peer && page !== this.before) this.#goesOn();
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
    this.met = true;
    if (session) this.#compare(/** @type {import("../lib/wire.js").ConsoleSession} */ (session));
    // whoever only listened leads now: devices open, and the leg that is up gets their tracks
    const now = this.session();
    if (session && now?.role === "lead" && this.peer && !this.capturing) {
      this.capture({ camera: now.voice_only !== true });
      this.peer.cameraOn = this.cameraOn;
    }
  }

  /** Nothing is opened for a call that another window has. @override @param {boolean} on */
  async setCamera(on) {
    if (!this.elsewhere) await super.setCamera(on);
  }

  /** @override */
  async again() {
    if (!this.elsewhere) await super.again();
  }

  /** A supervisor speaks to the lead alone. @override */
  speak() {
    if (!this.elsewhere) super.speak();
  }

  /** @override */
  async hush() {
    if (this.session()?.role === "supervisor") await super.hush();
  }

  /** @override */
  stop() {
    this.elsewhere = this.queued = this.known = false;
    this.letGo?.();
    this.letGo = null;
    super.stop();
  }

  /** The accept was refused: what was opened for it goes out again. */
  release() {
    this.claimedAt = -CLAIM_MS;
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
