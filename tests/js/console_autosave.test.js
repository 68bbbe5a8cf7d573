// A form that saves itself loses nothing and overwrites nobody.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY, accepted, begin, choose, conflicted, edit, failed, seen, unsaved, values } from "../../web/static/js/console/autosave.js";

/** @param {import("../../web/static/js/console/autosave.js").Form} form */
function started(form) {
  const begun = begin(form);
  assert.ok(begun);
  return begun;
}

test("only what changed is sent, against the revision that is known", () => {
  const form = edit(seen(EMPTY, { rev: 3, values: { a: "yes", b: "no" }, at: 10 }), "b", "yes");
  const { rev, changes } = started(form);
  assert.deepEqual([rev, changes], [3, { b: "yes" }]);
});

test("one save at a time, and what is typed meanwhile goes with the next", () => {
  const { form } = started(edit(EMPTY, "a", 1));
  const typed = edit(form, "b", 2);
  assert.equal(begin(typed), null);
  assert.deepEqual(values(typed), { a: 1, b: 2 });
  const next = started(accepted(typed, 1, 5));
  assert.deepEqual([next.rev, next.changes], [1, { b: 2 }]);
});

test("it is unsaved until the server said otherwise", () => {
  const typed = edit(EMPTY, "a", 1);
  const { form } = started(typed);
  assert.deepEqual([typed, form, accepted(form, 1, 5)].map(unsaved), [true, true, false]);
});

test("an answer changed back to what is saved needs no save", () => {
  const form = seen(EMPTY, { rev: 1, values: { a: "yes" }, at: 1 });
  assert.equal(unsaved(edit(edit(form, "a", "no"), "a", "yes")), false);
});

test("an answer changed back while the other one is on its way is saved again", () => {
  const form = seen(EMPTY, { rev: 1, values: { a: "yes" }, at: 1 });
  const back = edit(started(edit(form, "a", "no")).form, "a", "yes");
  assert.deepEqual(started(accepted(back, 2, 2)).changes, { a: "yes" });
});

test("clearing is sent as null and shows as nothing", () => {
  const form = edit(seen(EMPTY, { rev: 1, values: { a: "yes" }, at: 1 }), "a", null);
  assert.deepEqual(values(form), {});
  assert.deepEqual(started(form).changes, { a: null });
});

test("a save that failed loses nothing, and newer words win over the ones that failed", () => {
  const form = edit(edit(started(edit(edit(EMPTY, "a", 1), "b", 1)).form, "a", 2), "c", 3);
  assert.deepEqual(started(failed(form)).changes, { a: 2, b: 1, c: 3 });
});

test("the snapshot of our own save, arriving before the answer, is not a conflict", () => {
  const { form } = started(edit(EMPTY, "a", "yes"));
  const after = accepted(seen(form, { rev: 1, values: { a: "yes" }, at: 7 }), 1, 7);
  assert.deepEqual([after.rev, after.clash, unsaved(after)], [1, null, false]);
});

test("an older snapshot changes nothing", () => {
  const form = seen(EMPTY, { rev: 5, values: { a: 5 }, at: 5 });
  assert.equal(seen(form, { rev: 4, values: { a: 4 }, at: 4 }), form);
});

test("changes to different fields are put together without a question", () => {
  const known = seen(EMPTY, { rev: 1, values: { a: 1 }, at: 1 });
  const after = conflicted(started(edit(known, "b", 2)).form, { rev: 2, values: { a: 1, c: 3 }, at: null });
  assert.equal(after.clash, null);
  assert.deepEqual(values(after), { a: 1, b: 2, c: 3 });
  assert.deepEqual([started(after).rev, started(after).changes], [2, { b: 2 }]);
});

test("changes to the same field wait for a choice, and both versions are kept", () => {
  const known = seen(EMPTY, { rev: 1, values: { a: 1 }, at: 1 });
  const after = conflicted(started(edit(known, "a", 2)).form, { rev: 2, values: { a: 3 }, at: null });
  assert.deepEqual(after.clash, { mine: { a: 2 }, theirs: { a: 3 } });
  assert.equal(begin(after), null);
  assert.equal(unsaved(after), true);
  assert.deepEqual(started(choose(after, "mine")).changes, { a: 2 });
  assert.deepEqual(values(choose(after, "theirs")), { a: 3 });
  assert.equal(unsaved(choose(after, "theirs")), false);
});

test("typing into a field that clashes is the choice", () => {
  const known = seen(EMPTY, { rev: 1, values: { a: 1 }, at: 1 });
  const clash = conflicted(started(edit(known, "a", 2)).form, { rev: 2, values: { a: 3 }, at: null });
  const typed = edit(clash, "a", 4);
  assert.equal(typed.clash, null);
  assert.deepEqual(started(typed).changes, { a: 4 });
});

test("a clash stays while more snapshots come", () => {
  const known = seen(EMPTY, { rev: 1, values: { a: 1 }, at: 1 });
  const clash = conflicted(started(edit(known, "a", 2)).form, { rev: 2, values: { a: 3 }, at: null });
  assert.deepEqual(seen(clash, { rev: 3, values: { a: 3, b: 1 }, at: 9 }).clash, { mine: { a: 2 }, theirs: { a: 3 } });
});

test("a refusal that does not say what is there keeps everything for the next try", () => {
  const { form } = started(edit(EMPTY, "a", 1));
  assert.deepEqual(started(conflicted(form, null)).changes, { a: 1 });
});
