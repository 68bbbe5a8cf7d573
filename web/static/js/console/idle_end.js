/** The question whether anybody is still here, in all tabs of this browser at once. What is asked when is decided in idle.js. */

import { assertive } from "../lib/announce.js";
import { duration } from "../lib/clock.js";
import { find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import * as sounds from "../lib/sounds.js";
import { every } from "../lib/ticker.js";
import * as core from "./idle.js";

const TELL_MS = 5000; // how often other tabs are told that somebody is here
const LOOK_SECONDS = 5;

export class IdleEnd {
  /**
   * @param {{ watched: () => boolean | null, end: () => void }} given
   *   watched: whether this work session may end by itself, null: unknown for the moment; end: say "off" to the server
   */
  constructor(given) {
    this.given = given;
    this.state = core.begin(performance.now());
    this.dialog = find("#still-here", HTMLDialogElement);
    this.left = find("#still-here-left", HTMLElement);
    this.tabs = new BroadcastChannel("crisisbridge-here");
    this.told = -TELL_MS;
    this.tabs.addEventListener("message", () => this.#stirred());
    for (const press of ["pointerdown", "keydown", "pointermove", "wheel"]) {
      document.addEventListener(press, () => { if (!this.dialog.open) this.here(); }, { passive: true });
    }
    this.dialog.addEventListener("cancel", () => this.here()); // Escape is somebody, too
    every(LOOK_SECONDS, () => this.look());
  }

  /** Somebody is at this computer. */
  here() {
    this.#stirred();
    const now = performance.now();
    if (now - this.told < TELL_MS) return;
    this.told = now;
    this.tabs.postMessage("here");
  }

  look() {
    const now = performance.now();
    const before = this.state.asked;
    const { idle, ends } = core.look(this.state, now, this.given.watched());
    this.state = idle;
    if (ends) this.given.end();
    if (before === null && idle.asked !== null) this.#ask();
    this.#draw(now);
  }

  #ask() {
    if (!this.dialog.open) this.dialog.showModal();
    find("#still-here-yes", HTMLButtonElement).focus();
    sounds.note();
    assertive(t("console.still_here.words"));
  }

  #stirred() {
    const now = performance.now();
    this.state = core.stirred(this.state, now);
    this.#draw(now);
  }

  /** @param {number} now */
  #draw(now) {
    const seconds = core.secondsLeft(this.state, now);
    if (seconds === null) {
      if (this.dialog.open) this.dialog.close();
      return;
    }
    setText(this.left, t("console.still_here.left", { time: duration(seconds) }));
  }
}
