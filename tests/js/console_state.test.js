// What the console says about the other side of a call.
import assert from "node:assert/strict";
import { test } from "node:test";
import { peerWords } from "../../web/static/js/console/state.js";

/** @typedef {import("../../web/static/js/lib/wire.js").ConsoleSession} ConsoleSession */

/** @param {boolean} revoked @returns {ConsoleSession} */
const away = (revoked) => /** @type {ConsoleSession} */ (/** @type {unknown} */ ({
  state: "connected", tablet_online: false, tablet_revoked: revoked, peer: { connected: false, blocked: false },
}));

test("a tablet that receives badly what comes by our own thin line has no weak connection", () => {
  const peer = { connected: true, muted: false, camera: true, quality: "poor", blocked: false, step: "720p" };
  const there = /** @type {ConsoleSession} */ ({ ...away(false), tablet_online: true, peer });
  assert.equal(peerWords(there, "up"), "console.peer.weak");
  assert.equal(peerWords(there, "up", false, true), null);
});

test("a tablet comes back by itself, unless it was revoked", () => {
  assert.equal(peerWords(away(false), "up"), "console.peer.tablet_lost");
  assert.equal(peerWords(away(true), "up"), "console.peer.tablet_revoked");
});
