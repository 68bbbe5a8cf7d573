// The relay's credentials are fresh when they are needed, and a call never waits for them for long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Relay } from "../../web/static/js/lib/relay.js";

const HOUR = 3600;

/** @param {number} expires_at */
const known = (expires_at) => ({ servers: [{ urls: ["turn:r.example"], username: `${expires_at}:x`, credential: "c" }], expires_at });

/** @param {number} now @param {() => Promise<Record<string, unknown>>} answer */
function line(now, answer) {
  /** @type {string[]} */
  const sent = [];
  return { sent, serverNow: () => now, send: (/** @type {string} */ type) => { sent.push(type); return answer(); } };
}

test("what is good for hours is used as it is, and no relay is never asked for", async () => {
  const talk = line(1000, async () => ({}));
  assert.deepEqual(await new Relay(talk, known(1000 + 6 * HOUR)).fresh(), known(1000 + 6 * HOUR).servers);
  assert.deepEqual(await new Relay(talk, { servers: [], expires_at: null }).fresh(), []);
  assert.deepEqual(talk.sent, []);
});

test("what runs out within the next call is asked for anew, once", async () => {
  const next = known(9 * HOUR);
  const talk = line(2.5 * HOUR, async () => next);
  const relay = new Relay(talk, known(3 * HOUR));
  assert.deepEqual(await relay.fresh(), next.servers);
  assert.deepEqual(await relay.fresh(), next.servers);
  assert.deepEqual(talk.sent, ["media.relay"]);
});

test("without an answer the call goes on with what there is", async () => {
  for (const answer of [() => Promise.reject(new Error("closed")), () => /** @type {Promise<Record<string, unknown>>} */ (new Promise(() => {}))]) {
    const relay = new Relay(line(5 * HOUR, answer), known(3 * HOUR));
    assert.deepEqual(await relay.fresh(), known(3 * HOUR).servers);
  }
});

test("in a call what runs out is asked for ahead, once a minute, so that a cut finds it good", async () => {
  const talk = line(0, async () => ({}));
  let now = 0;
  let answer = known(1.5 * HOUR);
  talk.serverNow = () => now;
  talk.send = async (type) => { talk.sent.push(type); return answer; };
  const relay = new Relay(talk, known(1.5 * HOUR));
  relay.keep();
  assert.deepEqual(talk.sent, []);
  for (now = HOUR; now < HOUR + 120; now += 5) {
    relay.keep();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(talk.sent.length, 2, "the answer was no better");
  answer = known(7 * HOUR);
  now += 60;
  relay.keep();
  await new Promise((resolve) => setImmediate(resolve));
  talk.send = () => new Promise(() => {});
  assert.deepEqual(await relay.fresh(), answer.servers);
});

test("two who need it at once ask once", async () => {
  const talk = line(2.5 * HOUR, async () => known(9 * HOUR));
  const relay = new Relay(talk, known(3 * HOUR));
  await Promise.all([relay.fresh(), relay.fresh()]);
  assert.equal(talk.sent.length, 1);
});
