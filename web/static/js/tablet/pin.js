/** The PIN pad: one dialog for the check-out of a shift and for taking the tablet back. */

import { find, findAll, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

const SHORTEST = 4;
const LONGEST = 12;
const FORGET_MS = 30_000; // an abandoned pad must not stay over the clinician's face

export class PinPad {
  constructor() {
    this.dialog = find("#pin", HTMLDialogElement);
    this.title = find("#pin-title", HTMLElement);
    this.hint = find("#pin-hint", HTMLElement);
    this.dots = find("#pin-dots", HTMLElement);
    this.error = find("#pin-error", HTMLElement);
    this.ok = find("#pin-ok", HTMLButtonElement);
    this.typed = "";
    this.busy = false;
    /** @type {((pin: string) => Promise<string | null>) | null} */
    this.check = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    for (const key of findAll("[data-digit]", HTMLButtonElement, this.dialog)) {
      key.addEventListener("click", () => this.#type(key.dataset["digit"] ?? ""));
    }
    find("#pin-clear", HTMLButtonElement).addEventListener("click", () => this.#erase());
    find("#pin-cancel", HTMLButtonElement).addEventListener("click", () => this.close());
    this.ok.addEventListener("click", () => { void this.#submit(); });
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
    this.dialog.addEventListener("close", () => this.#forget());
  }

  /**
   * Ask for a PIN. `check` gives null when it was right, or the sentence to show.
   * @param {{ title: string, hint: string, check: (pin: string) => Promise<string | null> }} question
   */
  ask({ title, hint, check }) {
    if (this.dialog.open) return;
    this.#forget();
    setText(this.title, title);
    setText(this.hint, hint);
    this.check = check;
    this.#draw();
    this.dialog.showModal();
    this.dialog.focus(); // not on a digit: Enter must send, not type
    this.#stir();
  }

  close() {
    if (this.dialog.open) this.dialog.close();
  }

  #forget() {
    clearTimeout(this.timer);
    this.typed = "";
    this.busy = false;
    this.check = null;
    this.error.hidden = true;
  }

  #stir() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.close(), FORGET_MS);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (/^[0-9]$/.test(event.key)) this.#type(event.key);
    else if (event.key === "Backspace") this.#erase();
    else if (event.key === "Enter" && !(event.target instanceof HTMLButtonElement && event.target !== this.ok)) {
      event.preventDefault();
      void this.#submit();
    }
  }

  /** @param {string} digit */
  #type(digit) {
    this.#stir();
    if (this.busy || this.typed.length >= LONGEST) return;
    this.typed += digit;
    this.error.hidden = true;
    this.#draw();
  }

  #erase() {
    this.#stir();
    if (this.busy) return;
    this.typed = this.typed.slice(0, -1);
    this.#draw();
  }

  async #submit() {
    const check = this.check;
    if (!check || this.busy || this.typed.length < SHORTEST) return;
    this.busy = true;
    this.#draw();
    const problem = await check(this.typed);
    if (this.check !== check) return; // closed meanwhile
    if (problem === null) return this.close();
    this.busy = false;
    this.typed = "";
    setText(this.error, problem);
    this.error.hidden = false;
    this.#draw();
    this.#stir();
  }

  #draw() {
    setText(this.dots, "●".repeat(this.typed.length) + "○".repeat(Math.max(0, SHORTEST - this.typed.length)));
    this.dots.setAttribute("aria-label", t("tablet.pin.typed", { count: this.typed.length }));
    // Not `disabled`: a disabled button in focus swallows the keyboard.
    this.ok.setAttribute("aria-disabled", String(this.busy || this.typed.length < SHORTEST));
  }
}
