/** The assessment beside the video: any questionnaire drawn from its definition, each answer saved as it is given. */

import { el, find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { answered, display, enabled, flat } from "./questionnaire.js";
import { showClash, showState, stateOf } from "./save_state.js";

/** @typedef {import("./questionnaire.js").Item} Item */
/** @typedef {import("./questionnaire.js").Questionnaire} Questionnaire */
/** @typedef {import("./saver.js").Saver} Saver */

const TONES = /** @type {Readonly<Record<string, string>>} */ ({
  none: "ok", negative: "ok", go: "ok", calm: "ok", made: "ok", secured: "ok", low: "plain", mild: "plain", declined: "plain",
  moderate: "wait", positive: "wait", "non-acute": "wait", "moderately-severe": "wait", substantial: "wait", activated: "wait",
  high: "alert", severe: "alert", acute: "alert", stop: "alert", sedated: "alert", unsecured: "alert", incomplete: "quiet",
});
const TYPED = /** @type {Readonly<Record<string, Record<string, string>>>} */ ({ integer: { type: "number", inputmode: "numeric" }, time: { type: "time" } });
const LEAST = "http://hl7.org/fhir/StructureDefinition/minValue";
const MOST = "http://hl7.org/fhir/StructureDefinition/maxValue";
const PRESSED = new Set(["choice", "boolean"]);

/** The least and the greatest number that a question takes. @param {Item} item */
function bounds(item) {
  const said = (/** @type {string} */ url) => item.extension?.find((one) => one.url === url)?.valueInteger ?? null;
  return { min: said(LEAST), max: said(MOST) };
}

/** A computed level with its score; "at least" where answers are missing. @param {Readonly<Record<string, unknown>>} result */
export function levelWords(result) {
  const level = t(`common.level.${String(result["level"])}`);
  const { score, at_least: least } = result;
  if (typeof score === "number") return t(least === true ? "common.level.scored_at_least" : "common.level.scored", { level, score });
  return least === true ? t("common.level.at_least", { level }) : level;
}

export class AssessmentView {
  /** @param {() => Saver | null} saver  of the form that is open */
  constructor(saver) {
    this.saver = saver;
    /** @type {Questionnaire | null} */
    this.definition = null;
    /** @type {Item[]} */
    this.items = [];
    /** @type {Map<string, Item>} */
    this.byId = new Map();
    this.form = find("#questions", HTMLFormElement);
    this.hint = find("#judged-hint", HTMLElement);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", (event) => this.#changed(event.target));
    this.form.addEventListener("keydown", (event) => this.#pressed(event));
    this.form.addEventListener("focusout", () => { void this.saver()?.flush(); });
  }

  /** Show this questionnaire. @param {Questionnaire} definition */
  open(definition) {
    if (this.definition === definition) return;
    this.definition = definition;
    this.items = flat(definition.item);
    this.byId = new Map(this.items.map((item) => [item.linkId, item]));
    this.form.replaceChildren(...definition.item.map((item) => this.#draw(item)));
    setText(find("#instrument-note", HTMLElement), definition.description ?? "");
  }

  /** @param {Item} item @returns {HTMLElement} */
  #draw(item) {
    if (item.type === "group") {
      return el("section", { class: "questions__group", dataset: { group: item.linkId } }, el("h3", { text: item.text ?? "" }),
        ...(item.item ?? []).map((child) => this.#draw(child)));
    }
    if (item.type === "display") return el("p", { dataset: { item: item.linkId }, text: item.text ?? "" });
    const optional = item.required ? null : el("span", { class: "muted small", text: ` ${t("console.optional")}` });
    const inner = (item.item ?? []).map((child) => this.#draw(child));
    if (PRESSED.has(item.type)) {
      return el("fieldset", { class: "field question", dataset: { item: item.linkId } }, el("legend", {}, item.text ?? "", optional),
        el("div", { class: "choices choices--small" }, ...this.#options(item)), ...inner);
    }
    const id = `item-${item.linkId}`;
    const common = { id, name: item.linkId, maxlength: item.maxLength ?? 2000 };
    const input = item.type === "text" ? el("textarea", { ...common, rows: 2 })
      : el("input", { ...common, ...TYPED[item.type] ?? { type: "text" }, ...(item.type === "integer" ? bounds(item) : {}) });
    return el("fieldset", { class: "field question", dataset: { item: item.linkId } },
      el("label", { for: id }, item.text ?? "", optional), input, ...inner);
  }

  /** @param {Item} item */
  #options(item) {
    const options = item.type === "boolean"
      ? [{ code: "true", display: t("console.yes") }, { code: "false", display: t("console.no") }]
      : (item.answerOption ?? []).map((option) => option.valueCoding);
    const type = item.repeats ? "checkbox" : "radio";
    const made = options.map(({ code, display: words }, at) =>
      el("label", at < 9 ? { dataset: { digit: String(at + 1) } } : {}, el("input", { type, name: item.linkId, value: code }), words ?? code));
    if (item.repeats) return made;
    // A radio cannot be unticked by hand, and "not asked after all" must be possible.
    return [...made, el("button", {
      type: "button", class: "button button--quiet question__clear", hidden: true, onclick: () => this.#clear(item),
      "aria-label": t("console.clear.what", { question: item.text ?? "" }), text: t("console.clear"),
    })];
  }

  /**
   * The keyboard answers without the mouse: a digit picks that answer of the question one is in, and goes on to the next question.
   * @param {KeyboardEvent} event
   */
  #pressed(event) {
    const { target, key } = event;
    if (!(target instanceof HTMLElement) || event.ctrlKey || event.altKey || event.metaKey || !/^[1-9]$/.test(key)) return;
    if (target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && !["radio", "checkbox"].includes(target.type))) return;
    const question = target.closest("[data-item]");
    const wanted = question?.querySelector(`:scope > .choices > [data-digit="${key}"] > input`);
    if (!(wanted instanceof HTMLInputElement) || wanted.disabled) return;
    event.preventDefault();
    wanted.click();
    if (wanted.type === "radio") this.#next(question);
    else wanted.focus();
  }

  /** @param {Element | null} question */
  #next(question) {
    const all = Array.from(this.form.querySelectorAll("[data-item]")).filter((one) => one instanceof HTMLFieldSetElement && one.offsetParent !== null);
    const next = all[all.findIndex((one) => one === question) + 1]?.querySelector("input:checked, input, textarea");
    if (next instanceof HTMLElement) next.focus();
  }

  /** @param {Item} item */
  #clear(item) {
    this.saver()?.edit(item.linkId, null, { typing: false });
    this.#inputs(item)[0]?.focus();
  }

  /** @param {EventTarget | null} target */
  #changed(target) {
    if (!(target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement)) return;
    const item = this.byId.get(target.name);
    if (!item) return;
    this.saver()?.edit(item.linkId, this.#value(item, target), { typing: !PRESSED.has(item.type) });
  }

  /** @param {Item} item @param {HTMLInputElement | HTMLTextAreaElement} target */
  #value(item, target) {
    if (item.type === "choice" && item.repeats) {
      const ticked = this.#inputs(item).filter((one) => one instanceof HTMLInputElement && one.checked).map((one) => one.value);
      return ticked.length > 0 ? ticked : null;
    }
    if (item.type === "boolean") return target.value === "true";
    if (item.type === "integer") return target.value === "" ? null : Math.trunc(Number(target.value));
    return target.value === "" ? null : target.value;
  }

  /** @param {Item} item @returns {(HTMLInputElement | HTMLTextAreaElement)[]} */
  #inputs(item) {
    return Array.from(this.form.elements).filter((one) => one instanceof HTMLInputElement || one instanceof HTMLTextAreaElement)
      .filter((one) => one.name === item.linkId);
  }

  /** @param {Readonly<Record<string, unknown>>} result @param {string} why */
  draw(result, why) {
    const saver = this.saver();
    if (!saver || !this.definition) return;
    const answers = saver.values;
    const applies = enabled(this.definition.item, answers);
    for (const item of this.items) this.#show(item, answers[item.linkId], applies.has(item.linkId));
    showState(find("#save-state", HTMLElement), stateOf(saver, why));
    showClash(find("#assessment-clash", HTMLElement), saver.form.clash, (field, value) => this.#words(field, value), (which) => saver.choose(which));
    this.#level(result);
    this.#judged(result, answers);
  }

  /** @param {Item} item @param {unknown} value @param {boolean} applies */
  #show(item, value, applies) {
    const box = this.form.querySelector(`[data-item="${CSS.escape(item.linkId)}"], [data-group="${CSS.escape(item.linkId)}"]`);
    if (box instanceof HTMLElement) box.hidden = !applies;
    if (item.type === "group" || item.type === "display") return;
    for (const input of this.#inputs(item)) {
      if (input instanceof HTMLInputElement && (input.type === "radio" || input.type === "checkbox")) {
        const on = Array.isArray(value) ? value.includes(input.value) : answered(value) && String(value) === input.value;
        if (input.checked !== on) input.checked = on;
      } else {
        const words = answered(value) ? String(value) : "";
        if (input.value !== words && !(document.activeElement === input && input.value.trim() === words.trim())) input.value = words;
      }
    }
    const clear = box?.querySelector(".question__clear");
    if (clear instanceof HTMLElement) clear.hidden = !answered(value);
  }

  /** @param {string} field @param {unknown} value */
  #words(field, value) {
    const item = this.byId.get(field);
    const words = { yes: t("console.yes"), no: t("console.no"), nothing: t("console.clash.nothing") };
    return { name: item?.text ?? field, words: item ? display(item, value, words) : String(value) };
  }

  /** The level as the server computed it, and what raised it. @param {Readonly<Record<string, unknown>>} result */
  #level(result) {
    const line = find("#assessment-level", HTMLElement);
    const level = typeof result["level"] === "string" ? result["level"] : "";
    const badge = find("#level-badge", HTMLElement);
    line.dataset["level"] = level;
    const by = result["by_judgement"] === true ? "console.level.judged" : "console.level.computed";
    badge.className = `badge badge--${TONES[level] ?? "quiet"}`;
    setText(badge, level ? t(by, { level: levelWords(result) }) : t("console.level.none_yet"));
    setText(find("#level-reasons", HTMLElement), this.#because(result));
  }

  /** The clinician's own level beside it; where the two differ, somebody will ask why. @param {Readonly<Record<string, unknown>>} result @param {import("./questionnaire.js").Answers} answers */
  #judged(result, answers) {
    const judged = answers["judged-level"];
    const badge = find("#judged-badge", HTMLElement);
    badge.hidden = typeof judged !== "string";
    if (typeof judged === "string") setText(badge, t("console.level.judged", { level: t(`common.level.${judged}`) }));
    const reason = answers["judged-reason"];
    const silent = typeof judged === "string" && judged !== result["level"] && !(typeof reason === "string" && reason.trim());
    const place = this.form.querySelector('[data-item="judged-reason"]');
    this.hint.hidden = !(silent && place);
    if (place && this.hint.parentElement !== place) place.append(this.hint);
  }

  /** @param {Readonly<Record<string, unknown>>} result */
  #because(result) {
    /** @param {unknown} ids */
    const names = (ids) => (Array.isArray(ids) ? ids : []).map((id) => this.byId.get(String(id))?.text ?? String(id));
    const reasons = names(result["reasons"]);
    const missing = names(result["missing"]);
    if (reasons.length > 0) return t("console.level.because", { reasons: reasons.join(" · ") });
    return missing.length > 0 ? t("console.level.missing", { count: missing.length }) : "";
  }
}
