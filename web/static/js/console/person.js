/** Who the session is about, as far as it is known: a form that saves itself, folded away until it is needed. */

import { find, findAll, setText } from "../lib/dom.js";
import { locale, plural, t } from "../lib/i18n.js";
import { showClash, showState, stateOf } from "./save_state.js";

/** @typedef {import("../lib/wire.js").PersonView} Shown */
/** @typedef {import("./saver.js").Saver} Saver */

/** @param {{ name: string, born: string, alias: string }} person @returns {import("./autosave.js").Values} */
export function personFields({ name, born, alias }) {
  return Object.fromEntries(Object.entries({ name, born, alias }).filter(([, value]) => value !== ""));
}

/** @param {import("./autosave.js").Values} values */
export function personOf(values) {
  /** @param {string} field */
  const text = (field) => (typeof values[field] === "string" ? String(values[field]) : "");
  return { name: text("name"), born: text("born"), alias: text("alias") };
}

export class PersonForm {
  /** @param {() => Saver | null} saver */
  constructor(saver) {
    this.saver = saver;
    this.box = find("#about", HTMLDetailsElement);
    this.inputs = findAll("[data-field]", HTMLInputElement, this.box);
    this.box.addEventListener("input", ({ target }) => {
      if (!(target instanceof HTMLInputElement)) return;
      const typing = target.type !== "date";
      this.saver()?.edit(target.dataset["field"] ?? "", target.value.trim() === "" ? null : target.value, { typing });
    });
    this.box.addEventListener("focusout", () => { void this.saver()?.flush(); });
  }

  /** @param {{ person: Shown, role: string }} session @param {string} why */
  draw({ person, role }, why) {
    const saver = this.saver();
    if (!saver) return;
    this.box.hidden = role !== "lead";
    const known = personOf(saver.values);
    for (const input of this.inputs) {
      const value = known[/** @type {"name" | "born" | "alias"} */ (input.dataset["field"])];
      if (document.activeElement !== input && input.value !== value) input.value = value;
    }
    setText(find("#about-words", HTMLElement), known.name || known.alias || t("console.person.unknown"));
    const again = find("#about-again", HTMLElement);
    again.hidden = person.earlier.length === 0;
    setText(again, plural("console.person.again", person.earlier.length));
    setText(find("#about-earlier", HTMLElement), person.earlier.length === 0 ? "" : t("console.person.earlier", {
      days: person.earlier.map((one) => new Date(one.at * 1000).toLocaleDateString(locale())).join(", "),
    }));
    showState(find("#about-state", HTMLElement), stateOf(saver, why));
    showClash(find("#about-clash", HTMLElement), saver.form.clash, (field, value) => ({
      name: t(`person.${field}`), words: typeof value === "string" && value ? value : t("console.clash.nothing"),
    }), (which) => saver.choose(which));
  }
}
