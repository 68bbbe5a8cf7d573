/** The wrap-up: what was advised, and who does what until when. Kept in memory until it is finished. */

import { el, find, findAll, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

/** @typedef {import("../lib/wire.js").Option} Option */
/** @typedef {{ kind: string, owner: string, due_at: number, note: string }} Followup */
/** @typedef {{ session: string, me: string, owners: readonly Option[], advised: string, facts: string }} Given */

const HOUR = 3600;
const QUICK = /** @type {const} */ ([["24", 24], ["48", 48], ["7d", 168]]);
const DUE_FIRST = /** @type {Readonly<Record<string, number>>} */ ({ contact_24h: 24, contact_48h: 48, confirm_arrival: 24, lead_referral: 168 });

/** @param {number} at  UTC seconds @returns {string} as datetime-local writes it */
export function local(at) {
  const date = new Date(at * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export class WrapupView {
  /**
   * @param {{ dispositions: string[], followupKinds: string[] }} lists
   * @param {() => number} now
   */
  constructor(lists, now) {
    this.lists = lists;
    this.now = now;
    this.disposition = find("#wrapup-disposition", HTMLSelectElement);
    this.rows = find("#followups", HTMLElement);
    this.error = find("#wrapup-error", HTMLElement);
    /** @type {string | null} */
    this.session = null;
    /** @type {readonly Option[]} */
    this.owners = [];
    this.me = "";
    this.count = 0;
    this.touched = false;
    this.disposition.replaceChildren(el("option", { value: "", text: t("console.choose") }),
      ...lists.dispositions.map((code) => el("option", { value: code, text: t(`common.disposition.${code}`) })));
    this.disposition.addEventListener("input", () => { this.touched = true; this.#complain(""); });
    find("#followup-add", HTMLButtonElement).addEventListener("click", () => this.add());
  }

  /** Whether rows or a choice would be lost by a reload. */
  get unsaved() {
    return this.session !== null && (this.touched || this.rows.children.length > 0);
  }

  /** @param {Given | null} given */
  draw(given) {
    if (given?.session !== this.session) this.#begin(given?.session ?? null);
    if (!given) return;
    this.owners = given.owners;
    this.me = given.me;
    if (!this.touched && this.disposition.value !== given.advised) this.disposition.value = given.advised;
    setText(find("#wrapup-facts", HTMLElement), given.facts);
  }

  /** @param {string | null} session */
  #begin(session) {
    this.session = session;
    this.touched = false;
    this.disposition.value = "";
    this.rows.replaceChildren();
    this.#complain("");
    this.error.hidden = true;
  }

  /** One more follow-up; the words go straight to its first field. */
  add() {
    const number = ++this.count;
    const kind = el("select", { name: "kind", id: `followup-kind-${number}` },
      ...this.lists.followupKinds.map((code) => el("option", { value: code, text: t(`common.followup.${code}`) })));
    const owner = el("select", { name: "owner", id: `followup-owner-${number}` },
      ...this.owners.map((one) => el("option", { value: one.id, text: one.id === this.me ? t("console.followup.me", { name: one.name }) : one.name, selected: one.id === this.me })));
    const due = el("input", { name: "due", id: `followup-due-${number}`, type: "datetime-local", required: true });
    const note = el("input", { name: "note", id: `followup-note-${number}`, class: "input", maxlength: 2000 });
    const set = (/** @type {number} */ hours) => { due.value = local(this.now() + hours * HOUR); };
    const suggest = () => set(DUE_FIRST[kind.value] ?? 48);
    kind.addEventListener("input", suggest);
    const row = el("li", { class: "followup", dataset: { followup: String(number) } },
      field(t("console.followup.kind"), kind), field(t("console.followup.owner"), owner),
      el("div", { class: "field" }, el("label", { for: due.id, text: t("console.followup.due") }), due,
        el("div", { class: "cluster cluster--tight", role: "group", "aria-label": t("console.followup.quick") },
          ...QUICK.map(([name, hours]) => el("button", { type: "button", class: "button button--small", dataset: { due: name },
            onclick: () => set(hours), text: t(`console.followup.in_${name}`) })))),
      field(t("console.followup.note"), note),
      el("button", { type: "button", class: "button button--quiet followup__remove", onclick: () => {
        row.remove();
        find("#followup-add", HTMLButtonElement).focus();
      }, text: t("console.followup.remove") }));
    suggest();
    this.rows.append(row);
    kind.focus();
  }

  /** @param {string} words */
  #complain(words) {
    const error = find("#wrapup-disposition-error", HTMLElement);
    error.hidden = words === "";
    setText(error, words);
    if (words) this.disposition.setAttribute("aria-invalid", "true");
    else this.disposition.removeAttribute("aria-invalid");
  }

  /** @param {string} words */
  fail(words) {
    setText(this.error, words);
    this.error.hidden = words === "";
  }

  /**
   * What is to be sent, or null after saying what is missing and going there.
   * @returns {{ disposition: string, followups: Followup[] } | null}
   */
  collect() {
    this.fail("");
    if (this.disposition.value === "") {
      this.#complain(t("console.wrapup.missing"));
      this.disposition.focus();
      return null;
    }
    /** @type {Followup[]} */
    const followups = [];
    for (const row of findAll("[data-followup]", HTMLElement, this.rows)) {
      const due = find("[name=due]", HTMLInputElement, row);
      const at = due.value ? new Date(due.value).getTime() / 1000 : NaN;
      if (!(at >= this.now() - 60)) {
        this.fail(t("console.followup.past"));
        due.setAttribute("aria-invalid", "true");
        due.focus();
        return null;
      }
      due.removeAttribute("aria-invalid");
      followups.push({
        kind: find("[name=kind]", HTMLSelectElement, row).value,
        owner: find("[name=owner]", HTMLSelectElement, row).value,
        due_at: at,
        note: find("[name=note]", HTMLInputElement, row).value.trim(),
      });
    }
    return { disposition: this.disposition.value, followups };
  }
}

/** @param {string} name @param {HTMLElement} input */
function field(name, input) {
  return el("div", { class: "field" }, el("label", { for: input.id, text: name }), input);
}
