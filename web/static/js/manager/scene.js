/**
 * The live table of people at the scene. Rows are changed in place and never made anew, so that a link keeps
 * the keyboard's focus; what grows or shrinks above the focus is made up for by scrolling.
 */

import { polite } from "../lib/announce.js";
import { find, findAll, setText } from "../lib/dom.js";
import { has, t } from "../lib/i18n.js";
import { arrange, changes } from "./scene_rows.js";
import { span } from "./span.js";

/** @typedef {import("./scene_rows.js").SceneRow} SceneRow */
/** @typedef {{ rows: SceneRow[], more: number }} News */

/** @type {Readonly<Record<string, string>>} */
const BADGES = { waiting: "badge--wait", answering: "badge--wait", connected: "badge--ok", recovering: "badge--wait" };
const MOST_SAID = 3;

export class SceneTable {
  constructor() {
    this.table = find("#scene-table", HTMLTableElement);
    this.body = find("#scene-rows", HTMLTableSectionElement);
    this.blank = find("#scene-row", HTMLTemplateElement);
    /** @type {Map<string, { code: string, state: string }>} */
    this.known = new Map();
    /** @type {News | null} */
    this.last = null;
    this.readAt = performance.now();
    this.old = false;
    for (const row of this.#rows()) {
      this.known.set(row.dataset["scene"] ?? "", { code: cell(row, "code").textContent ?? "", state: row.dataset["state"] ?? "" });
    }
    this.table.addEventListener("focusout", () => queueMicrotask(() => { if (this.last && !this.#held()) this.#place(this.last); }));
  }

  /** @param {News} news */
  show(news) {
    this.last = news;
    this.readAt = performance.now();
    this.#say(changes(this.known, news.rows));
    this.known = new Map(news.rows.map((row) => [row.id, row]));
    this.#place(news);
  }

  /** The clocks run on between two readings; with old numbers they stand still. */
  tick() {
    if (this.old) return;
    const passed = (performance.now() - this.readAt) / 1000;
    for (const row of this.#rows()) {
      if (row.dataset["state"] !== "over") setText(cell(row, "age"), span(Number(row.dataset["seconds"]) + passed));
    }
  }

  /** @param {boolean} old */
  stale(old) {
    this.old = old;
    this.table.dataset["stale"] = String(old);
  }

  #rows() {
    return findAll(":scope > tr", HTMLTableRowElement, this.body);
  }

  #held() {
    return this.body.contains(document.activeElement);
  }

  /** @param {News} news */
  #place(news) {
    steady(() => {
      const rows = new Map(this.#rows().map((row) => [row.dataset["scene"] ?? "", row]));
      const { order, over } = arrange([...rows.keys()], news.rows.map((row) => row.id), this.#held());
      for (const one of news.rows) {
        let row = rows.get(one.id);
        if (!row) rows.set(one.id, row = this.#made());
        write(row, one);
      }
      for (const id of over) end(rows.get(id));
      const wanted = order.map((id) => rows.get(id)).filter((row) => row !== undefined);
      const stay = new Set(wanted);
      for (const row of this.#rows()) if (!stay.has(row)) row.remove();
      wanted.forEach((row, place) => { if (this.body.children[place] !== row) this.body.insertBefore(row, this.body.children[place] ?? null); });
      this.table.hidden = wanted.length === 0;
      find("#scene-empty", HTMLElement).hidden = wanted.length > 0;
      const more = find("#scene-more", HTMLElement);
      more.hidden = news.more === 0;
      setText(more, news.more === 1 ? t("scene.more.one") : t("scene.more", { count: news.more }));
    });
  }

  #made() {
    const copy = this.blank.content.cloneNode(true);
    if (!(copy instanceof DocumentFragment)) throw new Error("#scene-row: no fragment");
    return find("tr", HTMLTableRowElement, copy);
  }

  /** @param {ReturnType<typeof changes>} news */
  #say(news) {
    if (news.length > MOST_SAID) polite(t("scene.said.many", { count: news.length }));
    else if (news.length > 0) {
      polite(news.map(({ kind, code, unit, state }) => t(`scene.said.${kind}`, { code, unit, state: t(`common.state.${state}`) })).join(". "));
    }
  }
}

/**
 * @param {ParentNode} row
 * @param {string} name
 */
function cell(row, name) {
  return find(`[data-cell="${name}"]`, HTMLElement, row);
}

/**
 * @param {HTMLTableRowElement} row
 * @param {SceneRow} one
 */
function write(row, one) {
  Object.assign(row.dataset, { scene: one.id, state: one.state, seconds: String(one.seconds) });
  const link = find("a", HTMLAnchorElement, row);
  link.href = `/manager/sessions/${encodeURIComponent(one.id)}`;
  link.setAttribute("aria-label", t("manager.log.open", { code: one.code }));
  setText(link, one.code);
  badge(row, BADGES[one.state] ?? "badge--quiet", t(`common.state.${one.state}`));
  const time = find("time", HTMLTimeElement, row);
  time.dateTime = one.pressed;
  const step = `common.step.${one.step}`;
  for (const [name, text] of Object.entries({
    again: one.again ? t("scene.again") : "", clock: one.clock, age: span(one.seconds), unit: one.unit, agency: one.agency, county: one.county,
    step: one.step === null ? t("scene.no_step") : has(step) ? t(step) : one.step, clinician: one.clinician ?? t("manager.log.no_clinician"),
  })) setText(cell(row, name), text);
}

/** @param {HTMLTableRowElement | undefined} row */
function end(row) {
  if (!row) return;
  row.dataset["state"] = "over";
  badge(row, "badge--quiet", t("scene.over"));
}

/**
 * @param {HTMLTableRowElement} row
 * @param {string} kind
 * @param {string} words
 */
function badge(row, kind, words) {
  const state = cell(row, "state");
  state.className = `badge ${kind}`;
  setText(state, words);
}

/**
 * Change the page without moving what somebody is at: the element with the focus stays where it is seen, or,
 * without one, whatever stands below a table that was scrolled past.
 * @param {() => void} change
 */
function steady(change) {
  const at = document.activeElement;
  const section = find("#scene", HTMLElement);
  const below = section.getBoundingClientRect().bottom < 0 ? section.nextElementSibling : null;
  const anchor = at && at !== document.body ? at : below;
  const before = anchor?.getBoundingClientRect().top ?? 0;
  change();
  if (anchor?.isConnected) {
    const moved = anchor.getBoundingClientRect().top - before;
    if (moved !== 0) window.scrollBy({ top: moved, behavior: "instant" });
  }
}
