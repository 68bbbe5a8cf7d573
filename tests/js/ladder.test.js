// How much picture a line carries: down quickly, up slowly, and never for a loss that is repaired without a trace.
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, climb, DOWN_MS, lesser, PHONE_MS, PICTURES, read, sentWords, SLOWEST_MS, SOUNDS, stepOf, STEPS, UP_MS, WARM_MS } from "../../web/static/js/lib/ladder.js";

/** @typedef {import("../../web/static/js/lib/ladder.js").Look} Look */

/** @type {Look} */
const FAST = { up: true, uplink: 2_000_000, loss: 0, trip: 0.05 };

/** A walk on the ladder, one look a second. */
class Walk {
  constructor() {
    this.now = 0;
    this.ladder = begin(0);
    /** @type {[number, string][]} */
    this.steps = [];
  }

  /** @param {number} seconds @param {Partial<Look>} look @returns {string} the step at the end */
  go(seconds, look) {
    for (let second = 0; second < seconds; second += 1) {
      this.now += 1000;
      const before = stepOf(this.ladder, this.now);
      this.ladder = climb(this.ladder, { ...FAST, ...look }, this.now);
      const after = stepOf(this.ladder, this.now);
      if (after !== before) this.steps.push([this.now / 1000, after]);
    }
    return stepOf(this.ladder, this.now);
  }
}

test("a good line stays on top, and so does one that loses a twentieth", () => {
  assert.equal(new Walk().go(120, {}), "720p");
  assert.equal(new Walk().go(120, { loss: 0.05, trip: 0.6 }), "720p");
});

test("one report of many lost packets is no heavy loss", () => {
  const walk = new Walk();
  for (let second = 0; second < 60; second += 1) walk.go(1, { loss: second % 3 ? 0.02 : 0.2 });
  assert.deepEqual(walk.steps, []);
});

test("a wide line may take its time to show it; one that is far too thin is found out sooner", () => {
  const slow = new Walk();
  for (let second = 0; second < 24; second += 1) slow.go(1, { uplink: 300_000 + 8_000 * second });
  assert.equal(slow.go(30, {}), "720p");
  assert.deepEqual(slow.steps, []);
  assert.equal(new Walk().go(15, { uplink: 60_000 }), "stills");
});

test("a line is not judged by the estimate of its first seconds", () => {
  const walk = new Walk();
  walk.go(WARM_MS / 1000 - 1, { uplink: 300_000 });
  assert.equal(walk.go(60, {}), "720p");
  assert.deepEqual(walk.steps, []);
});

for (const [uplink, step] of /** @type {const} */ ([[400_000, "360p"], [150_000, "180p"], [60_000, "stills"]])) {
  test(`a line of ${uplink / 1000} kbit/s carries ${step}, found in one step`, () => {
    const walk = new Walk();
    walk.go(30, {});
    walk.go(DOWN_MS / 1000 + 1, { uplink });
    assert.deepEqual(walk.steps.map(([, to]) => to), [step]);
  });
}

test("an estimate that falls and comes back half way costs half of the picture, not all of it", () => {
  const walk = new Walk();
  walk.go(30, {});
  for (const uplink of [180_000, 200_000, 230_000, 280_000]) walk.go(1, { uplink });
  walk.go(10, { uplink: 400_000 });
  assert.deepEqual(walk.steps.map(([, to]) => to), ["360p"]);
});

test("where the sound suffers, the picture goes sooner", () => {
  const thin = new Walk();
  thin.go(30, {});
  thin.go(10, { uplink: 60_000 });
  const lossy = new Walk();
  lossy.go(30, {});
  lossy.go(10, { uplink: 60_000, trip: 2 });
  assert.ok((lossy.steps[0]?.[0] ?? 99) < (thin.steps[0]?.[0] ?? 0), String([lossy.steps, thin.steps]));
});

test("heavy loss takes the picture away step by step until the sound gets through, and then leads to the phone", () => {
  const walk = new Walk();
  walk.go(30, { loss: 0.2, uplink: null });
  assert.deepEqual(walk.steps.slice(0, 4).map(([, to]) => to), ["360p", "180p", "stills", "voice"]);
  assert.equal(walk.go(60, { loss: 0.3, uplink: null }), "voice"); // a voice can be understood
  assert.equal(walk.go(PHONE_MS / 1000 + 4, { loss: 0.5, uplink: null }), "phone");
});

test("the way up is slow, and one step at a time", () => {
  const walk = new Walk();
  walk.go(20, {});
  walk.go(8, { uplink: 50_000 });
  assert.equal(stepOf(walk.ladder, walk.now), "stills");
  walk.steps = [];
  walk.go(60, {});
  assert.deepEqual(walk.steps.map(([, to]) => to), ["180p", "360p", "720p"]);
  const times = walk.steps.map(([at]) => at);
  for (const [index, at] of times.slice(1).entries()) assert.ok(at - (times[index] ?? 0) >= UP_MS / 1000);
});

test("a line that never carries the next step is tried ever more rarely", () => {
  const walk = new Walk();
  walk.go(20, {});
  walk.go(10, { uplink: 150_000 });
  walk.steps = [];
  for (let second = 0; second < 900; second += 1) {
    // what a browser says: about half more than what it sends, and no more than the line has
    const climbed = stepOf(walk.ladder, walk.now) !== "180p";
    walk.go(1, { uplink: climbed ? 170_000 : 195_000 });
  }
  const tries = walk.steps.filter(([, to]) => to === "360p").map(([at]) => at);
  assert.ok(tries.length >= 4 && tries.length <= 12, String(tries));
  const waits = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
  assert.ok((waits[0] ?? 0) < 40 && (waits.at(-1) ?? 0) >= SLOWEST_MS / 1000, String(waits));
  assert.ok(waits.every((wait, index) => index === 0 || wait >= (waits[index - 1] ?? 0) - 1), String(waits));
});

test("a try that loses much falls back to the stills that the line carried, not to the voice", () => {
  const walk = new Walk();
  walk.go(28, {});
  walk.go(8, { uplink: 40_000 });
  while (stepOf(walk.ladder, walk.now) === "stills") walk.go(1, { uplink: 40_000 });
  while (stepOf(walk.ladder, walk.now) === "180p") walk.go(1, { uplink: 60_000, loss: 0.4 });
  walk.go(2, { uplink: 40_000, loss: 0.4, trip: 2 }); // what is still in the line
  walk.go(30, { uplink: 40_000 });
  assert.ok(["stills", "180p"].includes(stepOf(walk.ladder, walk.now)));
  assert.ok(!walk.steps.some(([, step]) => step === "voice"), JSON.stringify(walk.steps));
});

test("a small picture that the line carries stays, however slowly the estimate grows", () => {
  const walk = new Walk();
  walk.go(28, {});
  walk.go(8, { uplink: 40_000 });
  while (stepOf(walk.ladder, walk.now) === "stills") walk.go(1, { uplink: 20_000 });
  walk.steps = [];
  for (let second = 0; second < 120; second += 1) walk.go(1, { uplink: Math.min(75_000, 20_000 + 2_000 * second), trip: second % 5 ? 0.06 : 0.2 });
  assert.deepEqual(walk.steps, []);
});

test("a small picture that stands in a queue before the line, and costs sound, is given up within four seconds", () => {
  for (const look of [{ trip: 0.35 }, { trip: 0.2, loss: 0.2 }]) {
    const walk = new Walk();
    walk.ladder = { ...walk.ladder, step: "stills" };
    while (stepOf(walk.ladder, walk.now) === "stills") walk.go(1, { uplink: 20_000 });
    assert.equal(walk.go(5, { uplink: 40_000, ...look }), "stills", JSON.stringify(look));
  }
});

test("a line that is long, and has no queue, carries small pictures as well", () => {
  const walk = new Walk();
  walk.ladder = { ...walk.ladder, step: "180p", climbed: true };
  walk.go(60, { uplink: 70_000, trip: 0.7, loss: 0.05 });
  assert.deepEqual(walk.steps, []);
});

test("still pictures that a line has hardly room for are no reason to try more", () => {
  const walk = new Walk();
  walk.ladder = { ...walk.ladder, step: "stills" };
  walk.go(5, { uplink: 20_000 });
  assert.equal(walk.go(60, { uplink: 20_000, loss: 0.07, trip: 0.4 }), "stills");
  assert.equal(walk.go(UP_MS / 1000 + 4, { uplink: 20_000 }), "180p");
});

test("what a moving picture has left in the line is not held against the still pictures after it", () => {
  const walk = new Walk();
  walk.go(28, {});
  while (stepOf(walk.ladder, walk.now) === "720p") walk.go(1, { uplink: 40_000, loss: 0.5, trip: 0.6 });
  assert.equal(stepOf(walk.ladder, walk.now), "stills");
  walk.go(3, { uplink: 40_000, loss: 0.4, trip: 0.6 });
  walk.go(20, { uplink: 20_000 });
  assert.ok(!walk.steps.some(([, step]) => step === "voice"), JSON.stringify(walk.steps));
});

test("an estimate that the browser does not say for a moment is not forgotten", () => {
  const walk = new Walk();
  walk.go(28, {});
  for (let second = 0; second < 6; second += 1) walk.go(1, { uplink: second % 2 ? 50_000 : null, loss: 0.5, trip: 0.5 });
  assert.deepEqual(walk.steps.map(([, step]) => step), ["stills"]);
});

test("a report counts once, however long the next one is on its way", () => {
  const report = [{ type: "remote-inbound-rtp", timestamp: 5000, fractionLost: 0.4, roundTripTime: 0.3 }];
  const first = read(report, 4000);
  assert.deepEqual([first.loss, first.trip, first.reported], [0.4, 0.3, 5000]);
  assert.deepEqual([read(report, first.reported).loss, read(report, first.reported).trip], [null, 0.3]);
  const walk = new Walk();
  walk.go(10, {});
  walk.go(1, { loss: 0.3 });
  const after = walk.ladder.loss;
  walk.go(10, { loss: null });
  assert.equal(walk.ladder.loss, after);
});

test("a voice needs less where the line has little, and the smallest picture fits beside it in 150 kbit/s", () => {
  assert.deepEqual([SOUNDS["720p"], SOUNDS["360p"]], [undefined, undefined]);
  const headers = 26_000; // fifty packets a second
  const picture = (PICTURES["180p"]?.bitrate ?? 0) * 1.15; // with headers and repairs
  assert.ok((SOUNDS["180p"] ?? 0) + headers + picture < 150_000);
  assert.ok((SOUNDS.voice ?? 0) + headers < 45_000);
});

test("a quiet scene of which little is sent is no reason to stay small on a wide line, and a line that is full is", () => {
  for (const [uplink, climbs] of /** @type {const} */ ([[110_000, true], [78_000, false]])) {
    const walk = new Walk();
    walk.ladder = { ...walk.ladder, step: "180p" };
    assert.equal(walk.go(60, { uplink, sent: 68_000 }) !== "180p" || walk.steps.length > 0, climbs, String(uplink));
  }
});

test("after a long cut it is another line, and earlier falls do not count; a short one changes nothing", () => {
  for (const [seconds, climbs] of /** @type {const} */ ([[5, false], [PHONE_MS / 1000 + 2, true]])) {
    const walk = new Walk();
    walk.ladder = { ...walk.ladder, step: "180p", wait: SLOWEST_MS };
    walk.go(seconds, { up: false });
    assert.equal(walk.go((WARM_MS + UP_MS) / 1000 + 2, { uplink: 220_000 }) !== "180p", climbs);
  }
});

test("where the estimate itself is enough, earlier falls do not count", () => {
  const walk = new Walk();
  walk.ladder = { ...walk.ladder, step: "180p", wait: SLOWEST_MS };
  walk.go(UP_MS / 1000 + 1, { uplink: 300_000 });
  assert.equal(stepOf(walk.ladder, walk.now), "360p");
});

test("a step that held for half a minute is forgiven its earlier falls", () => {
  const walk = new Walk();
  walk.go(20, {});
  walk.go(8, { uplink: 150_000 }); // 180p
  walk.go(12, {}); // up to 360p
  walk.go(12, { uplink: 150_000 }); // and down again: the next wait is doubled
  assert.equal(walk.ladder.wait, 2 * UP_MS);
  walk.go(2 * UP_MS / 1000 + 1, {});
  assert.equal(stepOf(walk.ladder, walk.now), "360p");
  walk.go(60, { uplink: 500_000 }); // no room above, and it holds
  assert.equal(walk.ladder.wait, UP_MS);
});

test("a path that is gone for long leads to the phone, and back to the same step", () => {
  const walk = new Walk();
  walk.go(20, {});
  assert.equal(walk.go(PHONE_MS / 1000 - 1, { up: false }), "720p");
  assert.equal(walk.go(3, { up: false }), "phone");
  assert.equal(walk.go(1, { uplink: 30_000, loss: 0.9 }), "720p"); // what is left of the cut
  assert.equal(walk.go(2, { uplink: 300_000 }), "720p");
  assert.equal(walk.go(60, {}), "720p");
});

test("a browser without an estimate is led by loss and by the time there and back", () => {
  const walk = new Walk();
  assert.equal(walk.go(60, { uplink: null }), "720p");
  walk.go(5, { uplink: null, trip: 2 });
  assert.equal(stepOf(walk.ladder, walk.now), "360p");
  walk.go(60, { uplink: null });
  assert.equal(stepOf(walk.ladder, walk.now), "720p");
});

test("of two limits the one with less counts", () => {
  assert.equal(lesser("720p", "stills"), "stills");
  assert.equal(lesser("voice", "stills"), "voice");
  assert.equal(STEPS.at(-1), "phone");
});

test("a side is told what it sends, unless it is all, or nothing by its own wish", () => {
  assert.equal(sentWords("720p", { saver: false, picture: true, stills: false }), null);
  assert.equal(sentWords("180p", { saver: false, picture: true, stills: false }), "common.sent.180p");
  assert.equal(sentWords("stills", { saver: true, picture: true, stills: false }), "common.sent.saver");
  assert.equal(sentWords("voice", { saver: true, picture: true, stills: false }), "common.sent.voice");
  assert.equal(sentWords("stills", { saver: false, picture: false, stills: false }), null);
  assert.equal(sentWords("phone", { saver: false, picture: false, stills: false }), "common.sent.phone");
  assert.equal(sentWords("phone", { saver: false, picture: true, stills: true }), "common.sent.phone_stills");
  assert.equal(sentWords("phone", { saver: false, picture: true, stills: false }), "common.sent.phone");
  assert.equal(sentWords("voice", { saver: false, picture: true, stills: true }), "common.sent.voice");
});

test("what the ladder needs is taken from a stats report, and only from the pair in use", () => {
  const report = [
    { type: "candidate-pair", nominated: false, state: "succeeded", availableOutgoingBitrate: 1 },
    { type: "candidate-pair", nominated: true, state: "succeeded", availableOutgoingBitrate: 700_000, bytesReceived: 42 },
    { type: "remote-inbound-rtp", kind: "audio", fractionLost: 0.02, roundTripTime: 0.1 },
    { type: "remote-inbound-rtp", kind: "video", fractionLost: 0.1, roundTripTime: 0.2 },
  ];
  assert.deepEqual(read(report), { uplink: 700_000, loss: 0.1, trip: 0.2, path: null, relayed: false, heard: 42, told: 0, reported: 1 });
  assert.deepEqual(read([]), { uplink: null, loss: null, trip: null, path: null, relayed: false, heard: 0, told: 0, reported: 0 });
});
