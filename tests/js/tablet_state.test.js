// Which screen the tablet shows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FRESH, closedWords, companyWords, connectingWords, differs, openSession, peerWords, screenOf, toggleTile } from "../../web/static/js/tablet/state.js";

/** @typedef {import("../../web/static/js/lib/wire.js").TabletSession} TabletSession */
/** @typedef {import("../../web/static/js/lib/wire.js").TabletView} TabletView */

/** @param {Partial<TabletSession>} changes @returns {TabletSession} */
const session = (changes) => ({
  id: "ses_1", code: "P7K2", state: "waiting", phase: "brief", epoch: 0, pressed_at: 100, accepted_at: null, media_at: null, ended_at: null,
  phase_since: null, voice_only: false, saver: false, held_at: null, test: false, intake: [], language: null, place: 0, alerted: [], step: "alerting", requeued: false, handed_back: false, clinician: null, licence: null,
  peer: null, company: [], chat: [], card: null, close_reason: null, recommended: null, actual: null, ...changes,
});
/** @param {Partial<TabletView>} [changes] @returns {TabletView} */
const view = (changes = {}) => ({
  type: "tablet", agency: "Prairie County Sheriff", unit: "Unit 12", officer: "Sam Rivera", regional_line: "605-555-0142", provider_line: "605-555-0188",
  tiles: [], ready_clinicians: 3, on_call: true, comes_on: null, timezone: "America/Chicago", places: ["Prairie, SD"], session: null, owed: null, ...changes,
});
/** @type {TabletSession["card"]} */
const card = { rev: 2, card: { level: "soon", disposition: "remain_in_place", actions: [], words: "" }, clinician: "Dana", licence: "", sent_at: 1, acknowledged: false };
const press = { key: "k", test: false, at: 1 };
/** @param {Partial<TabletSession>} changes @param {Partial<import("../../web/static/js/tablet/state.js").Local>} [local] @param {Partial<TabletView>} [more] */
const screen = (changes, local = {}, more = {}) => screenOf(view({ session: session(changes), ...more }), { ...FRESH, ...local });

test("without a snapshot the page waits, but a press is never hidden", () => {
  assert.equal(screenOf(null, FRESH), "loading");
  assert.equal(screenOf(null, { ...FRESH, press }), "connecting");
});

test("a tablet which nobody has checked out asks who takes it, unless it is urgent", () => {
  assert.equal(screenOf(view({ officer: null }), FRESH), "checkout");
  assert.equal(screenOf(view({ officer: null }), { ...FRESH, skipCheckout: true }), "ready");
});

test("each open state has its screen, whoever is on shift", () => {
  assert.equal(screen({ state: "waiting" }, {}, { officer: null }), "connecting");
  assert.equal(screen({ state: "answering" }), "connecting");
  assert.equal(screen({ state: "connected" }), "call");
  assert.equal(screen({ state: "recovering" }), "call");
});

test("while handed over no state shows the officer's controls", () => {
  for (const state of /** @type {const} */ (["waiting", "answering", "connected", "recovering"])) {
    assert.equal(screen({ state, phase: "handed_over", card }), "handed-over");
  }
});

test("a call that ended in the person's hands shows nothing until the officer has the tablet", () => {
  const ended = /** @type {const} */ ({ state: "wrap_up", phase: "handed_over", ended_at: 200, card });
  assert.equal(screen(ended), "give-back");
  assert.equal(screen(ended, { takenBack: ["ses_1"] }), "card");
});

test("after the call: the card, then the outcome, then its reason, then ready", () => {
  const ended = /** @type {const} */ ({ state: "wrap_up", phase: "debrief", ended_at: 200, recommended: "remain_in_place" });
  const owed = { owed: "ses_1" };
  assert.equal(screen({ ...ended, card }, {}, owed), "card");
  assert.equal(screen({ ...ended, card }, { acknowledged: ["ses_1:2"] }, owed), "outcome");
  assert.equal(screen({ ...ended, card: { ...card, acknowledged: true } }, {}, owed), "outcome");
  assert.equal(screen(ended, { chosen: "medical_ed" }, owed), "reason");
  assert.equal(screen(ended, { recorded: ["ses_1"] }, owed), "ready");
  assert.equal(screen({ ...ended, actual: "medical_ed" }), "ready");
});

test("a newer revision of an acknowledged card is shown again", () => {
  assert.equal(screen({ state: "wrap_up", ended_at: 200, card: { ...card, rev: 3 } }, { acknowledged: ["ses_1:2"] }), "card");
});

test("the outcome can be put off, and the reminder brings it back", () => {
  const ended = /** @type {const} */ ({ state: "closed", phase: "brief", ended_at: 200 });
  assert.equal(screen(ended, { later: "ses_1" }, { owed: "ses_1" }), "ready");
  assert.equal(screen(ended, { later: "ses_1", recordOwed: true }, { owed: "ses_1" }), "outcome");
  assert.equal(screenOf(view({ owed: "ses_0" }), FRESH), "ready");
  assert.equal(screenOf(view({ owed: "ses_0" }), { ...FRESH, recordOwed: true }), "outcome");
});

test("a new press wins over what an old session still asks", () => {
  assert.equal(screen({ state: "wrap_up", ended_at: 200, card }, { press }, { owed: "ses_1" }), "connecting");
});

test("only a session that goes on keeps the leg up", () => {
  assert.equal(openSession(view({ session: session({ state: "connected" }) }))?.id, "ses_1");
  assert.equal(openSession(view({ session: session({ state: "wrap_up", ended_at: 2 }) })), null);
  assert.equal(openSession(null), null);
});

/** @param {string} name @returns {import("../../web/static/js/lib/wire.js").Alerted} */
const rung = (name) => ({ name, state: "ringing" });
const both = [rung("Dana"), rung("Miguel")];

/** @param {Partial<TabletSession> | null} changes @param {Partial<TabletView>} [more] @param {boolean} [online] */
const words = (changes, more = {}, online = true) => connectingWords({
  view: view({ session: changes && session(changes), ...more }), local: FRESH, online, now: 1, names: (names) => names.join(" and "), number: "605-555-0100",
});

test("the words follow the server's step and end in a number to call", () => {
  const alerted = both;
  assert.equal(words({ alerted }).words, "tablet.status.alerting");
  assert.equal(words({ alerted }).values["names"], "Dana and Miguel");
  assert.equal(words({ alerted, step: "still-trying" }).words, "tablet.status.still_trying");
  assert.equal(words({ alerted, step: "more-people" }).words, "tablet.status.more_people");
  const last = words({ alerted, step: "call-instead" });
  assert.deepEqual([last.words, last.number, last.tone], ["tablet.status.call_instead", "605-555-0188", "wait"]);
});

test("who opens the alert, or says that they come, is named", () => {
  /** @param {import("../../web/static/js/lib/wire.js").Alerted["state"]} state */
  const dana = (state) => ({ name: "Dana", state });
  const one = words({ alerted: [dana("opening"), rung("Miguel")], step: "still-trying" });
  assert.equal(one.words, "tablet.status.opening");
  assert.deepEqual([one.values["count"], one.values["nearest"]], ["2", "Dana"]);
  assert.equal(words({ alerted: [dana("coming")] }).words, "tablet.status.coming_alone");
  assert.equal(words({ alerted: [dana("opening"), { name: "Priya", state: "coming" }] }).values["nearest"], "Priya");
  const late = words({ alerted: [dana("coming")], step: "call-instead" });
  assert.deepEqual([late.words, late.next, late.number], ["tablet.status.call_instead", "tablet.next.call_instead_coming", "605-555-0188"]);
});

test("nobody being alerted is never said to be an alert", () => {
  for (const step of /** @type {const} */ (["alerting", "still-trying", "more-people"])) {
    assert.equal(words({ step }).words, "tablet.status.finding");
  }
  assert.equal(words({}).next, "tablet.next.finding");
  assert.equal(words({ alerted: both }).next, "tablet.next.alerting");
});

test("while nobody is on call and nobody is alerted, no step promises somebody: it names the regional line", () => {
  for (const step of /** @type {const} */ (["alerting", "still-trying", "more-people"])) {
    const alone = words({ step }, { on_call: false });
    assert.deepEqual([alone.words, alone.next, alone.number, alone.tone], ["tablet.status.finding", "tablet.next.nobody_on_call", "605-555-0142", "wait"]);
  }
  const last = words({ step: "call-instead" }, { on_call: false });
  assert.deepEqual([last.words, last.next, last.number], ["tablet.status.call_instead", "tablet.next.nobody_on_call", "605-555-0142"]);
  const lost = words({ requeued: true, clinician: "Dana" }, { on_call: false });
  assert.deepEqual([lost.words, lost.next, lost.number], ["tablet.status.requeued", "tablet.next.nobody_on_call", "605-555-0142"]);
  const paged = words({ alerted: [rung("Ada")] }, { on_call: false }); // a supervisor, or another center's clinician
  assert.deepEqual([paged.words, paged.next, paged.number], ["tablet.status.alerting", "tablet.next.alerting", null]);
});

test("a press without network says so, and whom to call", () => {
  const lost = words(null, {}, false);
  assert.deepEqual([lost.words, lost.number], ["tablet.status.no_network", "605-555-0188"]);
  const unseen = connectingWords({ view: null, local: FRESH, online: false, now: 1, names: String, number: "605-555-0100" });
  assert.equal(unseen.number, "605-555-0100"); // the page was loaded with it
});

test("a press that the server cannot write down says that it has not gone out, and whom to call", () => {
  const press = { key: "k", test: false, at: 1, away: true };
  const kept = connectingWords({ view: null, local: { ...FRESH, press }, online: true, now: 1, names: String, number: "605-555-0100" });
  assert.deepEqual([kept.words, kept.number, kept.tone], ["tablet.status.not_written", "605-555-0100", "wait"]);
  /** @param {number} now */
  const silent = (now) => connectingWords({ view: null, local: { ...FRESH, press: { ...press, away: false } }, online: true, now, names: String, number: "1" });
  assert.equal(silent(8).words, "tablet.status.starting");
  assert.equal(silent(10).words, "tablet.status.not_written"); // whatever keeps it: nobody rings yet
});

test("a re-queued session says what was lost and to stay, and a joining one who comes", () => {
  assert.equal(words({ requeued: true }).words, "tablet.status.requeued_unnamed");
  assert.equal(words({ requeued: true, alerted: [rung("Miguel")] }).next, "tablet.next.requeued_alerting");
  const late = words({ requeued: true, step: "call-instead", alerted: [rung("Miguel")] });
  assert.deepEqual([late.words, late.number], ["tablet.status.requeued_unnamed", "605-555-0188"]);
  assert.equal(words({ requeued: true, state: "answering", clinician: "Dana" }).words, "tablet.status.joining");
});

test("a test call never speaks of alerting", () => {
  assert.equal(words({ test: true, alerted: [rung("Dana")] }).words, "tablet.status.test");
});

test("what is wrong with the other side is said in words, the worst first", () => {
  const peer = /** @type {const} */ ({ connected: true, muted: false, camera: true, quality: "good", blocked: false, step: "720p" });
  /** @param {Partial<TabletSession>} changes @param {import("../../web/static/js/lib/peer.js").PeerWord} [link] */
  const say = (changes, link = "up") => peerWords(session({ state: "connected", peer, ...changes }), link);
  assert.equal(say({}), null);
  assert.equal(say({ peer: { ...peer, muted: true } }), "tablet.peer.muted");
  assert.equal(say({ peer: { ...peer, muted: true, camera: false } }), "tablet.peer.muted_no_camera");
  assert.equal(say({ peer: { ...peer, camera: false } }), "tablet.peer.no_camera");
  assert.equal(say({ peer: { ...peer, quality: "poor" } }), "tablet.peer.weak");
  // what we send on a thin line of ours arrives badly: that is not theirs
  assert.equal(peerWords(session({ state: "connected", peer: { ...peer, quality: "poor" } }), "up", false, true), null);
  assert.equal(peerWords(session({ state: "connected", peer: { ...peer, quality: "poor" } }), "up", true), "tablet.peer.frozen");
  assert.equal(peerWords(session({ state: "connected", peer: { ...peer, camera: false } }), "up", true), "tablet.peer.no_camera");
  assert.equal(say({ peer: { ...peer, quality: "poor", step: "180p" } }), "tablet.peer.180p");
  assert.equal(say({ peer: { ...peer, step: "stills" } }), "tablet.peer.stills");
  assert.equal(say({ peer: { ...peer, step: "stills" }, saver: true }), "tablet.peer.saver");
  assert.equal(say({ peer: { ...peer, step: "voice" }, saver: true }), "tablet.peer.voice");
  assert.equal(say({ peer: { ...peer, step: "stills", camera: false } }), "tablet.peer.no_camera");
  assert.equal(say({ held_at: 5, peer: { ...peer, muted: true } }, "silent"), "tablet.peer.held");
  assert.equal(say({ held_at: 5 }, "reconnecting"), "tablet.peer.own_link");
  assert.equal(say({ peer: { ...peer, connected: false } }), "tablet.peer.reconnecting");
  assert.equal(say({}, "silent"), "tablet.peer.reconnecting");
  assert.equal(say({}, "reconnecting"), "tablet.peer.own_link");
  assert.equal(say({ state: "answering" }, "blocked"), "tablet.peer.blocked");
  assert.equal(say({ state: "answering" }, "full"), "tablet.peer.full");
  assert.equal(say({ state: "recovering" }, "reconnecting"), "tablet.peer.recovering");
});

test("a reason is asked only when the outcome differs from advice that was given", () => {
  assert.equal(differs("medical_ed", "remain_in_place"), true);
  assert.equal(differs("medical_ed", "medical_ed"), false);
  assert.equal(differs("medical_ed", null), false);
});

test("tiles toggle, never more than allowed", () => {
  assert.deepEqual(toggleTile([], "adult", 3), ["adult"]);
  assert.deepEqual(toggleTile(["adult"], "adult", 3), []);
  assert.deepEqual(toggleTile(["a", "b", "c"], "d", 3), ["a", "b", "c"]);
});

test("while somebody is on call nothing stands above the button, and with nobody it says who comes when", () => {
  const monday = Date.UTC(2026, 5, 1, 20) / 1000; // 15:00 in Chicago
  assert.equal(closedWords(view(), monday, "en-US"), null);
  const closed = (/** @type {number | null} */ comes_on) => closedWords(view({ on_call: false, comes_on }), monday, "en-US");
  assert.deepEqual(closed(null), { key: "tablet.closed.unknown", values: {} });
  const when = (/** @type {number} */ hours) => closed(monday + hours * 3600)?.values["when"]?.replaceAll("\u202f", " ");
  assert.equal(when(3), "6:00 PM");
  assert.equal(when(10), "Tuesday 1:00 AM"); // tomorrow there, though the same day in UTC would be another
  assert.equal(when(8 * 24), "Tuesday, June 9 at 3:00 PM");
});

test("everybody in the call is named to whoever holds the tablet", () => {
  const interpreter = /** @type {const} */ ({ party: "p1", seat: "side1", role: "interpreter", mode: "speak", name: "Ana", connected: true, held: false });
  const receiver = /** @type {const} */ ({ ...interpreter, party: "p2", seat: "side2", role: "receiver", name: "Miguel" });
  const listener = /** @type {const} */ ({ ...interpreter, party: "p3", seat: "side3", role: "supervisor", mode: "listen", name: "Ada" });
  const call = session({ state: "connected", clinician: "Dana", company: [interpreter, receiver, listener] });
  assert.deepEqual(companyWords(call, null, 100).map((one) => one.key), ["tablet.company.interpreter", "tablet.company.handing", "tablet.company.supervisor"]);
  assert.deepEqual(companyWords(call, null, 100)[1]?.values, { name: "Miguel", lead: "Dana" });
  assert.equal(companyWords(session({ company: [{ ...listener, mode: "whisper" }] }), null, 100)[0]?.key, "tablet.company.whisper");
  assert.equal(companyWords(session({ company: [{ ...interpreter, held: true }] }), null, 100)[0]?.key, "tablet.company.held");
});

test("who has taken over is said for a while", () => {
  const call = session({ state: "connected", clinician: "Miguel" });
  const came = { name: "Miguel", at: 100 };
  assert.deepEqual(companyWords(call, came, 105).map((one) => one.key), ["tablet.company.now"]);
  assert.deepEqual(companyWords(call, came, 130), []);
});

test("a clinician who hands the session back has not lost the connection", () => {
  const words = connectingWords({ view: view({ session: session({ requeued: true, handed_back: true, clinician: null }) }), local: { ...FRESH, clinician: "Dana" }, online: true, now: 1, names: (all) => all.join(), number: "1" });
  assert.equal(words.words, "tablet.status.handed_back");
});
