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
