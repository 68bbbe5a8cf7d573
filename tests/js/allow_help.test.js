import assert from "node:assert/strict";
import { test } from "node:test";

import { deviceOf } from "../../web/static/js/lib/allow_help.js";

const SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15";
const CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

test("an iPad that asks for desktop pages is told from a Mac by its touch screen", () => {
  assert.equal(deviceOf(`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${SAFARI}`, 5), "ipad");
  assert.equal(deviceOf(`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${SAFARI}`, 0), "mac");
  assert.equal(deviceOf(`Mozilla/5.0 (iPad; CPU OS 18_4 like Mac OS X) ${SAFARI}`, 5), "ipad");
});

test("each browser is shown its own way", () => {
  assert.equal(deviceOf(`Mozilla/5.0 (Linux; Android 15; Tab) ${CHROME}`, 5), "android");
  assert.equal(deviceOf("Mozilla/5.0 (Android 15; Tablet; rv:140.0) Gecko/140.0 Firefox/140.0", 5), "android");
  assert.equal(deviceOf(`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Edg/140.0.0.0`, 0), "chromium");
  assert.equal(deviceOf(`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${CHROME}`, 0), "chromium");
  assert.equal(deviceOf("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 0), "firefox");
});
