/** The wrap-up: what was advised, and who does what until when. A form that saves itself, each row on its own. */

import { el, find, findAll, setText } from "../lib/dom.js";
import { locale, t } from "../lib/i18n.js";
import { timeOfDay } from "../lib/clock.js";
import { showClash, showState, stateOf } from "./save_state.js";

/** @typedef {import("../lib/wire.js").Option} Option */
/** @typedef {import("../lib/wire.js").WrapupDraft} WrapupDraft */
/** @typedef {import("./saver.js").Saver} Saver */
/** @typedef {{ kind: string, owner: string, due_at: number | null, note: string }} Row  a follow-up that may still lack its time */
/** @typedef {{ kind: string, owner: string, due_at: number, note: string }} Followup */
/** @typedef {{ session: string, me: string, owners: readonly Option[], advised: string, facts: string, why: string, wellness: boolean }} Given */

const HOUR = 3600;
const LATEST = Date.UTC(2099, 0) / 1000;
const QUICK = /** @type {const} */ ([["24", 24], ["48", 48], ["7d", 168]]);
const DUE_FIRST = /** @type {Readonly<Record<string, number>>} */ ({ contact_24h: 24, contact_48h: 48, confirm_arrival: 24, lead_referral: 168, bed: 4, moud_start: 24,
  voluntary_admission: 24, involuntary_petition: 24, medical_clearance: 24, mandated_report: 24, support: 72,
});
const ROW = "row:";
const FLAG = "flag:";
const CHOICES = /** @type {const} */ (["disposition", "opioid", "no_followup"]);

/** @param {number} at  UTC seconds @returns {string} as datetime-local writes it */
export function local(at) {
  const date = new Date(at * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/**
 * A draft as fields of a self-saving form: each row on its own, so that two pages' rows can be put together.
 * @param {WrapupDraft} draft
 * @returns {import("./autosave.js").Values}
 */
export function fields(draft) {
  const rows = draft.followups.map(({ key, kind, owner, due_at: due, note }) => [ROW + key, { kind, owner, due_at: due, note }]);
  const flags = draft.flags.map((code) => [FLAG + code, true]);
  const chosen = CHOICES.filter((name) => draft[name]).map((name) => [name, draft[name]]);
  return Object.fromEntries([...chosen, ...flags, ...rows]);
}

/**
 * The draft of the fields.
 * @param {import("./autosave.js").Values} values
 * @returns {WrapupDraft}
 */
export function draftOf(values) {
  const [disposition, opioid, none] = CHOICES.map((name) => typeof values[name] === "string" ? values[name] : null);
  return { disposition: disposition ?? null, opioid: opioid ?? null, no_followup: none ?? null, flags: flagsOf(values), followups: rowsOf(values).map(([key, row]) => ({ key, ...row })) };
}

/** @param {import("./autosave.js").Values} values @returns {[key: string, row: Row][]} */
function rowsOf(values) {
  return Object.entries(values).filter(([field, value]) => field.startsWith(ROW) && value !== null)
    .map(([field, value]) => [field.slice(ROW.length), /** @type {Row} */ (value)]);
}

/** @param {import("./autosave.js").Values} values @returns {string[]} */
function flagsOf(values) {
  return Object.entries(values).filter(([field, value]) => field.startsWith(FLAG) && value === true).map(([field]) => field.slice(FLAG.length));
}

export class WrapupView {
  /**
   * @param {{ dispositions: string[], followupKinds: string[], flags: string[], opioid: string[], noFollowup: string[] }} lists
   * @param {() => number} now
   * @param {() => Saver | null} saver
   */
  constructor(lists, now, saver) {
    this.lists = lists;
    this.now = now;
    this.saver = saver;
    this.form = find("#wrapup-form", HTMLFormElement);
    this.disposition = find("#wrapup-disposition", HTMLSelectElement);
    this.rows = find("#followups", HTMLElement);
    this.sign = find("#wrapup-sign", HTMLInputElement);
    this.wellness = find("#wrapup-wellness", HTMLInputElement);
    this.none = find("#wrapup-none", HTMLSelectElement);
    this.error = find("#wrapup-error", HTMLElement);
    /** @type {string | null} */
    this.session = null;
    /** @type {readonly Option[]} */
    this.owners = [];
    this.me = "";
    this.disposition.replaceChildren(el("option", { value: "", text: t("console.choose") }),
      ...lists.dispositions.map((code) => el("option", { value: code, text: t(`common.disposition.${code}`) })));
    this.disposition.addEventListener("input", () => {
      this.#complain("");
      this.saver()?.edit("disposition", this.disposition.value || null, { typing: false });
    });
    this.flags = find("#wrapup-flags", HTMLElement);
    this.flags.replaceChildren(...lists.flags.map((code) => tick("checkbox", `wrapup-flag-${code}`, "", t(`common.flag.${code}`), (input) => {
      this.saver()?.edit(FLAG + code, input.checked || null, { typing: false });
    })));
    this.opioid = find("#wrapup-opioid", HTMLElement);
    this.opioid.replaceChildren(...lists.opioid.map((code) => tick("radio", `wrapup-opioid-${code}`, "opioid", t(`common.opioid.${code}`), () => {
      this.saver()?.edit("opioid", code, { typing: false });
    })));
    this.none.replaceChildren(el("option", { value: "", text: t("console.choose") }),
      ...lists.noFollowup.map((code) => el("option", { value: code, text: t(`common.followup_closed.${code}`) })));
    this.none.addEventListener("input", () => this.saver()?.edit("no_followup", this.none.value || null, { typing: false }));
    this.form.addEventListener("focusout", () => { void this.saver()?.flush(); });
    find("#followup-add", HTMLButtonElement).addEventListener("click", () => this.add());
  }

  /** @param {Given | null} given */
  draw(given) {
    const saver = this.saver();
    if (given?.session !== this.session) this.#begin(given?.session ?? null);
    if (!given || !saver) return;
    this.owners = given.owners;
    this.me = given.me;
    const chosen = saver.values["disposition"];
    put(this.disposition, typeof chosen === "string" ? chosen : given.advised);
    const flags = flagsOf(saver.values);
    for (const code of this.lists.flags) find(`#wrapup-flag-${code}`, HTMLInputElement, this.flags).checked = flags.includes(code);
    for (const code of this.lists.opioid) find(`#wrapup-opioid-${code}`, HTMLInputElement, this.opioid).checked = code === this.#opioid();
    if (given.wellness) this.wellness.checked = true; // the tablet said so: nobody takes it back here
    this.wellness.disabled = given.wellness;
    const none = saver.values["no_followup"];
    put(this.none, typeof none === "string" ? none : "");
    this.#drawRows(rowsOf(saver.values));
    setText(find("#wrapup-facts", HTMLElement), given.facts);
    showState(find("#wrapup-state", HTMLElement), stateOf(saver, given.why));
    showClash(find("#wrapup-clash", HTMLElement), saver.form.clash, (field, value) => this.#words(field, value), (which) => saver.choose(which));
  }

  #opioid() {
    const said = this.saver()?.values["opioid"];
    return typeof said === "string" ? said : "unknown";
  }

  /** @param {string | null} session */
  #begin(session) {
    this.session = session;
    this.disposition.value = "";
    this.sign.checked = false;
    this.wellness.checked = false;
    this.none.value = "";
    this.rows.replaceChildren();
    this.#complain("");
    this.error.hidden = true;
  }

  /** @param {[key: string, row: Row][]} rows */
  #drawRows(rows) {
    const wanted = new Map(rows);
    for (const item of findAll("[data-followup]", HTMLElement, this.rows)) {
      if (!wanted.has(item.dataset["followup"] ?? "")) item.remove();
    }
    find("#wrapup-none-field", HTMLElement).hidden = rows.length > 0;
    for (const [key, row] of rows) {
      const item = this.#item(key) ?? this.#append(key, row);
      put(find("[name=kind]", HTMLSelectElement, item), row.kind);
      put(find("[name=owner]", HTMLSelectElement, item), row.owner);
      put(find("[name=due]", HTMLInputElement, item), row.due_at === null ? "" : local(row.due_at));
      put(find("[name=note]", HTMLInputElement, item), row.note);
    }
  }

  /** @param {string} key */
  #item(key) {
    return findAll("[data-followup]", HTMLElement, this.rows).find((item) => item.dataset["followup"] === key) ?? null;
  }

  /** One more follow-up; the keyboard goes straight to its first field. */
  add() {
    const saver = this.saver();
    const kind = this.lists.followupKinds[0];
    if (!saver || !kind) return;
    const key = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    saver.edit(ROW + key, { kind, owner: this.me, due_at: this.#suggested(kind), note: "" }, { typing: false });
    const item = this.#item(key);
    if (item) find("[name=kind]", HTMLSelectElement, item).focus();
  }

  /** @param {string} kind @returns {number} when it should be done first, to the minute */
  #suggested(kind) {
    return this.#in(DUE_FIRST[kind] ?? 48);
  }

  /** @param {number} hours */
  #in(hours) {
    return Math.floor((this.now() + hours * HOUR) / 60) * 60;
  }

  /** @param {string} key @param {Partial<Row>} changes @param {{ typing: boolean }} how */
  #edit(key, changes, how) {
    const saver = this.saver();
    const row = /** @type {Row | undefined} */ (saver?.values[ROW + key]);
    if (!saver || !row) return;
    saver.edit(ROW + key, { kind: row.kind, owner: row.owner, due_at: row.due_at, note: row.note, ...changes }, how);
  }

  /** @param {string} key @param {Row} row */
  #append(key, row) {
    const now = { typing: false };
    const names = this.owners.map((one) => ({ value: one.id, text: one.id === this.me ? t("console.followup.me", { name: one.name }) : one.name }));
    const known = names.some((one) => one.value === row.owner) ? names : [...names, { value: row.owner, text: t("console.followup.owner.gone") }];
    const kind = el("select", { name: "kind", id: `followup-kind-${key}` },
      ...this.lists.followupKinds.map((code) => el("option", { value: code, text: t(`common.followup.${code}`) })));
    const owner = el("select", { name: "owner", id: `followup-owner-${key}` }, ...known.map((one) => el("option", one)));
    const due = el("input", { name: "due", id: `followup-due-${key}`, type: "datetime-local", required: true, max: local(LATEST) });
    const note = el("input", { name: "note", id: `followup-note-${key}`, class: "input", maxlength: 2000 });
    kind.addEventListener("input", () => this.#edit(key, { kind: kind.value, due_at: this.#suggested(kind.value) }, now));
    owner.addEventListener("input", () => this.#edit(key, { owner: owner.value }, now));
    due.addEventListener("input", () => this.#edit(key, { due_at: dueOf(due) }, now));
    note.addEventListener("input", () => this.#edit(key, { note: note.value }, { typing: true }));
    const item = el("li", { class: "followup", dataset: { followup: key } },
      field(t("console.followup.kind"), kind), field(t("console.followup.owner"), owner),
      el("div", { class: "field" }, el("label", { for: due.id, text: t("console.followup.due") }), due,
        el("div", { class: "cluster cluster--tight", role: "group", "aria-label": t("console.followup.quick") },
          ...QUICK.map(([name, hours]) => el("button", { type: "button", class: "button button--small", dataset: { due: name },
            onclick: () => this.#edit(key, { due_at: this.#in(hours) }, now), text: t(`console.followup.in_${name}`) })))),
      field(t("console.followup.note"), note),
      el("button", { type: "button", class: "button button--quiet followup__remove", onclick: () => {
        this.saver()?.edit(ROW + key, null, now);
        find("#followup-add", HTMLButtonElement).focus();
      }, text: t("console.followup.remove") }));
    this.rows.append(item);
    return item;
  }

  /** @param {string} field @param {unknown} value */
  #words(field, value) {
    const nothing = t("console.clash.nothing");
    if (field === "disposition") {
      return { name: t("console.wrapup.disposition"), words: typeof value === "string" ? t(`common.disposition.${value}`) : nothing };
    }
    if (field === "opioid") return { name: t("console.opioid"), words: typeof value === "string" ? t(`common.opioid.${value}`) : nothing };
    if (field === "no_followup") return { name: t("console.wrapup.none"), words: typeof value === "string" ? t(`common.followup_closed.${value}`) : nothing };
    if (field.startsWith(FLAG)) return { name: t(`common.flag.${field.slice(FLAG.length)}`), words: value === true ? t("common.opioid.yes") : nothing };
    if (typeof value !== "object" || value === null) return { name: t("console.followups"), words: nothing };
    const row = /** @type {Row} */ (value);
    const who = this.owners.find((one) => one.id === row.owner)?.name ?? t("console.followup.owner.gone");
    const due = row.due_at === null ? [] : [new Date(row.due_at * 1000).toLocaleDateString(locale()), timeOfDay(row.due_at, locale())];
    return { name: t("console.followups"), words: [t(`common.followup.${row.kind}`), who, ...due, ...(row.note ? [row.note] : [])].join(" · ") };
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
   * @returns {{ disposition: string, followups: Followup[], sign: boolean, flags: string[], opioid: string, wellness: boolean, no_followup: string | null } | null}
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
    for (const [key, row] of rowsOf(this.saver()?.values ?? {})) {
      const item = this.#item(key);
      const due = item ? find("[name=due]", HTMLInputElement, item) : null;
      const at = row.due_at;
      if (at === null || at < this.now() - 60) {
        this.fail(t("console.followup.past"));
        due?.setAttribute("aria-invalid", "true");
        due?.focus();
        return null;
      }
      due?.removeAttribute("aria-invalid");
      followups.push({ kind: row.kind, owner: row.owner, due_at: at, note: row.note.trim() });
    }
    const flags = flagsOf(this.saver()?.values ?? {});
    const none = followups.length > 0 ? null : this.none.value || null;
    return { disposition: this.disposition.value, followups, sign: this.sign.checked, flags, opioid: this.#opioid(), wellness: this.wellness.checked, no_followup: none };
  }
}

/** @param {HTMLInputElement} input @returns {number | null} UTC seconds; null while there is no sensible time */
function dueOf(input) {
  const at = input.value ? new Date(input.value).getTime() / 1000 : NaN;
  return at >= 0 && at <= LATEST ? at : null;
}

/**
 * Write a value without disturbing somebody who types in it.
 * @param {HTMLInputElement | HTMLSelectElement} input @param {string} value
 */
function put(input, value) {
  if (input.value !== value) input.value = value;
}

/**
 * @param {"checkbox" | "radio"} type @param {string} id @param {string} name @param {string} words
 * @param {(input: HTMLInputElement) => void} act
 */
function tick(type, id, name, words, act) {
  const input = el("input", { type, id, ...(name ? { name } : {}) });
  input.addEventListener("change", () => act(input));
  return el("label", { for: id }, input, words);
}

/** @param {string} name @param {HTMLElement} input */
function field(name, input) {
  return el("div", { class: "field" }, el("label", { for: input.id, text: name }), input);
}
