/**
 * Ringing, for eyes and ears away from the page: sound, the title, the badge on the icon, a notification. Never
 * with anything about a person or a place in it.
 */

import { t } from "../lib/i18n.js";
import * as sounds from "../lib/sounds.js";

/** The badge's part of Navigator; not every browser has it. */
/** @typedef {{ setAppBadge?: (count?: number) => Promise<void>, clearAppBadge?: () => Promise<void> }} Badges */

export class Ringing {
  constructor() {
    this.title = document.title;
    /** @type {(() => void) | null} */
    this.stopSound = null;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.flashing = undefined;
    /** @type {Notification | null} */
    this.notification = null;
    /** @type {string | null} the offer that rings */
    this.offer = null;
  }

  /** @param {string | null} offer  what rings now; null: silence */
  follow(offer) {
    if (offer === this.offer) return this.#sound();
    this.#silence();
    this.offer = offer;
    if (offer !== null) this.#start(offer);
  }

  /** @param {string} offer */
  #start(offer) {
    this.#sound();
    let bright = true;
    const flash = () => {
      document.title = bright ? t("console.ring.title") : this.title;
      bright = !bright;
    };
    flash();
    this.flashing = setInterval(flash, 1000);
    badge(1);
    if ("Notification" in window && Notification.permission === "granted" && document.visibilityState === "hidden") {
      try {
        this.notification = new Notification(t("console.ring.notification"), { tag: offer, requireInteraction: true });
        this.notification.addEventListener("click", () => window.focus());
      } catch { /* some browsers only notify from a worker: sound, title and badge remain */ }
    }
  }

  /** The sound may become possible while it rings. */
  #sound() {
    if (this.offer !== null && this.stopSound === null && sounds.ready()) this.stopSound = sounds.ring();
  }

  #silence() {
    this.stopSound?.();
    this.stopSound = null;
    clearInterval(this.flashing);
    document.title = this.title;
    badge(0);
    this.notification?.close();
    this.notification = null;
  }
}

/** @param {number} count */
function badge(count) {
  const has = /** @type {Badges} */ (navigator);
  const done = count > 0 ? has.setAppBadge?.(count) : has.clearAppBadge?.();
  done?.catch(() => { /* only installed pages have a badge */ });
}
