// Every text which the console's scripts and templates name exists, in both languages.
import assert from "node:assert/strict";
import { test } from "node:test";

import { testTexts } from "./page_texts.js";

const missing = testTexts("console");

test("keys that are put together at run time are complete", () => {
  const why = ["denied", "missing", "busy", "unsupported", "failed", "silent"];
  const words = (/** @type {string} */ prefix, /** @type {string} */ names) => names.split(" ").map((name) => `console.${prefix}.${name}`);
  const wanted = [
    ...["both", "camera", "microphone"].flatMap((what) => words(`device.${what}`, why.join(" "))),
    ...words("quality", "good fair poor none"), ...words("activity", "available paused offline"),
    ...words("work", "idle ringing answering in_call wrap_up"), ...words("pause", "break paperwork meeting other"),
    ...words("decline", "busy not_my_state unwell technical other"), ...words("phase", "brief handed_over debrief"),
    ...words("gone", "taken cancelled expired undelivered gone"), ...words("notify", "default granted denied unsupported"),
    ...words("status", "connecting lost ready no_licence not_on_call paused off ringing in_call wrap_up"), ...words("mark", "requeued voice_only"),
    ...words("relaxed", "speciality language age_group provider licence_state"),
    ...words("scene", "safe medical intoxicated willing before after go"), ...words("scene.activity", "1 2 3 4 5 6 7"), ...words("scene.response", "awake drowsy none"),
    ...words("scene.product", "nasal-4 nasal-8 injection unknown"), ...words("scene.by", "officer ems bystander unknown"),
    ...words("followup", "in_24 in_48 in_7d"), ...words("preview", "camera.ok microphone.ok"),
    ...words("error", "stale_epoch conflict offer_gone stale_token forbidden no_such_session illegal_transition unknown_code busy"),
  ];
  assert.deepEqual(missing(wanted), []);
});
