// Who is in the call, and how far the handing on has come.
import assert from "node:assert/strict";
import { test } from "node:test";
import { handingWords, ownSeat, panelOf, placeKey, wantsMedia } from "../../web/static/js/console/parties.js";
import { slotOf } from "../../web/static/js/lib/more.js";

/** @typedef {import("../../web/static/js/lib/wire.js").ConsoleSession} ConsoleSession */
/** @typedef {import("../../web/static/js/lib/wire.js").TransferView} TransferView */

/** @param {Partial<TransferView>} [changes] @returns {TransferView} */
const transfer = (changes = {}) => ({
  id: "trf_1", stage: "sitting", to: "Miguel", receiver: "Miguel", ringing: [], expires_at: null, joined: false, lead_ready: false, receiver_ready: false, note: "", outcome: null, reason: null, ...changes,
});
/** @param {Partial<ConsoleSession>} changes @returns {ConsoleSession} */
const session = (changes) => /** @type {ConsoleSession} */ (/** @type {unknown} */ ({
  id: "ses_1", state: "connected", epoch: 1, role: "lead", party: null, lead: "Dana", company: [], transfer: null, ...changes,
}));
const receiver = /** @type {const} */ ({ party: "par_1", seat: "side1", role: "receiver", mode: "speak", name: "Miguel", connected: true, held: false });

test("every seat has its slot, which no coming or going moves", () => {
  assert.deepEqual(["clinician", "side1", "side2", "side3", "side4"].map((seat) => slotOf("tablet", seat)), [0, 1, 2, 3, 4]);
  assert.deepEqual(["tablet", "side1", "side2", "side3", "side4"].map((seat) => slotOf("clinician", seat)), [0, 1, 2, 3, 4]);
  assert.deepEqual(["tablet", "clinician", "side1", "side3", "side4"].map((seat) => slotOf("side2", seat)), [0, 1, 2, 3, 4]);
  assert.equal(slotOf("side2", "side2"), -1);
});

test("a receiver is not heard before they press Join; everybody else is at once", () => {
  const sat = session({ role: "receiver", party: "par_1", company: [receiver] });
  assert.equal(ownSeat(sat), "side1");
  assert.equal(wantsMedia(sat, null), false);
  assert.equal(wantsMedia(sat, placeKey(sat)), true);
  assert.equal(wantsMedia(sat, "ses_1:par_0"), false, "an earlier place is another one");
  assert.equal(wantsMedia(session({}), null), true);
  assert.equal(wantsMedia(session({ role: "supervisor", party: "par_2" }), null), true);
  assert.equal(wantsMedia(null, null), false);
});

test("the panel follows the transfer, and an end is shown until it is put away", () => {
  const idle = { asks: false, seen: null };
  assert.equal(panelOf(session({}), idle), "none");
  assert.equal(panelOf(session({}), { asks: true, seen: null }), "ask");
  assert.equal(panelOf(session({ transfer: transfer({ stage: "ringing", receiver: null }) }), { asks: true, seen: null }), "ringing");
  assert.equal(panelOf(session({ transfer: transfer() }), idle), "sitting");
  const over = session({ transfer: transfer({ stage: "ended", outcome: "declined", reason: "busy" }) });
  assert.equal(panelOf(over, idle), "ended");
  assert.equal(panelOf(over, { asks: false, seen: "trf_1" }), "none");
  const again = session({ transfer: transfer({ id: "trf_2", stage: "ended", outcome: "declined", reason: "busy" }) });
  assert.equal(panelOf(again, { asks: false, seen: "trf_1" }), "ended"); // declined a second time: said a second time
  assert.equal(panelOf(session({ role: "receiver" }), idle), "receive");
  assert.equal(panelOf(session({ role: "supervisor" }), idle), "listen");
});

test("each side reads what is missing for the change", () => {
  const at = (/** @type {Partial<TransferView>} */ changes, /** @type {Partial<ConsoleSession>} */ more = {}) => handingWords(session({ transfer: transfer(changes), ...more })).key.replace("console.handing.", "");
  assert.equal(at({}), "reads");
  assert.equal(at({ lead_ready: true }), "receiver_lost"); // they were in the call when the lead confirmed
  assert.equal(at({ joined: true }), "hears");
  assert.equal(at({ joined: true, lead_ready: true }), "wait_for_receiver");
  assert.equal(at({ joined: true, receiver_ready: true }), "receiver_is_ready");
  const mine = /** @type {const} */ ({ role: "receiver" });
  assert.equal(at({}, mine), "read_first");
  assert.equal(at({ joined: true }, mine), "both_here");
  assert.equal(at({ joined: true, lead_ready: true }, mine), "lead_is_ready");
  assert.equal(at({ joined: true, receiver_ready: true }, mine), "wait_for_lead");
  assert.equal(at({ joined: true }, { ...mine, state: "recovering" }), "lead_lost");
});
