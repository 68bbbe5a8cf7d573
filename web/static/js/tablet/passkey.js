/**
 * The officer's passkey at the tablet: the check-out with it, and the offer to keep a first one after a check-out by PIN.
 * Whatever it waits for is taken back at once when the officer goes on without, or calls for help.
 */

import { find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { obstacle } from "../lib/passkey.js";
import { keepPasskey, startByPasskey } from "./shift.js";

const OFFER_MS = 270_000; // a little less than the server takes the answer

export class OfficerPasskey {
  /** @param {import("./tablet.js").Tablet} tablet @param {string} csrf */
  constructor(tablet, csrf) {
    this.tablet = tablet;
    this.csrf = csrf;
    this.button = find("#passkey-checkout", HTMLButtonElement);
    this.banner = find("#passkey-offer", HTMLElement);
    this.words = find("#passkey-offer-text", HTMLElement);
    this.keep = find("#passkey-keep", HTMLButtonElement);
    this.later = find("#passkey-later", HTMLButtonElement);
    this.asking = new AbortController();
    /** @type {object | null} */
    this.options = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.possible = obstacle() === null;
    this.button.hidden = !this.possible;
    this.button.addEventListener("click", () => { void this.#use(); });
    this.keep.addEventListener("click", () => { void this.#keep(); });
    this.later.addEventListener("click", () => this.forget());
  }

  /** The PIN was right. @param {object | null} options  for a first passkey of this officer; null: there can be none */
  offer(options) {
    this.forget();
    if (!this.possible || options === null) return;
    this.options = options;
    this.#say("tablet.passkey.offer", true);
    this.timer = setTimeout(() => this.forget(), OFFER_MS);
  }

  /** Something else comes first: nothing is asked or offered any more. */
  forget() {
    this.asking.abort();
    clearTimeout(this.timer);
    this.options = null;
    this.banner.hidden = true;
    this.button.disabled = this.keep.disabled = false;
  }

  async #use() {
    const { signal } = this.#begin(this.button);
    const { tablet } = this;
    const problem = await startByPasskey(this.csrf, tablet.key, () => tablet.model.view?.officer !== null, signal);
    if (!signal.aborted) this.button.disabled = false;
    if (problem !== null) tablet.set({ problem });
  }

  async #keep() {
    if (this.options === null) return;
    const { signal } = this.#begin(this.keep);
    const problem = await keepPasskey(this.csrf, this.tablet.key, this.options, signal);
    if (signal.aborted) return;
    this.keep.disabled = false;
    if (problem !== null) this.tablet.set({ problem });
    else {
      this.options = null;
      this.#say("tablet.passkey.kept", false);
      this.later.focus();
    }
  }

  /** @param {HTMLButtonElement} button */
  #begin(button) {
    this.asking.abort();
    this.asking = new AbortController();
    button.disabled = true;
    this.tablet.set({ problem: null });
    return this.asking;
  }

  /** @param {string} key @param {boolean} open  whether there is something to set up */
  #say(key, open) {
    this.banner.hidden = false;
    setText(this.words, t(key));
    setText(this.later, t(open ? "tablet.passkey.later" : "tablet.passkey.close"));
    this.keep.hidden = !open;
  }
}
