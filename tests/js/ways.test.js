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

test("a welcome forgets the failures, and the next page begins with what worked", () => {
  assert.equal(failed(worked(failed(begin(null), false)), false).way, "socket");
  assert.equal(begin("poll").way, "poll");
  assert.equal(begin("anything").way, "socket");
});
