import assert from "node:assert/strict";
import { test } from "node:test";

import { Saver } from "../../web/static/js/console/saver.js";

/** A server that answers each save after a turn of the loop, and notes what it was sent. */
function server() {
  /** @type {string[]} */
  const log = [];
  let rev = 0;
  const answer = async (/** @type {string} */ what) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    log.push(what);
    rev += 1;
    return { rev, at: rev };
  };
  return { log, answer };
}

test("sending right after typing is never lost behind an autosave", async () => {
  const { log, answer } = server();
  const saver = new Saver({ save: () => answer("draft"), current: () => null, changed: () => {} });
  saver.edit("level", "soon", { typing: false });
  const first = saver.flush(); // an autosave is on its way
  saver.edit("words", "Stay.", { typing: true });
  const second = saver.flush(); // and another one waits for it
  const sent = await saver.directly((_rev, all) => answer(`send ${String(all["words"])}`));
  await Promise.all([first, second]);
  assert.equal(sent, true);
  assert.equal(log.at(-1), "send Stay.");
});

test("saves are one at a time", async () => {
  let flying = 0;
  let most = 0;
  let rev = 0;
  const save = async () => {
    flying += 1;
    most = Math.max(most, flying);
    await new Promise((resolve) => setTimeout(resolve, 5));
    flying -= 1;
    rev += 1;
    return { rev, at: rev };
  };
  const saver = new Saver({ save, current: () => null, changed: () => {} });
  for (const level of ["routine", "soon", "now"]) {
    saver.edit("level", level, { typing: false });
    void saver.flush();
  }
  assert.equal(await saver.flush(), true);
  assert.equal(most, 1);
});

test("whoever types without a pause is saved every few seconds all the same", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  /** @type {string[]} */
  const saved = [];
  const saver = new Saver({
    save: (rev, changes) => {
      saved.push(String(changes["words"]));
      return Promise.resolve({ rev: rev + 1, at: rev + 1 });
    },
    current: () => null,
    changed: () => {},
  });
  let words = "";
  for (let key = 0; key < 40; key += 1) { // eight seconds, five letters in each
    words += "a";
    saver.edit("words", words, { typing: true });
    t.mock.timers.tick(200);
    await new Promise((resolve) => setImmediate(resolve)); // the answer is there
  }
  assert.deepEqual(saved.map((one) => one.length), [15, 30]);
});
