// Texts and times.
import assert from "node:assert/strict";
import { test } from "node:test";
import { duration } from "../../web/static/js/lib/clock.js";
import { has, list, plural, refusal, t, use } from "../../web/static/js/lib/i18n.js";

use({ "a.name": "{name} is here, {name}!", "a.count": "{count} texts", "a.count.one": "one text" }, "en");

test("a text is filled in, and what is missing stays visible", () => {
  assert.equal(t("a.name", { name: "Dana" }), "Dana is here, Dana!");
  assert.equal(t("a.name"), "{name} is here, {name}!");
});

test("a value is put in as it is, never read as a pattern", () => {
  assert.equal(t("a.name", { name: "$& {name} <b>" }), "$& {name} <b> is here, $& {name} <b>!");
});

test("an unknown key shows itself rather than nothing", () => {
  assert.equal(t("no.such"), "no.such");
  assert.equal(has("no.such"), false);
});

test("a refusal is said by the page, by what all pages say, or by the server", () => {
  use({ "console.error.call_full": "Four sit here.", "common.error.call_full": "Four people.", "common.error.not_yours": "Not you." }, "en");
  assert.equal(refusal("console", { code: "call-full", message: "x" }), "Four sit here.");
  assert.equal(refusal("tablet", { code: "call-full", message: "x" }), "Four people.");
  assert.equal(refusal("console", { code: "not-yours", message: "x" }), "Not you.");
  assert.equal(refusal("console", { code: "odd", message: "From the server." }), "From the server.");
  use({ "a.name": "{name} is here, {name}!", "a.count": "{count} texts", "a.count.one": "one text" }, "en");
});

test("one has its own form", () => {
  assert.equal(plural("a.count", 1), "one text");
  assert.equal(plural("a.count", 0), "0 texts");
});

test("names are joined as the language joins them", () => {
  assert.equal(list(["Dana", "Miguel"]), "Dana and Miguel");
  use({}, "es");
  assert.equal(list(["Dana", "Miguel"]), "Dana y Miguel");
});

test("a duration is minutes and seconds, hours only when there are any, and never negative", () => {
  assert.deepEqual([0, 7.9, 65, 3599, 3723, -4].map(duration), ["0:00", "0:07", "1:05", "59:59", "1:02:03", "0:00"]);
});
