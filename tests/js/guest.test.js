// What a guest's page shows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstMode, heard, minuteOfHold, others, pictureWords, stageOf } from "../../web/static/js/guest/state.js";
import { slotOf } from "../../web/static/js/lib/more.js";

/** @typedef {import("../../web/static/js/lib/wire.js").GuestView} GuestView */

/** @param {Partial<GuestView["session"]>} session @param {"interpreter" | "supervisor"} [role] @returns {GuestView} */
const view = (session, role = "interpreter") => ({
  type: "guest", role, name: "Marta R.", session: {
    id: "ses_1", epoch: 1, state: "connected", phase: "brief", agency: "Prairie County Sheriff", unit: "Unit 12", lead: "Dana", voice_only: false, saver: false,
    seat: "side1", party: "par_1", mode: "speak", held_at: null, peer: { connected: true, muted: false, camera: true, quality: "good", blocked: false, step: "720p" },
    company: [{ party: "par_1", link: "gst_1", seat: "side1", role: "interpreter", mode: "speak", name: "Marta R.", connected: true, held: false }], ...session,
  },
});

test("a guest is at the door, in the call, waiting for the next clinician, or out", () => {
  assert.equal(stageOf(null, null), "connecting");
  assert.equal(stageOf(view({ seat: null }), null), "door");
  assert.equal(stageOf(view({}), null), "call");
  assert.equal(stageOf(view({ state: "recovering" }), null), "call");
  assert.equal(stageOf(view({ state: "waiting" }), null), "waiting");
  assert.equal(stageOf(view({ state: "wrap_up" }), null), "over");
  assert.equal(stageOf(view({}), "revoked"), "over");
  assert.equal(stageOf(view({}), "replaced"), "elsewhere", "the call is not over for them");
});

test("media run only while a guest sits in a running call", () => {
  assert.equal(heard(view({ seat: null })), null);
  assert.equal(heard(view({ state: "waiting" })), null);
  assert.equal(heard(view({}))?.id, "ses_1");
});

test("an interpreter comes in speaking, a supervisor listening", () => {
  assert.equal(firstMode(view({}, "interpreter")), "speak");
  assert.equal(firstMode(view({}, "supervisor")), "listen");
});

test("the clinician and the other guests stand in their own slots, and we do not", () => {
  const ada = { party: "par_2", link: null, seat: "side2", role: /** @type {const} */ ("supervisor"), mode: /** @type {const} */ ("listen"), name: "Ada", connected: true, held: false };
  const shown = view({ company: [...view({}).session.company, ada] });
  assert.deepEqual(others(shown, slotOf).map(({ slot, name, speaks }) => [slot, name, speaks]), [[1, "Dana", true], [2, "Ada", false]]);
});

test("a guest on hold hears a tone when it begins and once a minute, and none in the call", () => {
  assert.equal(minuteOfHold(view({}), 1000), null);
  const held = view({ held_at: 1000 });
  assert.deepEqual([1000, 1059.9, 1060, 1121].map((now) => minuteOfHold(held, now)), [0, 0, 1, 2]);
  assert.equal(minuteOfHold(view({ held_at: 1000, state: "waiting" }), 1001), null);
});

test("a guest reads when the picture from the scene stands still, is small, or comes badly", () => {
  const { session } = view({});
  const peer = session.peer;
  assert.equal(pictureWords(session, false, false), null);
  assert.equal(pictureWords(session, true, false), "guest.peer.frozen");
  assert.equal(pictureWords({ ...session, peer: { ...peer, step: "180p" } }, false, false), "guest.peer.180p");
  assert.equal(pictureWords({ ...session, peer: { ...peer, step: "stills" } }, false, false), "guest.peer.stills");
  assert.equal(pictureWords({ ...session, saver: true, peer: { ...peer, step: "stills" } }, false, false), "guest.peer.saver");
  assert.equal(pictureWords({ ...session, peer: { ...peer, quality: "poor" } }, false, false), "guest.peer.weak");
  assert.equal(pictureWords({ ...session, peer: { ...peer, quality: "poor" } }, false, true), null, "it may be our own line");
  assert.equal(pictureWords({ ...session, peer: { ...peer, camera: false } }, true, false), null);
});
