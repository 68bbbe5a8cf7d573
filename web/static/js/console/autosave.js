/**
 * One form that saves itself: what the server holds, what is on its way, what was typed since. Pure: no line, no clock.
 * The server numbers revisions; a save names the one it builds on. When somebody saved first, changes to different fields
 * are put together, and only fields that both changed wait for a choice. Nothing that was typed is ever dropped here.
 */

/** @typedef {Readonly<Record<string, unknown>>} Values  by field; null means cleared */
/** @typedef {{ rev: number, values: Values, at: number | null }} Saved */
/** @typedef {{ theirs: Values, mine: Values }} Clash  the fields that both sides changed */
/**
 * @typedef {object} Form
 * @property {number} rev  0: nothing saved yet
 * @property {Values} server  as of `rev`
 * @property {Values | null} flying  sent and not answered
 * @property {Values} dirty  changed since
 * @property {number | null} savedAt
 * @property {Clash | null} clash
 * @property {Saved | null} later  a newer revision seen while a save was on its way
 */

/** @type {Readonly<Form>} */
export const EMPTY = { rev: 0, server: {}, flying: null, dirty: {}, savedAt: null, clash: null, later: null };

/** @param {unknown} a @param {unknown} b */
export function same(a, b) {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

/** @param {Values} values @param {Values} changes @returns {Values} */
function merged(values, changes) {
  return Object.fromEntries(Object.entries({ ...values, ...changes }).filter(([, value]) => value !== null && value !== undefined));
}

/**
 * What the page shows: everything that was typed, over what is saved.
 * @param {Form} form
 * @returns {Values}
 */
export function values(form) {
  return merged(form.server, { ...form.clash?.mine, ...form.flying, ...form.dirty });
}

/** @param {Form} form whether anything typed is not on the server yet */
export function unsaved(form) {
  return form.flying !== null || form.clash !== null || Object.keys(form.dirty).length > 0;
}

/**
 * A field was changed by hand. Typing into a field that clashes is a choice: the new words win.
 * @param {Form} form
 * @param {string} field
 * @param {unknown} value
 * @returns {Form}
 */
export function edit(form, field, value) {
  const { [field]: _old, ...dirty } = form.dirty;
  const settled = form.clash ? without(form.clash, field) : null;
  const known = form.flying && field in form.flying ? form.flying[field] : form.server[field];
  if (same(known, value)) return { ...form, dirty, clash: settled };
  return { ...form, dirty: { ...dirty, [field]: value ?? null }, clash: settled };
}

/** @param {Clash} clash @param {string} field @returns {Clash | null} */
function without(clash, field) {
  const { [field]: _mine, ...mine } = clash.mine;
  const { [field]: _theirs, ...theirs } = clash.theirs;
  return Object.keys(mine).length > 0 ? { mine, theirs } : null;
}

/**
 * Begin a save, when there is something to save and none is on its way.
 * @param {Form} form
 * @returns {{ form: Form, rev: number, changes: Values } | null}
 */
export function begin(form) {
  if (form.flying !== null || Object.keys(form.dirty).length === 0) return null;
  return { form: { ...form, flying: form.dirty, dirty: {} }, rev: form.rev, changes: form.dirty };
}

/**
 * The save was accepted.
 * @param {Form} form
 * @param {number} rev
 * @param {number} at
 * @returns {Form}
 */
export function accepted(form, rev, at) {
  const server = merged(form.server, form.flying ?? {});
  const done = { ...form, rev, server, flying: null, savedAt: at, later: null };
  return form.later && form.later.rev > rev ? adopt(done, form.later) : done;
}

/**
 * The save did not work, and nothing was changed: it goes back to what is typed, for the next try.
 * @param {Form} form
 * @returns {Form}
 */
export function failed(form) {
  const back = { ...form, dirty: { ...form.flying, ...form.dirty }, flying: null, later: null };
  return form.later ? adopt(back, form.later) : back;
}

/**
 * A revision came from the server: with a snapshot, or with a refusal.
 * @param {Form} form
 * @param {Saved} saved
 * @returns {Form}
 */
export function seen(form, saved) {
  if (saved.rev < form.rev || (saved.rev === form.rev && form.savedAt !== null)) return form;
  if (form.flying !== null) return { ...form, later: saved }; // perhaps our own: the answer tells
  return adopt(form, saved);
}

/** @param {Form} form @param {Saved} saved @returns {Form} */
function adopt(form, saved) {
  if (saved.rev <= form.rev) return { ...form, savedAt: saved.at ?? form.savedAt };
  const typed = { ...form.clash?.mine, ...form.dirty };
  /** @type {Record<string, unknown>} */
  const dirty = {};
  /** @type {Record<string, unknown>} */
  const mine = {};
  /** @type {Record<string, unknown>} */
  const theirs = {};
  for (const [field, value] of Object.entries(typed)) {
    const now = saved.values[field];
    if (same(now, value)) continue;
    if (same(now, form.server[field]) && !(form.clash && field in form.clash.mine)) dirty[field] = value;
    else {
      mine[field] = value;
      theirs[field] = now ?? null;
    }
  }
  const clash = Object.keys(mine).length > 0 ? { mine, theirs } : null;
  return { ...form, rev: saved.rev, server: saved.values, dirty, clash, savedAt: saved.at ?? form.savedAt, later: null };
}

/**
 * Somebody saved first, and this is what is there now.
 * @param {Form} form
 * @param {Saved | null} current  null: the refusal did not say
 * @returns {Form}
 */
export function conflicted(form, current) {
  const back = failed(form);
  return current ? seen({ ...back, savedAt: current.rev > back.rev ? null : back.savedAt }, current) : back;
}

/**
 * The choice between the two versions.
 * @param {Form} form
 * @param {"mine" | "theirs"} which
 * @returns {Form}
 */
export function choose(form, which) {
  if (!form.clash) return form;
  const dirty = which === "mine" ? { ...form.clash.mine, ...form.dirty } : form.dirty;
  return { ...form, dirty, clash: null };
}
