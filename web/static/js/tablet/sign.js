/** A consent that the person signs with their typed name, while they hold the tablet: words and form in their language. */

import { find, findAll, setText } from "../lib/dom.js";

/** @typedef {import("../lib/wire.js").ConsentAsk} ConsentAsk */

export class SignSheet {
  /** @param {(answer: { ask: string, wording: string, agreed: boolean, name: string, substances: boolean }) => Promise<string | null>} send  a sentence when it was refused */
  constructor(send) {
    this.send = send;
    this.box = find("#sign", HTMLElement);
    this.forms = findAll("[data-sign]", HTMLFormElement, this.box);
    this.also = findAll("#talk-officer [data-also]", HTMLElement); // the way back, to who reads another language
    /** @type {ConsentAsk | null} */
    this.ask = null;
    this.sending = false;
    for (const form of this.forms) {
      form.addEventListener("submit", (event) => { event.preventDefault(); void this.#answer(form, true); });
      find("[data-refuse]", HTMLButtonElement, form).addEventListener("click", () => { void this.#answer(form, false); });
    }
  }

  /** @param {ConsentAsk | null} ask */
  draw(ask) {
    this.box.hidden = ask === null;
    if (ask?.id === this.ask?.id) return;
    this.ask = ask;
    for (const words of this.also) words.hidden = words.dataset["also"] !== ask?.language;
    for (const form of this.forms) this.#clear(form, ask);
    const form = this.forms.find((one) => !one.hidden);
    if (form) find("h2", HTMLElement, form).focus();
  }

  /** Nothing that somebody typed stays on the page. @param {HTMLFormElement} form @param {ConsentAsk | null} ask */
  #clear(form, ask) {
    form.reset();
    this.#say(form, "");
    form.hidden = form.dataset["sign"] !== ask?.language;
    find("[data-guardian]", HTMLElement, form).hidden = ask?.participant !== "guardian";
    for (const part of findAll("[data-purpose]", HTMLElement, form)) part.hidden = part.dataset["purpose"] !== ask?.purpose;
  }

  /** @param {HTMLFormElement} form @param {boolean} agreed */
  async #answer(form, agreed) {
    const { ask } = this;
    if (!ask || this.sending) return;
    const name = find(".input", HTMLInputElement, form);
    if (agreed && !name.value.trim()) {
      this.#say(form, find("[data-error]", HTMLElement, form).dataset["missing"] ?? "");
      name.focus();
      return;
    }
    const ticked = form.querySelector(`[data-purpose="${CSS.escape(ask.purpose)}"] [data-substances]:checked`) !== null;
    this.sending = true;
    const problem = await this.send({ ask: ask.id, wording: this.box.dataset["wording"] ?? "", agreed, name: agreed ? name.value.trim() : "", substances: agreed && ticked });
    this.sending = false;
    if (problem !== null) this.#say(form, problem);
  }

  /** @param {HTMLFormElement} form @param {string} words */
  #say(form, words) {
    const error = find("[data-error]", HTMLElement, form);
    setText(error, words);
    error.hidden = words === "";
  }
}
