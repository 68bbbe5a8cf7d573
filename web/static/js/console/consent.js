/** What the person, or a guardian, said to the spoken wording: one choice a purpose, saved as it is made. */

import { find, findAll, setText } from "../lib/dom.js";
import { plural, t } from "../lib/i18n.js";
import { showClash, showState, stateOf } from "./save_state.js";

/** @typedef {import("./saver.js").Saver} Saver */
/** What a decision is worth now, as the choice that shows it: what was revoked or has run out is to be asked again. @type {Readonly<Record<string, string>>} */
const CHOICE = { given: "verbal", refused: "refused", unable: "unable" };

/** @param {Readonly<Record<string, unknown>>} said @returns {import("./autosave.js").Values} */
export function consentFields(said) {
  /** @type {Record<string, string>} */
  const known = {};
  for (const [field, state] of Object.entries(said)) {
    const choice = CHOICE[String(state)];
    if (choice) known[field] = choice;
  }
  return known;
}

/** @param {import("./autosave.js").Values} changes */
export function saidOf(changes) {
  const said = Object.entries(changes).filter(([, method]) => typeof method === "string").map(([field, method]) => {
    const [participant = "", purpose = ""] = field.split(".");
    return { participant, purpose, method: String(method) };
  });
  return { said, language: find("#consent-language", HTMLSelectElement).value, giver: find("#consent-giver", HTMLInputElement).value.trim() };
}

/** @param {string} field @param {unknown} value */
function described(field, value) {
  return { name: t(`consent.purpose.${field.split(".")[1]}`), words: typeof value === "string" ? t(`consent.said.${value}`) : t("console.clash.nothing") };
}

export class ConsentForm {
  /** @param {() => Saver | null} saver @param {(type: string, fields: Readonly<Record<string, unknown>>) => void} tell  about this session */
  constructor(saver, tell) {
    this.saver = saver;
    this.tell = tell;
    this.waits = find("#consent-waits", HTMLElement);
    this.off = find("#consent-off", HTMLElement);
    this.ask = find("#consent-ask", HTMLButtonElement);
    this.ask.addEventListener("click", () => this.tell("consent.ask", {
      participant: this.who.value, purpose: find("#consent-sign", HTMLSelectElement).value, language: this.language.value,
    }));
    find("#consent-call-off", HTMLButtonElement).addEventListener("click", () => {
      this.ask.focus(); // the button goes when it is done
      this.tell("consent.call_off", {});
    });
    this.box = find("#consent", HTMLDetailsElement);
    this.who = find("#consent-who", HTMLSelectElement);
    this.language = find("#consent-language", HTMLSelectElement);
    this.giver = find("#consent-giver", HTMLInputElement);
    this.radios = findAll("[data-field]", HTMLInputElement, this.box);
    /** @type {string | null} */
    this.session = null;
    this.box.addEventListener("change", ({ target }) => {
      if (target === this.who || target === this.language) this.#arrange();
      if (target instanceof HTMLInputElement && target.dataset["field"]) this.saver()?.edit(target.dataset["field"], target.value, { typing: true });
    });
    this.box.addEventListener("focusout", ({ target, relatedTarget }) => {
      const group = target instanceof HTMLInputElement ? target.name : "";
      if (!(relatedTarget instanceof HTMLInputElement && relatedTarget.name === group)) void this.saver()?.flush();
    });
    this.box.addEventListener("submit", (event) => event.preventDefault());
    this.#arrange();
  }

  /** @param {import("../lib/wire.js").ConsentView} consent @param {string} phase */
  #signing({ asked, signed }, phase) {
    const names = signed.map((field) => t(`consent.purpose.${field.split(".")[1]}`)).join(", ");
    const purpose = asked === null ? "" : t(`consent.purpose.${asked.purpose}`);
    const waits = phase === "handed_over" ? t("consent.sign.waits", { purpose }) : t("consent.sign.waits_for_hand_over", { purpose });
    setText(this.waits, asked !== null ? waits : names ? t("consent.sign.signed", { purposes: names }) : "");
    this.off.hidden = asked === null;
  }

  #arrange() {
    for (const part of findAll("[data-who]", HTMLElement, this.box)) part.hidden = part.dataset["who"] !== this.who.value;
    for (const words of findAll("[data-spoken]", HTMLElement, this.box)) words.hidden = words.dataset["spoken"] !== this.language.value;
    find("#consent-giver-field", HTMLElement).hidden = this.who.value !== "guardian";
  }

  /** @param {import("../lib/wire.js").ConsoleSession} session @param {string} why */
  draw({ id, consent, role, phase }, why) {
    const saver = this.saver();
    if (!saver) return;
    if (this.session !== id) {
      this.session = id;
      this.giver.value = consent.giver;
      this.who.value = "person";
      this.#arrange();
    }
    this.box.hidden = role !== "lead";
    const known = saver.values;
    for (const radio of this.radios) radio.checked = known[radio.dataset["field"] ?? ""] === radio.value;
    const said = Object.keys(known).length;
    setText(find("#consent-count", HTMLElement), said === 0 ? t("consent.nobody_asked") : plural("consent.counted", said));
    const state = stateOf(saver, why);
    const line = find("#consent-state", HTMLElement);
    line.hidden = state.state === "empty"; // the badge says already that nobody was asked
    showState(line, state);
    this.#signing(consent, phase);
    showClash(find("#consent-clash", HTMLElement), saver.form.clash, described, (which) => saver.choose(which));
  }
}

