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

/** What for, and who says so where it is not the person. @param {string} field */
function named(field) {
  const [participant, purpose] = field.split(".");
  const what = t(`consent.purpose.${purpose}`);
  return participant === "guardian" ? `${what} (${t("consent.participant.guardian")})` : what;
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
    this.marks = findAll("[data-signed]", HTMLElement, this.box);
    /** @type {string | null} what waited on the tablet when this was drawn last */
    this.waited = null;
    this.refused = "";
    this.rev = 0;
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
  #signing({ asked, signed, said, rev }, phase) {
    const before = this.waited;
    this.waited = asked === null ? null : `${asked.participant}.${asked.purpose}`;
    if (this.waited !== null) this.refused = "";
    else if (before !== null && rev > this.rev && said[before] === "refused") this.refused = before; // and not called off
    this.rev = rev;
    const now = signed.length > 0 ? t("consent.sign.signed", { purposes: signed.map(named).join(", ") }) : "";
    const no = this.refused === "" ? "" : t("consent.sign.refused", { purpose: named(this.refused) });
    const purpose = this.waited === null ? "" : named(this.waited);
    const waits = phase === "handed_over" ? t("consent.sign.waits", { purpose }) : t("consent.sign.waits_for_hand_over", { purpose });
    setText(this.waits, asked !== null ? waits : [no, now].filter(Boolean).join(" "));
    this.off.hidden = asked === null;
    for (const mark of this.marks) mark.hidden = !signed.includes(mark.dataset["signed"] ?? "");
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
      this.waited = null;
      this.refused = "";
      this.#arrange();
    }
    if (this.giver.value === "") this.giver.value = consent.giver; // who signed on the tablet said it there
    this.box.hidden = role !== "lead";
    const known = saver.values;
    for (const radio of this.radios) { // what was signed was not said aloud: its mark stands for it
      const field = radio.dataset["field"] ?? "";
      radio.checked = known[field] === radio.value && !consent.signed.includes(field);
    }
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

