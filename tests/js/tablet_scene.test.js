// What the officer says of the scene by one tap each, and the clock of the overdose card.
import assert from "node:assert/strict";
import { test } from "node:test";
import { QUESTIONS } from "../../web/static/js/lib/scene.js";
import { belongTo, clockOf, forgotten, given, givenBefore, offersCard, saidMore, stepOf, MOST_DOSES } from "../../web/static/js/tablet/scene_state.js";

/** @typedef {import("../../web/static/js/lib/wire.js").Dose} Dose */
/** @typedef {import("../../web/static/js/lib/wire.js").SceneView} SceneView */

/** @param {SceneView["answers"]} answers @param {readonly string[]} [passed] @param {SceneView["activity"]} [activity] @param {readonly string[]} [tiles] */
const step = (answers, passed = [], activity = {}, tiles = []) => {
  const found = stepOf({ answers, activity }, passed, tiles);
  return "name" in found ? `${found.kind} ${found.name}` : found.kind;
};
const GO = /** @type {const} */ ({ safe: "yes", medical: "no", intoxicated: "no", willing: "yes" });
/** @param {number | null} at @returns {Dose} */
const dose = (at) => ({ at, product: "nasal-4", by: "officer" });

test("four taps when nothing stands in the way, then how the person is", () => {
  /** @type {SceneView["answers"]} */
  let answers = {};
  for (const name of QUESTIONS) {
    assert.equal(step(answers), `question ${name}`);
    answers = { ...answers, [name]: GO[name] };
  }
  assert.equal(step(answers), "activity");
  assert.equal(step(answers, [], { before: 5 }), "done");
});

test("each no-go leads to what comes first, and then on: never to a dead end", () => {
  const stops = /** @type {const} */ ({ safe: "no", medical: "yes", intoxicated: "yes", willing: "no" });
  for (const name of QUESTIONS) {
    const answers = { ...GO, [name]: stops[name] };
    assert.equal(step(answers), `stop ${name}`);
    assert.equal(step(answers, [`stop-${name}`]), "activity");
  }
  assert.deepEqual(QUESTIONS.filter(offersCard), ["medical", "intoxicated"]);
});

test("everything can be skipped", () => {
  assert.equal(step({}, ["safe"]), "question medical");
  assert.equal(step({}, [...QUESTIONS]), "activity");
  assert.equal(step({}, [...QUESTIONS, "activity"]), "done");
});

test("hard to wake, or the tile of an overdose, offers the card once", () => {
  for (const before of [1, 2]) assert.equal(step(GO, [], { before }), "stop sedated");
  assert.equal(step(GO, [], { before: 3 }), "done");
  assert.equal(step(GO, ["stop-sedated"], { before: 1 }), "done");
  assert.equal(step({}, [], {}, ["overdose"]), "stop overdose");
  assert.equal(step({}, ["stop-overdose"], {}, ["overdose"]), "question safe");
  assert.ok(offersCard("sedated") && offersCard("overdose"));
});

test("the clock counts from the first dose, and the next one from the last", () => {
  assert.deepEqual(clockOf([], null, 1000), { count: 0, since: null, left: 0, words: "none", until: null });
  const one = [dose(1000)];
  assert.deepEqual(clockOf(one, null, 1030), { count: 1, since: 30, left: 90, words: "wait", until: 1000 + 5400 });
  assert.equal(clockOf(one, null, 1119.5).words, "wait");
  assert.equal(clockOf(one, null, 1120).words, "due");
  const two = [dose(1000), dose(1150)];
  assert.deepEqual(clockOf(two, null, 1200), { count: 2, since: 200, left: 70, words: "wait", until: 1150 + 5400 });
  assert.equal(clockOf(two, "none", 1300).words, "due");
  assert.equal(clockOf(two, "drowsy", 1300).words, "due");
  assert.equal(clockOf(two, "awake", 1300).words, "awake");
});

test("a dose that was given before the officer came has no time, and starts no clock", () => {
  const doses = givenBefore([]);
  assert.deepEqual(doses, [{ at: null, product: "unknown", by: "bystander" }]);
  assert.equal(clockOf(doses, null, 5).words, "unknown");
  assert.equal(clockOf(doses, null, 5).since, null);
  const both = given(doses, 50);
  assert.deepEqual(both[1], { at: 50, product: "unknown", by: "officer" });
  assert.equal(clockOf(both, null, 60).since, 10);
  assert.equal(givenBefore([dose(9)])[1]?.at, 9, "it comes before those that were tapped");
});

test("another dose is as the last one was, until somebody says otherwise", () => {
  const first = saidMore(given([], 10), { product: "nasal-8", by: "ems" });
  assert.deepEqual(first, [{ at: 10, product: "nasal-8", by: "ems" }]);
  assert.deepEqual(given(first, 200)[1], { at: 200, product: "nasal-8", by: "ems" });
  assert.equal(saidMore(given(first, 200), { by: "officer" })[0]?.by, "ems", "only the last one is said more closely");
  const full = Array.from({ length: MOST_DOSES }, (_, at) => dose(at));
  assert.equal(given(full, 99).length, MOST_DOSES);
  assert.equal(givenBefore(full).length, MOST_DOSES);
});

test("doses from shortly before a press go with it, and old ones do not", () => {
  assert.ok(!belongTo([], 0));
  assert.ok(belongTo([dose(0)], 5399));
  assert.ok(!belongTo([dose(0)], 5400));
  assert.ok(belongTo([dose(null)], 99_999));
  assert.ok(forgotten(0, 10_801) && !forgotten(0, 10_800) && !forgotten(null, 99_999));
});
