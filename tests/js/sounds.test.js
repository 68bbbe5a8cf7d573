// Whether a ring could be heard: noticed before the first one, and again when the browser takes the sound away.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ready, unlock, watch } from "../../web/static/js/lib/sounds.js";

/** A browser's sound, as far as blocking goes. */
class Sound extends EventTarget {
  /** @type {Sound[]} */
  static made = [];
  static pressed = false;
  state = "suspended";
  constructor() {
    super();
    Sound.made.push(this);
  }
  /** @param {string} state */
  become(state) {
    this.state = state;
    this.dispatchEvent(new Event("statechange"));
  }
  async resume() {
    if (!Sound.pressed) throw new Error("the system holds the sound");
    this.become("running");
  }
}
Reflect.set(globalThis, "AudioContext", Sound);

test("blocked before a press, healed by one, noticed when it is taken away, and opened anew when it was closed", async () => {
  /** @type {boolean[]} */
  const told = [];
  watch(() => told.push(ready()));
  assert.equal(await unlock(), false);
  Sound.pressed = true;
  assert.equal(await unlock(), true);
  Sound.made[0]?.become("interrupted");
  assert.deepEqual(told, [true, false]);
  assert.equal(await unlock(), true);
  Sound.made[0]?.become("closed");
  assert.deepEqual([ready(), await unlock(), Sound.made.length], [false, true, 2]);
  assert.deepEqual(told, [true, false, true, false, true]);
});
