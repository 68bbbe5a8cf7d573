// Every text which the tablet's scripts and templates name exists, in both languages.
import assert from "node:assert/strict";
import { test } from "node:test";

import { testTexts, text } from "./page_texts.js";

const missing = testTexts("tablet");

test("keys that are put together at run time are complete", () => {
  const why = ["denied", "missing", "busy", "unsupported", "failed", "silent"];
  const wanted = [
    ...["both", "camera", "microphone"].flatMap((what) => why.map((one) => `tablet.device.${what}.${one}`)),
    ...["good", "fair", "poor", "none"].map((word) => `tablet.quality.${word}`),
    ...["camera", "microphone", "server", "media", "ok", "waiting", "failed"].map((name) => `tablet.check.${name}`),
  ];
  const source = text("static/js/tablet/state.js");
  for (const [, words, next] of source.matchAll(/say\("([a-z_]+)", "([a-z_]+)"/g)) wanted.push(`tablet.status.${words}`, `tablet.next.${next}`);
  assert.ok(wanted.length > 25);
  assert.deepEqual(missing(wanted), []);
});
