// Every text which the tablet's scripts and templates name exists, in both languages.
import assert from "node:assert/strict";
import { test } from "node:test";

import { QUESTIONS } from "../../web/static/js/lib/scene.js";
import { ACTIVITY } from "../../web/static/js/tablet/scene_state.js";
import { testTexts, text } from "./page_texts.js";

const missing = testTexts("tablet");

test("keys that are put together at run time are complete", () => {
  const why = ["denied", "missing", "busy", "unsupported", "failed", "silent"];
  const wanted = [
    ...["both", "camera", "microphone"].flatMap((what) => why.map((one) => `tablet.device.${what}.${one}`)),
    ...["good", "fair", "poor", "none"].map((word) => `tablet.quality.${word}`),
    ...["camera", "microphone", "server", "media", "ok", "waiting", "failed"].map((name) => `tablet.check.${name}`),
    ...["none", "wait", "due", "awake", "unknown"].map((words) => `tablet.overdose.words.${words}`),
    ...["nasal-4", "nasal-8", "injection", "unknown"].map((code) => `tablet.overdose.product.${code}`),
    ...["officer", "ems", "bystander", "unknown"].map((code) => `tablet.overdose.giver.${code}`),
    ...["awake", "drowsy", "none"].map((code) => `tablet.overdose.response.${code}`),
    ...["ems", "naloxone", "breathe", "again", "stay"].flatMap((one) => [`tablet.overdose.step.${one}`, `tablet.overdose.how.${one}`]),
    ...[...QUESTIONS, "overdose", "sedated"].map((name) => `tablet.scene.stop.${name}`), ...QUESTIONS.map((name) => `tablet.scene.question.${name}`),
    ...ACTIVITY.map((value) => `tablet.activity.${value}`),
  ];
  const source = text("static/js/tablet/state.js");
  for (const [, words, next] of source.matchAll(/say\("([a-z_]+)", "([a-z_]+)"/g)) wanted.push(`tablet.status.${words}`, `tablet.next.${next}`);
  assert.ok(wanted.length > 25);
  assert.deepEqual(missing(wanted), []);
});
