/**
 * Which questionnaire is open beside the video: a tab for each that was begun, and a list of the others. Answers stay with the version
 * of a form that the first of them was given to, so a form may be fetched that is older than this page.
 */

import { el, find, findAll, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { AssessmentView } from "./assessment.js";
import { progress } from "./questionnaire.js";

/** @typedef {import("./questionnaire.js").Questionnaire} Questionnaire */
/** @typedef {import("./records.js").Records} Records */

export class Forms {
  /** @param {readonly Questionnaire[]} definitions  in the order of offering @param {Records} records @param {() => void} changed */
  constructor(definitions, records, changed) {
    const [first] = definitions;
    if (!first) throw new Error("no questionnaire on this page");
    this.first = first.id;
    this.records = records;
    this.changed = changed;
    /** @type {Map<string, Questionnaire>} by code and version */
    this.known = new Map(definitions.map((one) => [key(one.id, one.version), one]));
    this.newest = new Map(definitions.map((one) => [one.id, one]));
    /** @type {Set<string>} asked of the server */
    this.asked = new Set();
    this.open = first.id;
    /** @type {string | null} */
    this.session = null;
    /** @type {Set<string>} opened by hand in this session */
    this.opened = new Set();
    this.tabs = find("#form-tabs", HTMLElement);
    this.others = find("#form-others", HTMLSelectElement);
    this.view = new AssessmentView(() => records.form(this.open)?.saver ?? null);
    this.others.addEventListener("change", () => { if (this.others.value) this.show(this.others.value, true); });
    this.tabs.addEventListener("click", (event) => {
      const tab = event.target instanceof Element ? event.target.closest("[data-form]") : null;
      if (tab instanceof HTMLElement) this.show(tab.dataset["form"] ?? this.first, true);
    });
    this.tabs.addEventListener("keydown", (event) => this.#move(event));
  }

  /** @param {string} code @param {boolean} focus */
  show(code, focus) {
    this.open = code;
    this.opened.add(code);
    this.draw(this.session);
    this.changed();
    if (focus) this.#tab(code)?.focus();
  }

  /** @param {string | null} session */
  draw(session) {
    if (session !== this.session) {
      this.session = session;
      this.open = this.first;
      this.opened = new Set([this.first]);
    }
    const codes = this.#shown();
    this.#drawTabs(codes);
    this.#drawOthers(codes);
    const form = this.records.form(this.open);
    const definition = form ? this.#definition(this.open, form.version) : null;
    find("#form-panel", HTMLElement).setAttribute("aria-labelledby", `form-tab-${this.open}`);
    if (!form || !definition) return;
    this.view.open(definition);
    this.view.draw(form.result, this.records.why(form.saver));
  }

  /** The forms that were begun or opened, in the order of offering; a form that is gone from the offer comes last. */
  #shown() {
    const begun = [...(this.records.book?.forms.entries() ?? [])].filter(([, form]) => form.saver.form.rev > 0 || form.saver.unsaved).map(([code]) => code);
    const wanted = new Set([this.first, ...this.opened, ...begun]);
    return [...[...this.newest.keys()].filter((code) => wanted.has(code)), ...[...wanted].filter((code) => !this.newest.has(code))];
  }

  /** @param {string} code @param {string} version @returns {Questionnaire | null} */
  #definition(code, version) {
    const found = this.known.get(key(code, version)) ?? null;
    if (!found && !this.asked.has(key(code, version))) {
      this.asked.add(key(code, version));
      void this.#fetch(code, version);
    }
    return found;
  }

  /** @param {string} code @param {string} version */
  async #fetch(code, version) {
    try {
      const answer = await fetch(`/api/v1/forms/${encodeURIComponent(code)}/${encodeURIComponent(version)}`);
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const { form } = /** @type {{ form: Questionnaire }} */ (await answer.json());
      this.known.set(key(code, version), form);
      this.changed();
    } catch {
      setTimeout(() => { this.asked.delete(key(code, version)); }, 3000); // the line may be down: the next drawing asks again
    }
  }

  /** @param {readonly string[]} codes */
  #drawTabs(codes) {
    for (const tab of findAll("[data-form]", HTMLElement, this.tabs)) if (!codes.includes(tab.dataset["form"] ?? "")) tab.remove();
    codes.forEach((code, at) => {
      const tab = this.#tab(code) ?? el("button", { type: "button", role: "tab", class: "form-tab", id: `form-tab-${code}`, "aria-controls": "form-panel", dataset: { form: code } },
        el("span", { class: "form-tab__name" }), " ", el("span", { class: "form-tab__done small number" }), el("span", { class: "visually-hidden form-tab__open" }));
      if (this.tabs.children[at] !== tab) this.tabs.insertBefore(tab, this.tabs.children[at] ?? null);
      const form = this.records.form(code);
      const definition = form ? this.#definition(code, form.version) : null;
      const here = code === this.open;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      setText(find(".form-tab__name", HTMLElement, tab), definition?.title ?? this.newest.get(code)?.title ?? code);
      const { done, of } = form && definition ? progress(definition.item, form.saver.values) : { done: 0, of: 0 };
      setText(find(".form-tab__done", HTMLElement, tab), of > 0 ? t("console.assessment.progress", { done, of }) : "");
      tab.dataset["unsaved"] = String(form?.saver.unsaved ?? false);
      setText(find(".form-tab__open", HTMLElement, tab), form?.saver.unsaved && !here ? t("console.forms.unsaved") : "");
    });
  }

  /** @param {readonly string[]} shown */
  #drawOthers(shown) {
    const rest = [...this.newest.values()].filter((one) => !shown.includes(one.id));
    const drawn = rest.map((one) => one.id).join(" ");
    if (this.others.dataset["drawn"] === drawn) return;
    this.others.dataset["drawn"] = drawn;
    this.others.replaceChildren(el("option", { value: "", text: t("console.forms.add") }), ...rest.map((one) => el("option", { value: one.id, text: one.title })));
    this.others.hidden = rest.length === 0;
  }

  /** @param {string} code */
  #tab(code) {
    return findAll("[data-form]", HTMLButtonElement, this.tabs).find((one) => one.dataset["form"] === code) ?? null;
  }

  /** Arrow keys go from tab to tab. @param {KeyboardEvent} event */
  #move(event) {
    const codes = findAll("[data-form]", HTMLElement, this.tabs).map((one) => one.dataset["form"] ?? "");
    const at = codes.indexOf(this.open);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: codes.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const code = codes[(to + codes.length) % codes.length];
    if (code) this.show(code, true);
  }
}

/** @param {string} code @param {string} version */
function key(code, version) {
  return `${code} ${version}`;
}
