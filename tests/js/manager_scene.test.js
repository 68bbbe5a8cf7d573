import assert from "node:assert/strict";
import { test } from "node:test";

import { arrange, changes } from "../../web/static/js/manager/scene_rows.js";

/** @param {string} id @param {string} state */
const row = (id, state) => ({
  id, state, code: `code ${id}`, unit: `unit ${id}`, agency: "", county: "", step: null, clinician: null, again: false, pressed: "", clock: "", seconds: 0,
});

test("without the keyboard in it the table is what the news say", () => {
  assert.deepEqual(arrange(["a", "b"], ["b", "c"], false), { order: ["b", "c"], over: [] });
});

test("under the keyboard nothing moves and nothing goes: new ones come last, old ones are marked", () => {
  assert.deepEqual(arrange(["a", "b"], ["c", "b"], true), { order: ["a", "b", "c"], over: ["a"] });
});

test("only what changed is said: who came, whose state is another, who is gone", () => {
  const before = new Map([["a", row("a", "waiting")], ["b", row("b", "waiting")], ["c", row("c", "connected")]]);
  const said = changes(before, [row("a", "waiting"), row("b", "connected"), row("d", "waiting")]);
  assert.deepEqual(said.map(({ kind, code, state }) => [kind, code, state]), [
    ["state", "code b", "connected"], ["new", "code d", "waiting"], ["over", "code c", "connected"],
  ]);
});
