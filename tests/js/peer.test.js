// One side's connection: what the page makes of what its browser reports.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

/** @typedef {import("../../web/static/js/lib/peer.js").Peer} Peer */

/** A connection that is in the state that the test says, and reports what it says. */
class Connection extends EventTarget {
  /** @type {Connection[]} */
  static made = [];

  constructor() {
    super();
    this.connectionState = "new";
    this.localDescription = { sdp: "ours" };
    this.heard = 0;
    this.path = "one";
    this.way = "host";
    this.named = true;
    this.restarts = 0;
    this.closed = false;
    /** @type {object[]} */
    this.transceivers = [];
    Connection.made.push(this);
  }

  /** @param {string} kind */
  addTransceiver(kind) {
    const sender = { transport: null, getParameters: () => ({}), replaceTrack: async () => { /* as it is */ } };
    const made = { mid: String(this.transceivers.length), sender, receiver: { track: { kind } } };
    this.transceivers.push(made);
    return made;
  }

  getTransceivers() { return this.transceivers; }
  getConfiguration() { return {}; }
  setConfiguration() { /* the same */ }
  restartIce() { this.restarts += 1; }
  async setLocalDescription() { /* at once */ }
  async setRemoteDescription() { /* at once */ }
  async getStats() {
    const pair = { type: "candidate-pair", id: this.path, localCandidateId: "ours", nominated: true, state: "succeeded", bytesReceived: this.heard, availableOutgoingBitrate: 900_000 };
    return new Map(!this.named ? [] : Object.entries({ pair, ours: { type: "local-candidate", id: "ours", candidateType: this.way } }));
  }
  close() {
    this.closed = true;
    this.connectionState = "closed";
  }

  /** @param {string} state */
  becomes(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }
}

const there = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
const FAKES = {
  RTCPeerConnection: Connection,
  RTCRtpReceiver: { getCapabilities: () => null },
  MediaStream: class { getTracks() { return []; } },
  document: { visibilityState: "visible" },
};
/** @type {Map<string, unknown>} */
const known = new Map();
/** @type {Peer} */
let peer;
/** @type {string[]} */
let steps;
/** @type {boolean[]} */
let doubts;
/** @type {((open: boolean) => void)[]} lines that were given up for the media's sake, and how they come back */
let lost;
let now = 0;

/** Everything that waits for nothing but its turn. */
async function turns() {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** @param {number} seconds @param {() => void} each  before each of them */
async function pass(seconds, each) {
  for (let quarter = 0; quarter < 4 * seconds; quarter += 1) {
    if (quarter % 4 === 0) each();
    now += 250;
    mock.timers.tick(250);
    await turns();
  }
}

/** The newest connection. */
const newest = () => /** @type {Connection} */ (Connection.made.at(-1));

beforeEach(async () => {
  for (const [name, fake] of Object.entries(FAKES)) {
    known.set(name, there[name]);
    there[name] = fake;
  }
  now = 0;
  Connection.made = [];
  steps = [];
  doubts = [];
  lost = [];
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  mock.method(performance, "now", () => now);
  const { Peer: Made } = await import("../../web/static/js/lib/peer.js");
  const options = {
    line: { send: async () => ({ description: "theirs" }) }, session: () => "ses_1", epoch: () => 1, sending: () => ({ muted: false, camera: true }),
    relay: { fresh: async () => [], keep: () => {} }, onRemote: () => {}, onMore: () => {}, onState: () => {}, onFound: () => {}, onDoubt: async (/** @type {boolean} */ sure) => { doubts.push(sure); return false; },
    onLost: () => new Promise((/** @type {(open: boolean) => void} */ back) => { lost.push(back); }),
    onStep: (/** @type {string} */ step) => { steps.push(step); }, onQuality: () => {},
  };
  peer = new Made(/** @type {import("../../web/static/js/lib/peer.js").PeerOptions} */ (/** @type {unknown} */ (options)));
  await peer.start(null, { voiceOnly: false });
  newest().becomes("connected");
});

afterEach(() => {
  peer.close();
  mock.timers.reset();
  mock.restoreAll();
  for (const [name, before] of known) there[name] = before;
});

test("while a connection is built beside one that carries, the line is as wide as that one says", async () => {
  const carries = newest();
  await pass(5, () => { carries.heard += 1000; });
  peer.restart();
  await turns();
  assert.notEqual(newest(), carries);
  await pass(15, () => { carries.heard += 1000; });
  assert.equal(carries.closed, false);
  assert.deepEqual(steps, [], "nobody is told to phone while sound comes and goes");
  const fresh = newest();
  fresh.path = "its own";
  fresh.becomes("connected");
  await pass(15, () => { fresh.heard += 1000; });
  assert.equal(carries.closed, true);
  assert.deepEqual(steps, []);
  assert.deepEqual(doubts, [], "another connection is not another network");
});

test("where sound and picture go another way without a break, the line is doubted at once, and once", async () => {
  await pass(5, () => { newest().heard += 1000; });
  assert.deepEqual(doubts, []);
  newest().path = "another";
  await pass(5, () => { newest().heard += 1000; });
  assert.deepEqual(doubts, [true]);
});

test("a pair that is counted no more is no sign that something was heard", async () => {
  newest().heard = 90_000;
  await pass(3, () => { newest().heard += 1000; });
  let second = 0;
  // the line is cut; its pair fails after a while, as browsers have it
  await pass(13, () => { if ((second += 1) === 8) newest().heard = 0; });
  assert.deepEqual(steps, ["phone"], "ten seconds after the cut, and not after that");
});

/** By a relay, for so long that the page knows. */
async function byRelay() {
  newest().way = "relay";
  for (let quarter = 0; quarter < 12; quarter += 1) await pass(0.25, () => { newest().heard += 100; });
}

test("a relay that has not answered for a second is given up, the line with it, and a path is looked for when that is there", async () => {
  await byRelay();
  await pass(0.75, () => { /* nothing */ });
  assert.equal(lost.length, 0);
  await pass(0.5, () => { /* nothing */ });
  assert.equal(lost.length, 1);
  assert.deepEqual(doubts, [], "nobody is asked first");
  await pass(2, () => { /* nothing */ });
  assert.equal(newest().restarts, 0, "there is no line yet to say it by");
  lost[0]?.(true);
  await turns();
  assert.equal(newest().restarts, 1);
  await pass(3, () => { /* nothing */ });
  assert.deepEqual([lost.length, newest().restarts], [1, 1], "once");
});

test("a relay that answers again by itself is waited for twice as long the next time, up to a bound, and another path begins anew", async () => {
  await byRelay();
  for (const patience of [1, 2, 4, 4]) {
    const before = lost.length;
    await pass(patience - 0.25, () => { /* nothing */ });
    assert.equal(lost.length, before, `before ${patience} s`);
    await pass(0.5, () => { /* nothing */ });
    assert.equal(lost.length, before + 1, `after ${patience} s`);
    await byRelay();
    lost.at(-1)?.(true);
    await turns();
  }
  assert.equal(newest().restarts, 0, "it was heard before the line was there");
  await pass(4.25, () => { /* nothing */ });
  newest().path = "by another address";
  await byRelay();
  const before = lost.length;
  await pass(1.25, () => { /* nothing */ });
  assert.equal(lost.length, before + 1);
});

test("a relay that has closed the connection is given up at once", async () => {
  await byRelay();
  newest().becomes("disconnected");
  assert.equal(lost.length, 1);
  lost[0]?.(true);
  await turns();
  assert.equal(newest().restarts, 1);
  await pass(4, () => { /* nothing */ });
  assert.deepEqual([lost.length, newest().restarts], [1, 1], "once");
});

test("a relay is known as one while its pair has no name any more", async () => {
  await byRelay();
  newest().named = false;
  await pass(1.25, () => { /* nothing */ });
  assert.equal(lost.length, 1);
});

test("a path without a relay is not given up after a second", async () => {
  await pass(3, () => { newest().heard += 100; });
  await pass(1.75, () => { /* nothing */ });
  assert.deepEqual([doubts, lost.length], [[], 0]);
  await pass(1.5, () => { /* nothing */ });
  assert.deepEqual([doubts, lost.length], [[false], 0], "the line is asked");
});
