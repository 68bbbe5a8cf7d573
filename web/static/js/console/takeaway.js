/** Under a safety plan that is made: a link for the person, sent as a text where the server can. */

import { find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

const FORM = "safety-plan";

export class Takeaway {
  /** @param {{ csrf: string, texts: boolean }} given  texts: whether the server sends text messages */
  constructor({ csrf, texts }) {
    this.csrf = csrf;
    this.box = find("#takeaway", HTMLFormElement);
    this.number = find("#takeaway-number", HTMLInputElement);
    this.said = find("#takeaway-said", HTMLElement);
    this.button = find("#takeaway-make", HTMLButtonElement);
    find("#takeaway-text", HTMLElement).hidden = !texts;
    this.making = false;
    /** @type {string | null} */
    this.session = null;
    this.box.addEventListener("submit", (event) => { event.preventDefault(); void this.#make(); });
  }

  /**
   * @param {import("../lib/wire.js").ConsoleSession} session @param {string} form  that is open
   * @param {Readonly<Record<string, unknown>>} result  of that form
   */
  draw(session, form, result) {
    if (this.session !== session.id) {
      this.session = session.id;
      this.#clear();
    }
    this.box.hidden = form !== FORM || result["level"] !== "made" || session.role !== "lead";
  }

  #clear() {
    this.number.value = "";
    setText(this.said, "");
    find("#takeaway-url", HTMLInputElement).value = "";
    find("#takeaway-made", HTMLElement).hidden = true;
  }

  async #make() {
    const { session } = this;
    if (!session || this.making) return;
    this.making = true;
    this.button.setAttribute("aria-disabled", "true"); // not `disabled`: it would lose the focus
    setText(this.said, t("console.takeaway.making"));
    try {
      const response = await fetch("/api/v1/takeaways", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": this.csrf, Accept: "application/json" },
        body: JSON.stringify({ session, number: this.number.value.trim() }),
      });
      /** @type {{ path?: string, sent?: boolean | null, message?: string }} */
      const answer = await response.json();
      if (session === this.session) this.#show(answer);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
      setText(this.said, t("common.network"));
    } finally {
      this.making = false;
      this.button.setAttribute("aria-disabled", "false");
    }
  }

  /** @param {{ path?: string, sent?: boolean | null, message?: string }} answer */
  #show({ path, sent, message }) {
    if (!path) return setText(this.said, message ?? t("common.network"));
    find("#takeaway-url", HTMLInputElement).value = new URL(path, location.href).href;
    find("#takeaway-made", HTMLElement).hidden = false;
    setText(this.said, t(sent === true ? "console.takeaway.sent" : sent === false ? "console.takeaway.unsent" : "console.takeaway.copy"));
    if (sent === true) this.number.value = "";
  }
}
