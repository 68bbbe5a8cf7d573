// When a page is covered: nobody there for so long, or the sign-in is over; never in a call.
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, look, stirred, TELL_MS } from "../../web/static/js/lib/absence.js";

const HOURS = 12 * 3600;
const MINUTE = 60_000;
const QUIET = { idle: 600, busy: false };

test("a page is covered after so long without a touch, and a touch starts the time anew", () => {
  let presence = begin(0, HOURS);
  assert.equal(look(presence, 10 * MINUTE - 1, QUIET).covers, null);
  assert.equal(look(presence, 10 * MINUTE, QUIET).covers, "idle");
  presence = stirred(presence, 9 * MINUTE);
  assert.equal(look(presence, 19 * MINUTE - 1, QUIET).covers, null);
  assert.equal(look(presence, 19 * MINUTE, QUIET).covers, "idle");
});

test("a page in a call is never covered, and the quiet time begins when the call is over", () => {
  let presence = begin(0, HOURS);
  for (let now = 0; now <= 13 * 3_600_000; now += 5000) {
    const next = look(presence, now, { idle: 600, busy: true });
    assert.equal(next.covers, null);
    presence = next.presence;
  }
  const over = 13 * 3_600_000;
  assert.equal(look(presence, over + 5000, QUIET).covers, "expired"); // asked when the call is over
  const fresh = begin(over, HOURS);
  assert.equal(look(fresh, over + 10 * MINUTE - 1, QUIET).covers, null);
});

test("without a time nothing is covered before the sign-in is over", () => {
  const presence = begin(0, HOURS);
  assert.equal(look(presence, HOURS * 1000 - 1, { idle: 0, busy: false }).covers, null);
  assert.equal(look(presence, HOURS * 1000, { idle: 0, busy: false }).covers, "expired");
});

test("a machine that slept is covered at the first look", () => {
  assert.equal(look(begin(0, HOURS), 5 * 3_600_000, QUIET).covers, "idle");
});

test("the server is told at most once a minute that somebody is here, and never when nobody is", () => {
  let presence = begin(0, HOURS);
  let told = 0;
  for (let now = 5000; now <= 5 * MINUTE; now += 5000) {
    presence = stirred(presence, now);
    const next = look(presence, now, QUIET);
    presence = next.presence;
    told += Number(next.tell);
  }
  assert.equal(told, 5 * MINUTE / TELL_MS);
  for (let now = 5 * MINUTE; now <= 9 * MINUTE; now += 5000) assert.equal(look(presence, now, QUIET).tell, false);
});
