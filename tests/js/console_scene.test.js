// What the officer said of the scene, in the clinician's words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { use } from "../../web/static/js/lib/i18n.js";
import { sceneWords, signWords } from "../../web/static/js/console/scene.js";
import { text } from "./page_texts.js";

use(JSON.parse(text("locales/en/console.json")), "en-US");
/** @param {Partial<import("../../web/static/js/lib/wire.js").SceneView>} said */
const words = (said) => sceneWords({ answers: {}, activity: {}, doses: [], response: null, ...said }).map((one) => `${one.tone}: ${one.words}`);

test("what stands in the way comes first; silence says nothing", () => {
  assert.deepEqual(sceneWords(null), []);
  assert.deepEqual(words({}), []);
  assert.deepEqual(words({ answers: { safe: "yes" } }), [], "half of the questions is no go");
  assert.deepEqual(words({ answers: { safe: "yes", medical: "no", intoxicated: "no", willing: "yes" } }), ["ok: Scene safe, no emergency, able and willing to talk"]);
  assert.deepEqual(words({ answers: { safe: "no", medical: "yes", intoxicated: "no", willing: "no" } }), [
    "alert: Scene not safe", "alert: Medical emergency or overdose", "wait: Not willing to talk",
  ]);
});

test("the ratings and the doses are said with what is known of them", () => {
  assert.deepEqual(words({ activity: { before: 6, after: 4 } }), ["wait: Activity at first: 6, very active", "plain: Activity afterwards: 4, quiet and awake"]);
  assert.deepEqual(words({ activity: { before: 1 } }), ["alert: Activity at first: 1, cannot be roused"]);
  assert.deepEqual(words({ doses: [{ at: null, product: "unknown", by: "bystander" }], response: "drowsy" }), [
    "alert: Naloxone: 1 dose (time not known, bystander)", "wait: After it: breathing, drowsy",
  ]);
});

test("who is rung reads go, no-go with what stands in the way, or that nobody has answered", () => {
  assert.equal(signWords({ scene: null, stops: [] }), null);
  assert.deepEqual(signWords({ scene: "open", stops: [] }), { words: "Go or no-go: not answered yet", tone: "plain" });
  assert.deepEqual(signWords({ scene: "go", stops: [] }), { words: "Go: nothing stands in the way, the officer says", tone: "ok" });
  assert.deepEqual(signWords({ scene: "stop", stops: ["safe", "willing"] }), { words: "No-go: Scene not safe; Not willing to talk", tone: "alert" });
  assert.deepEqual(signWords({ scene: "stop", stops: [] }), { words: "No-go, the officer says", tone: "alert" });
});
