// WebSocket first; plain requests where it gets no welcome; never stuck with either.
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, failed, worked } from "../../web/static/js/lib/ways.js";

test("two failures, or one that hung, give way to the other", () => {
  const once = failed(begin(null), false);
  assert.equal(once.way, "socket");
  assert.equal(failed(once, false).way, "poll");
  assert.equal(failed(begin(null), true).way, "poll");
  assert.equal(failed(failed(failed(begin(null), true), false), false).way, "socket");
});

test("a WebSocket that has worked is given up later, and plain requests as soon as ever", () => {
  for (const proven of [worked(begin(null)), begin("socket")]) {
    const twice = failed(failed(proven, true), true);
    assert.equal(twice.way, "socket");
    const given = failed(twice, true);
    assert.equal(given.way, "poll");
    assert.equal(failed(given, true).way, "socket");
    assert.equal(failed(worked(given), true).way, "socket");
  }
});

test("a welcome forgets the failures, and the next page begins with what worked", () => {
  assert.equal(failed(worked(failed(begin(null), false)), false).way, "socket");
  assert.equal(begin("poll").way, "poll");
  assert.equal(begin("anything").way, "socket");
});
