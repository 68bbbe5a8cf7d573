// A work session that nobody ended: asked after half an hour, put away after two more minutes, and never while on call.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ANSWER_MS, begin, comesBack, look, mayEnd, QUIET_MS, secondsLeft, stirred } from "../../web/static/js/console/idle.js";

const STEP = 5000;

/** @typedef {import("../../web/static/js/console/idle.js").Idle} Idle */

/** Look every five seconds. @param {Idle} idle @param {number} from @param {number} until @param {boolean | null} [watched] */
function pass(idle, from, until, watched = true) {
  let ended = 0;
  for (let now = from + STEP; now <= until; now += STEP) {
    const next = look(idle, now, watched);
    idle = next.idle;
    if (next.ends) ended += 1;
  }
  return { idle, ended };
}

test("half an hour without a touch is asked about, and two more minutes without an answer end it, once", () => {
  const quiet = pass(begin(0), 0, QUIET_MS - STEP);
  assert.equal(secondsLeft(quiet.idle, QUIET_MS - STEP), null);
  const asked = pass(quiet.idle, QUIET_MS - STEP, QUIET_MS);
  assert.equal(secondsLeft(asked.idle, QUIET_MS), ANSWER_MS / 1000);
  const before = pass(asked.idle, QUIET_MS, QUIET_MS + ANSWER_MS - STEP);
  assert.deepEqual([before.ended, secondsLeft(before.idle, QUIET_MS + ANSWER_MS - STEP)], [0, STEP / 1000]);
  const after = pass(before.idle, QUIET_MS + ANSWER_MS - STEP, 2 * QUIET_MS);
  assert.equal(after.ended, 1);
  assert.equal(secondsLeft(after.idle, 2 * QUIET_MS), null);
});

test("a touch begins the half hour anew, also while it is asked", () => {
  const asked = pass(begin(0), 0, QUIET_MS);
  const here = stirred(asked.idle, QUIET_MS + 1000);
  assert.equal(secondsLeft(here, QUIET_MS + 1000), null);
  const later = pass(here, QUIET_MS + 1000, 2 * QUIET_MS);
  assert.deepEqual([later.ended, later.idle.asked], [0, null]);
});

test("what may not end by itself is not asked about, and the half hour begins when it may", () => {
  const kept = pass(begin(0), 0, 4 * QUIET_MS, false);
  assert.deepEqual([kept.ended, kept.idle.asked], [0, null]);
  const over = pass(kept.idle, 4 * QUIET_MS, 5 * QUIET_MS - STEP);
  assert.equal(over.idle.asked, null);
  assert.equal(look(pass(begin(0), 0, QUIET_MS).idle, QUIET_MS + STEP, false).idle.asked, null); // rung meanwhile
});

test("a line that is gone for a moment is nobody's hand: the half hour goes on, and nothing is asked or ended meanwhile", () => {
  const half = pass(begin(0), 0, QUIET_MS / 2);
  const lost = pass(half.idle, QUIET_MS / 2, QUIET_MS / 2 + 30_000, null);
  assert.equal(secondsLeft(pass(lost.idle, QUIET_MS / 2 + 30_000, QUIET_MS).idle, QUIET_MS), ANSWER_MS / 1000);
  const asked = pass(begin(0), 0, QUIET_MS);
  const away = pass(asked.idle, QUIET_MS, QUIET_MS + ANSWER_MS + 60_000, null);
  assert.deepEqual([away.ended, pass(begin(0), 0, 2 * QUIET_MS, null).idle.asked], [0, null]);
  const back = look(away.idle, QUIET_MS + ANSWER_MS + 60_000, true); // gone for long: with the whole time to answer
  assert.deepEqual([back.ends, secondsLeft(back.idle, QUIET_MS + ANSWER_MS + 60_000)], [false, ANSWER_MS / 1000]);
});

test("a machine that slept asks when it wakes, with the whole time to answer", () => {
  const night = 8 * 3_600_000;
  const woken = look(begin(0), night, true);
  assert.deepEqual([woken.ends, secondsLeft(woken.idle, night)], [false, ANSWER_MS / 1000]);
  const asked = pass(begin(0), 0, QUIET_MS + 60_000);
  const again = look(asked.idle, night, true);
  assert.deepEqual([again.ends, secondsLeft(again.idle, night)], [false, ANSWER_MS / 1000]);
});

/** @param {Partial<import("../../web/static/js/lib/wire.js").Me>} changes */
function me(changes) {
  return { id: "per_d", name: "Dana", activity: "available", reason: null, work: "idle", on_call: false, tier: null, licensed: true, ...changes };
}

/** @param {Partial<import("../../web/static/js/lib/wire.js").Me>} changes */
function view(changes) {
  return /** @type {import("../../web/static/js/lib/wire.js").ConsoleView} */ ({ type: "console", n: 1, me: me(changes), waiting: [], waiting_total: 0, offers: [], missed: [], session: null, colleagues: [], colleagues_total: 0, live: [], owners: [] });
}

test("only a console that is off the roster, not off, and at rest may end by itself", () => {
  assert.equal(mayEnd(view({}), false), true);
  assert.equal(mayEnd(view({ activity: "paused", reason: "break" }), false), true);
  assert.equal(mayEnd(null, false), false);
  assert.equal(mayEnd(view({}), true), false);
  assert.equal(mayEnd(view({ on_call: true, tier: 1 }), false), false);
  assert.equal(mayEnd(view({ activity: "offline" }), false), false);
  assert.equal(mayEnd(view({ work: "wrap_up" }), false), false);
});

test("a shift that begins brings back who was put away, not who chose to be off", () => {
  assert.equal(comesBack(me({ on_call: true, activity: "offline", reason: "idle" })), true);
  assert.equal(comesBack(me({ on_call: true, activity: "offline" })), false);
  assert.equal(comesBack(me({ activity: "offline", reason: "idle" })), false);
});
