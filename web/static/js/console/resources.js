/** On the recommendation: help near by, picked from the directory for the place of the session. */

import { el, fill, find, findAll, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

/** @typedef {import("../lib/wire.js").CardResource} CardResource */
/** @typedef {CardResource & { stale: boolean, protected: boolean }} Found */
/** @typedef {import("./saver.js").Saver} Saver */

export const RESOURCE = "resource:";
const MOST = 8;

/** @param {import("./autosave.js").Values} values @returns {CardResource[]} by name */
export function resourcesOf(values) {
  return Object.entries(values).filter(([field, value]) => field.startsWith(RESOURCE) && value !== null)
    .map(([, value]) => /** @type {CardResource} */ (value)).sort((one, other) => one.name.localeCompare(other.name) || one.id.localeCompare(other.id));
}

/** What the card keeps of an entry. @param {Found} found @returns {CardResource} */
function kept({ stale: _stale, protected: _protected, ...facts }) {
  return facts;
}

export class ResourcePicker {
  /** @param {() => Saver | null} saver */
  constructor(saver) {
    this.saver = saver;
    this.list = find("#card-resources", HTMLElement);
    this.said = find("#card-resources-said", HTMLElement);
    this.again = find("#card-resources-again", HTMLButtonElement);
    /** @type {string | null} whose directory was asked for */
    this.session = null;
    /** @type {Found[] | null} null until the directory has come */
    this.found = null;
    this.again.addEventListener("click", () => { if (this.session) void this.#load(this.session); });
    this.list.addEventListener("change", ({ target }) => { if (target instanceof HTMLInputElement) this.#pick(target); });
  }

  /** @param {string} session */
  async #load(session) {
    this.found = null;
    this.again.hidden = true;
    setText(this.said, t("console.card.resources.loading"));
    /** @type {Found[] | null} */
    let found = null;
    try {
      const response = await fetch(`/api/v1/sessions/${session}/resources`, { headers: { Accept: "application/json" } });
      found = response.ok ? (await response.json()).resources : null;
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
    }
    if (session !== this.session) return;
    this.found = found;
    this.again.hidden = found !== null;
    setText(this.said, found === null ? t("console.card.resources.failed") : found.length === 0 ? t("console.card.resources.none") : "");
    const saver = this.saver();
    if (saver) this.draw(session, saver.values, true);
  }

  /** @param {HTMLInputElement} box */
  #pick(box) {
    const saver = this.saver();
    const one = this.found?.find((entry) => entry.id === box.value);
    if (!saver) return;
    if (!box.checked) saver.edit(RESOURCE + box.value, null, { typing: false });
    else if (resourcesOf(saver.values).length >= MOST) {
      box.checked = false;
      setText(this.said, t("console.card.resources.most"));
    } else if (one) saver.edit(RESOURCE + one.id, kept(one), { typing: false });
  }

  /**
   * Whoever only reads the card sees what was picked; the directory is open to those who write it.
   * @param {string} session @param {import("./autosave.js").Values} values @param {boolean} writes
   */
  draw(session, values, writes) {
    const asked = writes ? session : null;
    if (asked !== this.session) {
      this.session = asked;
      this.found = null;
      if (asked !== null) void this.#load(asked);
      else setText(this.said, "");
    }
    const picked = resourcesOf(values);
    const gone = this.found === null ? [] : picked.filter((one) => !this.found?.some((entry) => entry.id === one.id));
    const rows = [...(this.found ?? []).map((one) => ({ one, gone: false, notes: notes(one) })),
      ...(this.found === null ? picked : gone).map((one) => ({ one, gone: true, notes: this.found === null ? [] : [t("console.card.resources.gone")] }))];
    fill(this.list, JSON.stringify(rows.map(({ one, gone: left }) => [one.id, left])), () => rows.map(({ one, notes: said }) => el("li", { class: "actions__one" },
      el("label", { class: "actions__name" }, el("input", { type: "checkbox", value: one.id, dataset: { resource: one.id } }),
        el("span", {}, one.name, el("span", { class: "small muted help__facts", text: [t(`common.resource.${one.kind}`), way(one), one.hours, ...said].filter(Boolean).join(" · ") }))))));
    const ids = new Set(picked.map((one) => one.id));
    for (const box of findAll("[data-resource]", HTMLInputElement, this.list)) box.checked = ids.has(box.value);
  }
}

/** How to reach it, the quickest way. @param {CardResource} one */
function way(one) {
  return one.phone || (one.text_line && t("console.card.resources.text", { number: one.text_line })) || one.address || one.website;
}

/** @param {Found} one */
function notes(one) {
  return [...(one.protected ? [t("console.card.resources.protected")] : []), ...(one.stale ? [t("console.card.resources.stale")] : [])];
}
