/**
 * The end of a work session that nobody ended: a console which stays "Available" for hours after its shift, with nobody at it,
 * would be asked to take a session over, and would show a name to colleagues who is not there. Nobody whom the roster has on call is ever put
 * away like that: at 3 a.m. a quiet console is the rule, and the ring is there to wake its owner. Pure; times in ms of one clock.
 */

export const QUIET_MS = 30 * 60_000;
export const ANSWER_MS = 2 * 60_000;
const SLEPT_MS = 90_000; // a look that comes so late: the machine slept, and its owner could not have seen the question
export const REASON = "idle";

/** @typedef {{ stirred: number, asked: number | null, looked: number }} Idle */

/** @param {number} now @returns {Idle} */
export function begin(now) {
  return { stirred: now, asked: null, looked: now };
}

/**
 * Somebody is here.
 * @param {Idle} idle @param {number} now @returns {Idle}
 */
export function stirred(idle, now) {
  return { ...idle, stirred: now, asked: null };
}

/**
 * Look again, often.
 * @param {Idle} idle @param {number} now
 * @param {boolean | null} watched  whether this work session may end by itself (`mayEnd`); null: the line is gone for the moment, which
 *   nobody's hand has done, so that the time goes on
 * @returns {{ idle: Idle, ends: boolean }}  ends: nobody answered, say "off"
 */
export function look(idle, now, watched) {
  if (watched === null) return { idle, ends: false };
  if (!watched) return { idle: begin(now), ends: false };
  const slept = now - idle.looked > SLEPT_MS;
  const quiet = now - idle.stirred >= QUIET_MS;
  const asked = quiet ? (slept ? now : (idle.asked ?? now)) : null;
  const ends = asked !== null && now - asked >= ANSWER_MS;
  return { idle: ends ? begin(now) : { ...idle, asked, looked: now }, ends };
}

/** Seconds until nobody has answered, or null when nothing is asked. @param {Idle} idle @param {number} now */
export function secondsLeft({ asked }, now) {
  return asked === null ? null : Math.max(0, Math.ceil((asked + ANSWER_MS - now) / 1000));
}

/**
 * @param {import("../lib/wire.js").ConsoleView | null} view
 * @param {boolean} ringing
 */
export function mayEnd(view, ringing) {
  if (!view || ringing || view.session !== null) return false;
  return !view.me.on_call && view.me.activity !== "offline" && view.me.work === "idle";
}

/** A shift begins for somebody who was put away, not for somebody who chose "off". @param {import("../lib/wire.js").Me} me */
export function comesBack(me) {
  return me.on_call && me.activity === "offline" && me.reason === REASON;
}
