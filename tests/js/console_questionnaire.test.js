// Which questions apply, on the shipped instrument and on made-up ones.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { answered, display, enabled, flat, progress } from "../../web/static/js/console/questionnaire.js";

/** @typedef {import("../../web/static/js/console/questionnaire.js").Item} Item */
/** @typedef {import("../../web/static/js/console/questionnaire.js").Condition} Condition */
/** @type {{ item: Item[] }} */
const shipped = JSON.parse(readFileSync(new URL("../../records/instruments/forms/field-safety-1.1.json", import.meta.url), "utf8"));
const coding = (/** @type {string} */ code) => ({ code });
/** @param {string} linkId @param {Condition[]} [enableWhen] @param {"any" | "all"} [enableBehavior] @returns {Item} */
const question = (linkId, enableWhen = [], enableBehavior = "any") => ({ linkId, type: "choice", required: true, enableWhen, enableBehavior });

test("a condition opens its question, and a question behind a closed one stays closed", () => {
  const open = (/** @type {Record<string, unknown>} */ answers) => {
    const applies = enabled(shipped.item, answers);
    return ["plan", "means", "means-secured"].filter((id) => applies.has(id));
  };
  assert.deepEqual(open({}), []);
  assert.deepEqual(open({ thoughts: "yes" }), ["plan", "means"]);
  assert.deepEqual(open({ thoughts: "yes", means: "yes" }), ["plan", "means", "means-secured"]);
  assert.deepEqual(open({ thoughts: "no", means: "yes" }), []); // the old answer to "means" does not count
});

test("any and all", () => {
  /** @type {Condition[]} */
  const both = [{ question: "a", operator: "=", answerCoding: coding("yes") }, { question: "b", operator: "=", answerCoding: coding("yes") }];
  const items = [question("a"), question("b"), question("any", both), question("all", both, "all")];
  assert.deepEqual([...enabled(items, { a: "yes" })], ["a", "b", "any"]);
  assert.deepEqual([...enabled(items, { a: "yes", b: "yes" })], ["a", "b", "any", "all"]);
});

test("not equal needs an answer; exists can be asked both ways; a ticked one of many counts", () => {
  const items = [
    question("a"), question("not", [{ question: "a", operator: "!=", answerCoding: coding("yes") }]),
    question("some", [{ question: "a", operator: "exists", answerBoolean: true }]), question("none", [{ question: "a", operator: "exists", answerBoolean: false }]),
    question("in", [{ question: "a", operator: "=", answerCoding: coding("x") }]),
  ];
  assert.deepEqual([...enabled(items, {})], ["a", "none"]);
  assert.deepEqual([...enabled(items, { a: "no" })], ["a", "not", "some"]);
  assert.deepEqual([...enabled(items, { a: ["x", "y"] })], ["a", "not", "some", "in"]);
});

test("what stands in a closed group is closed", () => {
  /** @type {Item} */
  const group = { linkId: "g", type: "group", enableWhen: [{ question: "a", operator: "=", answerBoolean: true }], item: [question("in")] };
  assert.deepEqual([...enabled([{ linkId: "a", type: "boolean" }, group], { a: false })], ["a"]);
  assert.deepEqual([...enabled([{ linkId: "a", type: "boolean" }, group], { a: true })], ["a", "g", "in"]);
});

test("a circle of conditions opens nothing and ends", () => {
  const items = [question("a", [{ question: "b", operator: "=", answerCoding: coding("x") }]), question("b", [{ question: "a", operator: "=", answerCoding: coding("x") }])];
  assert.deepEqual([...enabled(items, { a: "x", b: "x" })], []);
});

test("progress counts the required questions that apply", () => {
  const before = progress(shipped.item, {});
  assert.equal(before.done, 0);
  const after = progress(shipped.item, { thoughts: "yes", plan: "no" });
  assert.deepEqual([after.done, after.of], [2, before.of + 3]);
});

test("empty is not an answer, no is", () => {
  assert.deepEqual([undefined, null, "", []].map(answered), [false, false, false, false]);
  assert.deepEqual([false, 0, "no", ["x"]].map(answered), [true, true, true, true]);
});

test("an answer is shown by its own words", () => {
  const words = { yes: "Yes", no: "No", nothing: "nothing" };
  const thoughts = flat(shipped.item).find((item) => item.linkId === "thoughts");
  assert.ok(thoughts);
  assert.deepEqual(["yes", "refused", null].map((value) => display(thoughts, value, words)), ["Yes", "Would not say", "nothing"]);
  assert.equal(display({ linkId: "b", type: "boolean" }, false, words), "No");
  assert.equal(display({ linkId: "t", type: "text" }, "as written", words), "as written");
});
