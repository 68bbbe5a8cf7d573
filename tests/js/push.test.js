import assert from "node:assert/strict";
import test from "node:test";

import { label } from "../../web/static/js/lib/push.js";

test("a browser is named so that its owner can tell it from the others", () => {
  const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
  assert.equal(label(chrome), "Chrome, Windows");
  assert.equal(label(`${chrome} Edg/140.0.0.0`), "Edge, Windows");
  assert.equal(label("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"), "Firefox, Linux");
  assert.equal(label("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"), "Safari, iPhone");
  assert.equal(label("curl/8"), "");
});
