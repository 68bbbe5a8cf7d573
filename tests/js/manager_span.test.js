import assert from "node:assert/strict";
import { test } from "node:test";

import { span } from "../../web/static/js/manager/span.js";

test("a duration reads as on a clock, as the server writes it", () => {
  const cases = /** @type {const} */ ([[0, "0:00"], [42.9, "0:42"], [725, "12:05"], [3723, "1:02:03"], [-3, "0:00"]]);
  for (const [seconds, words] of cases) assert.equal(span(seconds), words);
});
