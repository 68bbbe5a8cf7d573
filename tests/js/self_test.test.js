// What a test call finds out: microphone, upload, relay, and whether somebody hears the tablet.
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "../../web/static/js/tablet/self_test.js";

const FOUND = { level: 0, loudest: 0.3, upload: 900_000, step: /** @type {const} */ ("720p"), relay: true, hasRelay: true, heard: true };

test("a tablet where all works is said to be ready", () => {
  assert.deepEqual(judge(FOUND, 3000), { microphone: "ok", upload: "ok", relay: "ok", heard: "ok" });
});

test("a microphone works when it was heard once, and fails when it never was", () => {
  assert.equal(judge({ ...FOUND, loudest: 0.001 }, 5000).microphone, "waiting");
  assert.equal(judge({ ...FOUND, loudest: 0.001 }, 20_000).microphone, "failed");
});

test("a line is not called thin before the browser has had time to try it", () => {
  assert.equal(judge({ ...FOUND, upload: 250_000 }, 4000).upload, "waiting");
  assert.equal(judge({ ...FOUND, upload: 250_000 }, 12_000).upload, "weak");
  assert.equal(judge({ ...FOUND, upload: 90_000 }, 12_000).upload, "failed");
  assert.equal(judge({ ...FOUND, upload: null }, 4000).upload, "waiting");
});

test("where the browser does not say what a line carries, the picture that it carries does", () => {
  assert.equal(judge({ ...FOUND, upload: null }, 12_000).upload, "ok");
  assert.equal(judge({ ...FOUND, upload: null, step: "180p" }, 12_000).upload, "weak");
});

test("a server without a relay has none to test", () => {
  assert.equal(judge({ ...FOUND, hasRelay: false, relay: null }, 9000).relay, null);
  assert.equal(judge({ ...FOUND, relay: null }, 9000).relay, "waiting");
  assert.equal(judge({ ...FOUND, relay: false }, 9000).relay, "failed");
});

test("what only people can tell waits for them", () => {
  assert.equal(judge({ ...FOUND, heard: null }, 60_000).heard, "waiting");
  assert.equal(judge({ ...FOUND, heard: false }, 0).heard, "failed");
});
