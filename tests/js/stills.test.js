// How large a still picture may be: what it needs of a thin line it takes from the voices.
import assert from "node:assert/strict";
import { test } from "node:test";
import { budget, EVERY_MS, LEAST_BYTES, MOST_BYTES, THIN_BYTES } from "../../web/static/js/lib/stills.js";

test("on a line that is slow stills become small, and large again where it is not", () => {
  let most = THIN_BYTES;
  for (let still = 0; still < 5; still += 1) most = budget(most, 2500);
  assert.equal(most, LEAST_BYTES);
  for (let still = 0; still < 10; still += 1) most = budget(most, 100);
  assert.equal(most, MOST_BYTES);
  assert.equal(budget(8000, 700), 8000);
});

test("the largest stay under 60 kbit/s, the smallest take no more than a thin line has beside a voice", () => {
  const rate = (/** @type {number} */ bytes) => (bytes * 8 * 4) / 3 / (EVERY_MS / 1000);
  assert.ok(rate(MOST_BYTES) < 60_000);
  assert.ok(rate(LEAST_BYTES) < 15_000);
});
