// Every text which the console's scripts and templates name exists, in both languages.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../web/", import.meta.url);
/** @param {string} path */
const text = (path) => readFileSync(new URL(path, root), "utf8");
/** @param {string} language @returns {Record<string, string>} */
const texts = (language) => JSON.parse(text(`locales/${language}/console.json`));
const [english, spanish] = [texts("en"), texts("es")];

/** Whole keys in quotes; the prefixes of keys that are put together end in a dot and are checked below. */
function named() {
  const scripts = readdirSync(new URL("static/js/console/", root)).map((name) => `static/js/console/${name}`);
  const parts = readdirSync(new URL("templates/parts/console/", root)).map((name) => `templates/parts/console/${name}`);
  const keys = new Set();
  for (const path of [...scripts, ...parts, "static/js/pages/console.js", "templates/pages/console.html"]) {
    for (const [, key] of text(path).matchAll(/["'](console\.[a-z0-9_.]*[a-z0-9_])["']/g)) keys.add(key);
  }
  return [...keys];
}

test("every key in scripts and templates has an English text", () => {
  assert.deepEqual(named().filter((key) => !(key in english)), []);
});

test("both languages have the same keys and the same placeholders", () => {
  assert.deepEqual(Object.keys(spanish).sort(), Object.keys(english).sort());
  for (const [key, value] of Object.entries(english)) {
    const holes = (/** @type {string | undefined} */ one) => [...(one ?? "").matchAll(/\{[a-z_]+\}/g)].map(String).sort();
    assert.deepEqual(holes(spanish[key]), holes(value), key);
  }
});

test("keys that are put together at run time are complete", () => {
  const why = ["denied", "missing", "busy", "unsupported", "failed"];
  const words = (/** @type {string} */ prefix, /** @type {string} */ names) => names.split(" ").map((name) => `console.${prefix}.${name}`);
  const wanted = [
    ...["both", "camera", "microphone"].flatMap((what) => words(`device.${what}`, why.join(" "))),
    ...words("quality", "good fair poor none"), ...words("activity", "available paused offline"),
    ...words("work", "idle ringing answering in_call wrap_up"), ...words("pause", "break paperwork meeting other"),
    ...words("decline", "busy not_my_state unwell technical other"), ...words("phase", "brief handed_over debrief"),
    ...words("gone", "taken cancelled expired undelivered gone"), ...words("notify", "default granted denied unsupported"),
    ...words("status", "connecting lost ready not_on_call paused off ringing in_call wrap_up"), ...words("mark", "requeued voice_only"),
    ...words("followup", "in_24 in_48 in_7d"), ...words("preview", "camera.ok microphone.ok"),
    ...words("error", "stale_epoch conflict offer_gone stale_token forbidden no_such_session illegal_transition unknown_code busy"),
  ];
  assert.deepEqual(wanted.filter((key) => !(key in english)), []);
});
