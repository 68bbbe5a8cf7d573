// The numbered commands of one stream: nothing lost, nothing done twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox, WireError, backoff } from "../../web/static/js/lib/outbox.js";

/** @param {Outbox} outbox @param {string} type */
function add(outbox, type) {
  /** @type {{ text: string, data?: Record<string, unknown>, error?: WireError }} */
  const sent = { text: "" };
  sent.text = outbox.add(type, { session: "ses_1" }, (data) => { sent.data = data; }, (error) => { sent.error = error; });
  return sent;
}

/** @param {readonly string[]} texts */
const ids = (texts) => texts.map((text) => JSON.parse(text).id);

test("commands are numbered from one without a gap", () => {
  const outbox = new Outbox();
  assert.deepEqual(["a", "b", "c"].map((type) => JSON.parse(add(outbox, type).text)), [
    { session: "ses_1", type: "a", id: 1 }, { session: "ses_1", type: "b", id: 2 }, { session: "ses_1", type: "c", id: 3 },
  ]);
});

test("an answer settles its command once, and a second answer finds nothing", () => {
  const outbox = new Outbox();
  const sent = add(outbox, "a");
  outbox.settle(1)?.resolve({ done: true });
  assert.deepEqual(sent.data, { done: true });
  assert.equal(outbox.settle(1), undefined);
});

test("after a lost socket the unanswered commands go out again under the same ids", () => {
  const outbox = new Outbox();
  for (const type of ["a", "b", "c"]) add(outbox, type);
  outbox.settle(1);
  assert.deepEqual(ids(outbox.again(3)), [2, 3]); // the server did 2, only the answer was lost
  assert.equal(outbox.next, 4);
});

test("a server that has forgotten the stream gets the rest under new numbers, without old beats", () => {
  const outbox = new Outbox();
  for (const type of ["a", "beat", "b"]) add(outbox, type);
  outbox.settle(1);
  const texts = outbox.again(1);
  assert.deepEqual(texts.map((text) => [JSON.parse(text).id, JSON.parse(text).type]), [[1, "b"]]);
  assert.equal(outbox.next, 2);
});

test("with nothing pending the next number is the one that the server expects", () => {
  const outbox = new Outbox();
  add(outbox, "a");
  outbox.settle(1);
  assert.deepEqual(outbox.again(1), []);
  assert.equal(outbox.next, 1);
});

test("giving up rejects everything that is unanswered", () => {
  const outbox = new Outbox();
  const [one, two] = [add(outbox, "a"), add(outbox, "b")];
  outbox.abandon(new WireError("closed", "gone"));
  assert.equal(one?.error?.code, "closed");
  assert.equal(two?.error?.code, "closed");
  assert.equal(outbox.pending.size, 0);
});

test("a field named like the envelope cannot overwrite it", () => {
  const outbox = new Outbox();
  const text = outbox.add("a", { id: 99, type: "evil" }, () => {}, () => {});
  assert.deepEqual(JSON.parse(text), { id: 1, type: "a" });
});

test("the wait between tries grows, is spread, and never passes five seconds", () => {
  for (let attempt = 0; attempt < 40; attempt++) {
    assert.ok(backoff(attempt, 0) <= backoff(attempt, 1));
    assert.ok(backoff(attempt, 1) <= 5000);
    assert.ok(backoff(attempt, 0) >= 125);
  }
  assert.ok(backoff(0, 1) < backoff(3, 1));
});
