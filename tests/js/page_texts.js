// What holds for the texts of every page: each key that its scripts and templates name exists, in both languages.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../web/", import.meta.url);

/** @param {string} path  below web/ */
export const text = (path) => readFileSync(new URL(path, root), "utf8");

/** @param {string} page @param {string} language @returns {Record<string, string>} */
const texts = (page, language) => JSON.parse(text(`locales/${language}/${page}.json`));

/** Whole keys in quotes; the prefixes of keys that are put together end in a dot, and each page's own test checks those. @param {string} page */
function named(page) {
  const whole = new RegExp(`["'](${page}\\.[a-z0-9_.]*[a-z0-9_])["']`, "g");
  const files = [`static/js/${page}/`, `templates/parts/${page}/`].flatMap((folder) => readdirSync(new URL(folder, root)).map((name) => folder + name));
  const keys = new Set();
  for (const path of [...files, `static/js/pages/${page}.js`, `templates/pages/${page}.html`]) {
    for (const [, key] of text(path).matchAll(whole)) keys.add(key);
  }
  return [...keys];
}

/** @param {string} sentence */
const holes = (sentence) => [...sentence.matchAll(/\{[a-z_]+\}/g)].map(String).sort();

/**
 * Add the tests which every page has.
 * @param {string} page  "tablet" or "console"
 * @returns {(keys: string[]) => string[]} those of the keys which have no text
 */
export function testTexts(page) {
  const [english, spanish] = [texts(page, "en"), texts(page, "es")];
  /** @param {string[]} keys */
  const missing = (keys) => keys.filter((key) => !(key in english));

  test("every key in scripts and templates has an English text", () => {
    const keys = named(page);
    assert.ok(keys.length > 0);
    assert.deepEqual(missing(keys), []);
  });

  test("both languages have the same keys and the same placeholders", () => {
    assert.deepEqual(Object.keys(spanish).sort(), Object.keys(english).sort());
    for (const [key, value] of Object.entries(english)) assert.deepEqual(holes(spanish[key] ?? ""), holes(value), key);
  });

  return missing;
}
