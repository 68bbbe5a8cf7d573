// Ringing: told once, answered once, and calm when somebody else was faster.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NONE, NOTICE_SECONDS, answer, deliver, gone, notice, refused, rung, shown, snapshot } from "../../web/static/js/console/offers.js";

/**
 * @param {string} offer @param {number} [pressed_at] @param {number} [expires_at]
 * @returns {import("../../web/static/js/console/offers.js").OfferView}
 */
const offered = (offer, pressed_at = 100, expires_at = 130) => ({
  offer, token: `token-of-${offer}`, session: `ses_${offer}`, epoch: 1, expires_at, agency: "Prairie County Sheriff", county: "Prairie", place_state: null, relaxed: [],
  unit: "Unit 12", officer: null, intake: [], language: null, pressed_at, requeued: false, voice_only: false, scene: "open", stops: [],
});

test("the one that waits longest is shown", () => {
  assert.equal(shown(snapshot(NONE, [offered("b", 105), offered("a", 100)], 110), 110)?.offer, "a");
});

test("an offer that ran out is not shown, with a little patience for clocks", () => {
  const state = snapshot(NONE, [offered("a")], 110);
  assert.deepEqual([shown(state, 131)?.offer, shown(state, 133)], ["a", null]);
});

test("each offer is told as delivered exactly once", () => {
  const first = deliver(snapshot(NONE, [offered("a")], 110));
  const second = deliver(snapshot(first.state, [offered("a"), offered("b")], 110));
  assert.deepEqual([first.tell, second.tell, deliver(second.state).tell], [["a"], ["b"], []]);
});

test("a second press does nothing", () => {
  const pressed = answer(snapshot(NONE, [offered("a")], 110), "a", "accepting");
  assert.equal(answer(pressed, "a", "accepting"), pressed);
  assert.equal(answer(pressed, "a", "declining"), pressed);
});

test("an offer that is not there cannot be answered", () => {
  assert.equal(answer(NONE, "a", "accepting"), NONE);
});

test("a declined offer is hidden at once, and comes back when the server refused the decline", () => {
  const declined = answer(snapshot(NONE, [offered("a")], 110), "a", "declining");
  assert.equal(shown(declined, 110), null);
  assert.equal(shown(refused(declined, "a"), 110)?.offer, "a");
});

test("the loser reads who took it", () => {
  const state = gone(snapshot(NONE, [offered("a")], 110), { offer: "a", reason: "taken", by: "Dana" }, 110);
  assert.equal(shown(state, 110), null);
  assert.deepEqual(notice(state, 111), { offer: "a", reason: "taken", by: "Dana", at: 110 });
  assert.equal(notice(state, 110 + NOTICE_SECONDS), null);
});

test("an answer stops the ring on every page at once, also when it came before any snapshot had the offer", () => {
  const early = rung(NONE, offered("a"), 110);
  const elsewhere = gone(early, { offer: "a", reason: "accepted", by: null }, 111);
  assert.deepEqual([shown(elsewhere, 111), notice(elsewhere, 111)], [null, null]);
  assert.equal(shown(snapshot(elsewhere, [], 111), 111), null);
  const here = gone(answer(early, "a", "accepting"), { offer: "a", reason: "accepted", by: null }, 111);
  assert.equal(shown(here, 111)?.offer, "a"); // until the call is there
  const call = snapshot(here, [], 111);
  assert.deepEqual([shown(call, 111), call.answers, notice(call, 111)], [null, {}, null]);
});

test("of two pages of one clinician the slower one is not told that somebody was faster", () => {
  const both = answer(rung(NONE, offered("a"), 110), "a", "accepting");
  const accepted = gone(both, { offer: "a", reason: "accepted", by: null }, 111);
  assert.equal(notice(gone(accepted, { offer: "a", reason: "gone", by: null }, 111), 111), null);
});

test("the refusal of our own accept does not replace the name of who took it, in either order", () => {
  const vague = { offer: "a", reason: "gone", by: null };
  const named = { offer: "a", reason: "taken", by: "Dana" };
  const ringing = answer(snapshot(NONE, [offered("a")], 110), "a", "accepting");
  for (const order of [[vague, named], [named, vague]]) {
    const state = order.reduce((before, message) => gone(before, message, 110), ringing);
    assert.equal(notice(state, 111)?.by, "Dana");
  }
});

test("our own decline needs no notice", () => {
  assert.equal(notice(gone(snapshot(NONE, [offered("a")], 110), { offer: "a", reason: "declined", by: null }, 110), 111), null);
});

test("an older snapshot does not make a gone offer ring again", () => {
  const state = gone(snapshot(NONE, [offered("a")], 110), { offer: "a", reason: "expired", by: null }, 110);
  assert.equal(shown(snapshot(state, [offered("a")], 110), 111), null);
});

test("a new offer takes the old notice away, the same offers again do not", () => {
  const over = gone(snapshot(NONE, [offered("a"), offered("b")], 110), { offer: "a", reason: "taken", by: "Dana" }, 110);
  assert.equal(notice(snapshot(over, [offered("b")], 110), 111)?.by, "Dana");
  assert.equal(notice(snapshot(over, [offered("b"), offered("c")], 110), 111), null);
});

test("an offer rings before the snapshot, and goes on though an older snapshot comes after it", () => {
  const early = rung(NONE, offered("a"), 110);
  assert.equal(shown(early, 110)?.offer, "a");
  assert.equal(shown(snapshot(early, [], 110.1), 110.1)?.offer, "a");
  const both = snapshot(early, [offered("a")], 110.2);
  assert.deepEqual(both.open.map((one) => one.offer), ["a"]);
});

test("an offer that no snapshot has after two seconds does not ring for ever", () => {
  assert.equal(shown(snapshot(rung(NONE, offered("a"), 110), [], 112.5), 112.5), null);
});

test("an offer that is over does not ring again because its first word came late", () => {
  const over = gone(snapshot(NONE, [offered("a")], 110), { offer: "a", reason: "taken", by: "Dana" }, 111);
  assert.equal(rung(over, offered("a"), 111), over);
});
