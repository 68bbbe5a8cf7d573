// Every text which the tablet's scripts and templates name exists, in both languages.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../web/", import.meta.url);
/** @param {string} path */
const text = (path) => readFileSync(new URL(path, root), "utf8");
/** @param {string} language @returns {Record<string, string>} */
const texts = (language) => JSON.parse(text(`locales/${language}/tablet.json`));
const [english, spanish] = [texts("en"), texts("es")];

/** Whole keys in quotes; the prefixes of keys that are put together end in a dot and are checked below. */
function named() {
  const scripts = readdirSync(new URL("static/js/tablet/", root)).map((name) => `static/js/tablet/${name}`);
  const parts = readdirSync(new URL("templates/parts/tablet/", root)).map((name) => `templates/parts/tablet/${name}`);
  const keys = new Set();
  for (const path of [...scripts, ...parts, "static/js/pages/tablet.js", "templates/pages/tablet.html"]) {
    for (const [, key] of text(path).matchAll(/["'](tablet\.[a-z0-9_.]*[a-z0-9_])["']/g)) keys.add(key);
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
  const wanted = [
    ...["both", "camera", "microphone"].flatMap((what) => why.map((one) => `tablet.device.${what}.${one}`)),
    ...["good", "fair", "poor", "none"].map((word) => `tablet.quality.${word}`),
    ...["camera", "microphone", "server", "media", "ok", "waiting", "failed"].map((name) => `tablet.check.${name}`),
  ];
  const source = text("static/js/tablet/state.js");
  for (const [, words, next] of source.matchAll(/say\("([a-z_]+)", "([a-z_]+)"/g)) wanted.push(`tablet.status.${words}`, `tablet.next.${next}`);
  assert.ok(wanted.length > 25);
  assert.deepEqual(wanted.filter((key) => !(key in english)), []);
});
