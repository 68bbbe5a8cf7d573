// What people do not notice: a still picture with sound, a dead camera, a dead microphone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, DEAD_MS, FINE, FROZEN_MS, read, see, STUCK_MS, clocks, decodedBy } from "../../web/static/js/lib/watchdog.js";

const ALL = { picture: true, camera: true, microphone: true };

/**
 * One look a second.
 * @param {number} seconds @param {(second: number) => import("../../web/static/js/lib/watchdog.js").Look} at
 * @param {import("../../web/static/js/lib/watchdog.js").Expected} [expected]
 */
function after(seconds, at, expected = ALL) {
  let watch = begin(0);
  let found = FINE;
  for (let second = 0; second <= seconds; second += 1) ({ watch, found } = see(watch, at(second), second * 1000, expected));
  return found;
}

/** @param {number} n */
const moving = (n) => ({ shown: 30 * n, taken: 30 * n, energy: n / 1000 });

test("what moves is fine for as long as it moves", () => {
  assert.deepEqual(after(60, moving), FINE);
});

test("a picture that stands still is noticed in three seconds, also one that never came", () => {
  assert.equal(after(FROZEN_MS / 1000 - 0.5, (n) => ({ ...moving(n), shown: 90 })).frozen, false);
  assert.equal(after(3, (n) => ({ ...moving(n), shown: 90 })).frozen, true);
  assert.equal(after(3, (n) => ({ ...moving(n), shown: 0 })).frozen, true);
  assert.equal(after(9, (n) => ({ ...moving(n), shown: n < 8 ? 90 : 91 })).frozen, false); // it moves again
});

test("a camera without pictures and a microphone without any sound are noticed, each in its time", () => {
  assert.equal(after(STUCK_MS / 1000, (n) => ({ ...moving(n), taken: 5 })).cameraStuck, true);
  assert.equal(after(STUCK_MS / 1000, (n) => ({ ...moving(n), energy: 0 })).microphoneDead, false);
  assert.equal(after(DEAD_MS / 1000, (n) => ({ ...moving(n), energy: 0 })).microphoneDead, true);
});

test("nothing is said of what is switched off, or of what a browser does not tell", () => {
  const off = { picture: false, camera: false, microphone: false };
  assert.deepEqual(after(60, () => ({ shown: 1, taken: 1, energy: 0 }), off), FINE);
  const untold = after(60, (n) => ({ shown: n, taken: null, energy: null }));
  assert.deepEqual(untold, FINE);
});

test("only the section of the other side's picture counts", () => {
  const report = [
    { type: "inbound-rtp", kind: "video", mid: "1", framesDecoded: 10 }, { type: "inbound-rtp", kind: "video", mid: "5", framesDecoded: 99 },
    { type: "media-source", kind: "video", frames: 7 }, { type: "media-source", kind: "audio", totalAudioEnergy: 0.5 },
  ];
  assert.deepEqual(read(report, "1"), { shown: 10, taken: 7, energy: 0.5 });
  assert.deepEqual(read([{ type: "inbound-rtp", kind: "video", framesDecoded: 3 }], "1"), { shown: 3, taken: null, energy: null });
});

test("each further picture has a clock of its own, and one of which the browser says nothing has none", () => {
  const report = (/** @type {number} */ one, /** @type {number} */ two) => [
    { type: "inbound-rtp", kind: "video", mid: "3", framesDecoded: one }, { type: "inbound-rtp", kind: "video", mid: "4", framesDecoded: two },
    { type: "inbound-rtp", kind: "audio", mid: "2" }, { type: "inbound-rtp", kind: "video", framesDecoded: 9 },
  ];
  let seen = clocks(new Map(), decodedBy(report(1, 5)), 1000);
  seen = clocks(seen, decodedBy(report(1, 6)), 2000);
  seen = clocks(seen, decodedBy(report(1, 7)), 3000);
  assert.deepEqual([...seen].map(([mid, { since }]) => [mid, since]), [["3", 1000], ["4", 3000]]);
});
