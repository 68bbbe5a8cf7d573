/**
 * When a page is covered because nobody is there, or because somebody must prove again who they are. Whoever is in a
 * call is there, however quiet. Pure; times in ms of one clock.
 */

export const TELL_MS = 60_000; // how often the server is told that somebody is here
const NEVER = Number.POSITIVE_INFINITY;

/** @typedef {{ seen: number, told: number, ends: number }} Presence  seen: a press, a key or a call; ends: the sign-in */
/** @typedef {"idle" | "expired"} Why */

/** @param {number} now @param {number} left  seconds that the sign-in lasts @returns {Presence} */
export function begin(now, left) {
  return { seen: now, told: now, ends: now + left * 1000 };
}

/**
 * Look again, often.
 * @param {Presence} was
 * @param {number} now
 * @param {{ idle: number, busy: boolean }} given  idle: seconds until the page is covered, 0: never; busy: in a call
 * @returns {{ presence: Presence, covers: Why | null, tell: boolean }}  tell: say to the server that somebody is here
 */
export function look(was, now, { idle, busy }) {
  const seen = busy ? now : was.seen;
  const due = idle > 0 ? seen + idle * 1000 : NEVER;
  const covers = busy ? null : now >= was.ends ? "expired" : now >= due ? "idle" : null;
  const tell = idle > 0 && covers === null && seen > was.told && now - was.told >= TELL_MS;
  return { presence: { ...was, seen, told: tell ? now : was.told }, covers, tell };
}

/** Somebody is here. @param {Presence} was @param {number} now @returns {Presence} */
export function stirred(was, now) {
  return { ...was, seen: now };
}

// --- what the page's own script knows of it ---

const page = { busy: false, rings: false };
/** @type {(() => void)[]} */
const listeners = [];

/** The page is in a call, or it rings. @param {{ busy: boolean, rings: boolean }} now */
export function tell(now) {
  if (now.busy === page.busy && now.rings === page.rings) return;
  Object.assign(page, now);
  for (const changed of listeners) changed();
}

export function told() {
  return { ...page };
}

/** @param {() => void} changed */
export function listen(changed) {
  listeners.push(changed);
}
