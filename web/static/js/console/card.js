/** The recommendation: a draft that saves itself, and the card that the officer gets when it is sent. */

import { el, find, findAll, setText } from "../lib/dom.js";
import { locale, t } from "../lib/i18n.js";
import { timeOfDay } from "../lib/clock.js";
import { ResourcePicker, RESOURCE, resourcesOf } from "./resources.js";
import { showClash, showState, stateOf } from "./save_state.js";

/** @typedef {import("../lib/wire.js").Card} Card */
/** @typedef {import("../lib/wire.js").CardAction} CardAction */
/** @typedef {import("../lib/wire.js").CardDraft} CardDraft */
/** @typedef {import("./saver.js").Saver} Saver */
/** @typedef {{ cardLevels: string[], dispositions: string[], cardActions: string[] }} Lists */

/**
 * A card as fields of a self-saving form, each on its own, so that two people's changes can be put together.
 * @param {Card | null} card
 * @returns {import("./autosave.js").Values}
 */
export function fields(card) {
  if (!card) return {};
  const actions = card.actions.map((one) => [`action:${one.code}`, one.text]);
  const help = card.resources.map((one) => [RESOURCE + one.id, one]);
  return Object.fromEntries([["level", card.level], ["disposition", card.disposition], ...actions, ...help, ...(card.words ? [["words", card.words]] : [])]);
}

/**
 * The card of the fields, with the actions in the list's order; null while level or disposition is missing.
 * @param {import("./autosave.js").Values} values
 * @param {readonly string[]} codes
 * @returns {Card | null}
 */
export function cardOf(values, codes) {
  const { level, disposition, words } = values;
  if (level !== "routine" && level !== "soon" && level !== "now") return null;
  if (typeof disposition !== "string" || disposition === "") return null;
  const actions = codes.filter((code) => typeof values[`action:${code}`] === "string")
    .map((code) => ({ code, text: String(values[`action:${code}`]) }));
  return { level, disposition, actions, words: typeof words === "string" ? words : "", resources: resourcesOf(values) };
}

export class CardView {
  /** @param {Lists} lists @param {() => Saver | null} saver */
  constructor(lists, saver) {
    this.lists = lists;
    this.saver = saver;
    this.form = find("#card-form", HTMLFormElement);
    this.disposition = find("#card-disposition", HTMLSelectElement);
    this.words = find("#card-words", HTMLTextAreaElement);
    find("#card-levels", HTMLElement).replaceChildren(...lists.cardLevels.map((level) => el("label", { class: `choice--${level}` },
      el("input", { type: "radio", name: "card-level", value: level, dataset: { level } }), t(`common.card_level.${level}`))));
    this.disposition.replaceChildren(el("option", { value: "", text: t("console.choose") }),
      ...lists.dispositions.map((code) => el("option", { value: code, text: t(`common.disposition.${code}`) })));
    find("#card-actions", HTMLElement).replaceChildren(...lists.cardActions.map((code) => this.#action(code)));
    this.resources = new ResourcePicker(saver);
    this.form.addEventListener("input", (event) => this.#changed(event.target));
    this.form.addEventListener("focusout", () => { void this.saver()?.flush(); });
  }

  /** @param {string} code */
  #action(code) {
    const name = t(`common.card_action.${code}`);
    return el("li", { class: "actions__one" },
      el("label", { class: "actions__name" }, el("input", { type: "checkbox", value: code, dataset: { action: code } }), name),
      el("input", { class: "input", type: "text", maxlength: 300, dataset: { words: code }, hidden: true,
        "aria-label": t("console.card.own_words", { action: name }), placeholder: t("console.card.own_words.short") }));
  }

  /** @param {EventTarget | null} target */
  #changed(target) {
    const saver = this.saver();
    if (!saver) return;
    if (target === this.disposition) return saver.edit("disposition", this.disposition.value || null, { typing: false });
    if (target === this.words) return saver.edit("words", this.words.value || null, { typing: true });
    if (!(target instanceof HTMLInputElement)) return;
    const { level, action, words } = target.dataset;
    if (level) saver.edit("level", level, { typing: false });
    else if (action) saver.edit(`action:${action}`, target.checked ? this.#ownWords(action).value : null, { typing: false });
    else if (words) saver.edit(`action:${words}`, target.value, { typing: true });
  }

  /** @param {string} code */
  #ownWords(code) {
    return find(`[data-words="${CSS.escape(code)}"]`, HTMLInputElement, this.form);
  }

  /** Say what is missing, and go there. */
  showMissing() {
    const values = this.saver()?.values ?? {};
    const error = find("#card-error", HTMLElement);
    error.hidden = false;
    setText(error, t("console.card.missing"));
    const first = values["level"] ? this.disposition : this.form.querySelector("[data-level]");
    if (first instanceof HTMLElement) first.focus();
  }

  /**
   * @param {CardDraft} draft  as the server has it
   * @param {{ session: string, why: string, sending: boolean, live: boolean, writes: boolean }} now
   */
  draw(draft, { session, why, sending, live, writes }) {
    const saver = this.saver();
    if (!saver) return;
    const values = saver.values;
    for (const radio of findAll("[data-level]", HTMLInputElement, this.form)) radio.checked = radio.value === values["level"];
    put(this.disposition, String(values["disposition"] ?? ""));
    put(this.words, String(values["words"] ?? ""));
    for (const box of findAll("[data-action]", HTMLInputElement, this.form)) {
      const text = values[`action:${box.value}`];
      const own = this.#ownWords(box.value);
      box.checked = typeof text === "string";
      own.hidden = !box.checked;
      if (typeof text === "string") put(own, text);
    }
    this.resources.draw(session, values, writes);
    const card = cardOf(values, this.lists.cardActions);
    if (card) find("#card-error", HTMLElement).hidden = true;
    const send = find("#card-send", HTMLButtonElement);
    const current = draft.sent_rev !== null && draft.sent_rev === saver.form.rev && !saver.unsaved;
    setText(send, t(sending ? "console.card.sending" : current ? "console.card.send_again" : draft.sent_rev ? "console.card.send_change" : "console.card.send"));
    send.setAttribute("aria-disabled", String(sending));
    send.dataset["live"] = String(live);
    showState(find("#card-state", HTMLElement), this.#state(draft, card, current, why));
    showClash(find("#card-clash", HTMLElement), saver.form.clash, (field, value) => this.#name(field, value), (which) => saver.choose(which));
  }

  /**
   * @param {CardDraft} draft @param {Card | null} card @param {boolean} current @param {string} why
   * @returns {Parameters<typeof showState>[1]}
   */
  #state(draft, card, current, why) {
    const saver = this.saver();
    if (!saver) return { state: "empty", words: "" };
    if (current && draft.sent_at !== null) {
      if (draft.acknowledged_rev === draft.sent_rev && draft.acknowledged_at !== null) {
        return { state: "saved", words: t("console.card.acknowledged", { time: timeOfDay(draft.acknowledged_at, locale()) }) };
      }
      return { state: "waiting", words: t("console.card.sent", { time: timeOfDay(draft.sent_at, locale()) }) };
    }
    const saved = stateOf(saver, why);
    if (saver.unsaved && !card && !saver.error && saved.state !== "clash") return { state: "unsaved", words: t("console.card.incomplete") };
    if (draft.sent_rev !== null && saved.state === "saved") return { state: "waiting", words: t("console.card.changed") };
    if (saved.state === "saved") return { state: "saved", words: t("console.card.draft", { time: timeOfDay(saver.form.savedAt ?? 0, locale()) }) };
    return saved;
  }

  /** @param {string} field @param {unknown} value */
  #name(field, value) {
    const nothing = t("console.clash.nothing");
    const text = typeof value === "string" ? value : null;
    if (field === "level") return { name: t("console.card.level"), words: text ? t(`common.card_level.${text}`) : nothing };
    if (field === "disposition") return { name: t("console.card.disposition"), words: text ? t(`common.disposition.${text}`) : nothing };
    if (field.startsWith(RESOURCE)) {
      const name = typeof value === "object" && value !== null && "name" in value ? String(value.name) : nothing;
      return { name: t("console.card.resources"), words: name };
    }
    if (field === "words") return { name: t("console.card.words"), words: text || nothing };
    return { name: t(`common.card_action.${field.replace("action:", "")}`), words: text === null ? nothing : text || t("console.yes") };
  }
}

/**
 * Write a value without disturbing somebody who types in it.
 * @param {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} input
 * @param {string} value
 */
function put(input, value) {
  if (input.value !== value) input.value = value;
}
