// A supervisor who listens, and speaks to the lead alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Whisper } from "../../web/static/js/lib/whisper.js";

function setting() {
  const microphone = { speaks: false, speak: () => { microphone.speaks = true; }, hush: async () => { microphone.speaks = false; } };
  /** @type {string[]} */
  const told = [];
  /** @type {((done: boolean) => void)[]} */
  const answers = [];
  const whisper = new Whisper({ microphone, tell: (mode) => { told.push(mode); return new Promise((resolve) => { answers.push(resolve); }); } });
  return { microphone, told, answers, whisper };
}

test("a second press means the opposite of the first, though no snapshot has come between them", async () => {
  const { microphone, told, answers, whisper } = setting();
  whisper.follow("listen");
  const first = whisper.press();
  assert.deepEqual([whisper.on, microphone.speaks], [true, true]);
  const second = whisper.press();
  assert.deepEqual(told, ["whisper", "listen"]);
  assert.deepEqual([whisper.on, microphone.speaks], [false, false]);
  answers.forEach((answer) => answer(true));
  await Promise.all([first, second]);
  whisper.follow("whisper"); // the snapshot of the first press
  assert.deepEqual([whisper.on, microphone.speaks], [false, false]);
  whisper.follow("listen");
  assert.equal(whisper.on, false);
});

test("what was not allowed is as it was before, and the microphone is closed", async () => {
  const { microphone, answers, whisper } = setting();
  const press = whisper.press();
  answers[0]?.(false);
  await press;
  assert.deepEqual([whisper.on, microphone.speaks], [false, false]);
});

test("who fell silent is shown as silent, whatever the server made of it", async () => {
  const { microphone, answers, whisper } = setting();
  whisper.follow("whisper");
  microphone.speak();
  const press = whisper.press();
  answers[0]?.(false);
  await press;
  whisper.follow("whisper");
  assert.deepEqual([whisper.on, microphone.speaks], [false, false]);
});

test("no microphone stays open when the server says that one only listens", () => {
  const { microphone, whisper } = setting();
  whisper.follow("whisper");
  microphone.speak();
  whisper.follow("listen"); // another window of theirs pressed
  assert.equal(microphone.speaks, false);
});

test("nothing of one call is left in the next", () => {
  const { whisper } = setting();
  void whisper.press();
  whisper.forget();
  assert.equal(whisper.on, false);
});
