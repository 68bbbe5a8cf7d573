// The page follows the server's snapshot; only when none comes is it loaded anew.
import assert from "node:assert/strict";
import { mock, test } from "node:test";

const { startShift, endShift } = await import("../../web/static/js/tablet/shift.js");

/** @type {any} */
const page = globalThis;
const key = /** @type {any} */ ({ headers: async () => ({}) });

/** @param {() => Promise<void>} act */
async function withPage(act) {
  let loaded = 0;
  page.fetch = async () => ({ ok: true, json: async () => ({}) });
  page.location = { reload: () => { loaded += 1; } };
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    await act();
  } finally {
    mock.timers.reset();
  }
  return loaded;
}

test("a shift that nothing shows two seconds after its end loads the page anew", async () => {
  const loaded = await withPage(async () => {
    await endShift("csrf", key, () => false);
    mock.timers.tick(2000);
  });
  assert.equal(loaded, 1);
});

test("who checks out at once after another one's end is not thrown out by that end", async () => {
  const loaded = await withPage(async () => {
    let officer = "jo";
    await endShift("csrf", key, () => officer === "");
    officer = "";
    mock.timers.tick(1500);
    await startShift("csrf", key, "jo", "1234", () => officer === "jo", () => undefined);
    officer = "jo";
    mock.timers.tick(5000);
  });
  assert.equal(loaded, 0);
});
