// The page's line: when it takes a socket for dead, and when it leaves plain requests again.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

/** @typedef {import("../../web/static/js/lib/socket.js").Line} Line */

/** A WebSocket that does what the test says. */
class Socket extends EventTarget {
  static OPEN = 1;
  /** @type {Socket[]} */
  static made = [];

  constructor() {
    super();
    this.readyState = 0;
    /** @type {{ type: string, id: number }[]} */
    this.sent = [];
    Socket.made.push(this);
  }

  /** @param {string} text */
  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.readyState = 3; }

  /** @param {object} message */
  says(message) { this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) })); }
  opens() { this.readyState = 1; this.dispatchEvent(new Event("open")); }
  fails() { this.readyState = 3; this.dispatchEvent(new Event("close")); }
  welcomes() {
    this.opens();
    this.says({ type: "welcome", protocol: 1, now: 0, resumed: true, expect: 1, beat_seconds: 5 });
  }

  /** Answers what was sent last. */
  answers() { this.says({ type: "ack", re: this.sent.at(-1)?.id, data: {} }); }
}

const there = globalThis;
const known = { WebSocket: there.WebSocket, fetch: there.fetch };
/** @type {Line} */
let line;
let connection = new EventTarget();

/** @param {string | null} [way] that worked on the page before */
async function begin(way = null) {
  const store = new Map([["crisisbridge-way", way]]);
  Object.assign(there, {
    location: { href: "https://bridge.example.org/tablet" },
    sessionStorage: { getItem: (/** @type {string} */ name) => store.get(name) ?? null, setItem: () => { /* not read */ } },
    addEventListener: () => { /* never online */ }, removeEventListener: () => { /* never online */ },
    document: { addEventListener: () => { /* always visible */ }, removeEventListener: () => { /* always visible */ }, visibilityState: "visible" },
    WebSocket: Socket,
  });
  Object.defineProperty(there, "navigator", { value: { connection }, configurable: true });
  const { Line } = await import("../../web/static/js/lib/socket.js");
  line = new Line({ page: "tablet", onMessage: () => { /* nothing comes */ }, onState: () => { /* not shown */ } });
  line.start();
}

const newest = () => /** @type {Socket} */ (Socket.made.at(-1));
const types = () => newest().sent.map((one) => one.type);

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  Socket.made = [];
  connection = new EventTarget();
});

afterEach(() => {
  mock.timers.reset();
  line.close();
  Object.assign(there, known);
});

test("a line that is suspected and does not answer is left for a new one at once", async () => {
  await begin();
  newest().welcomes();
  line.suspect();
  line.suspect();
  assert.deepEqual(types(), ["hello", "beat"], "one question is enough");
  mock.timers.tick(2499);
  assert.equal(Socket.made.length, 1);
  mock.timers.tick(1);
  mock.timers.tick(250);
  assert.equal(Socket.made.length, 2);
  newest().welcomes();
  assert.deepEqual(types(), ["hello", "beat"], "what was not answered is asked again");
});

test("where the network is surely another one, the answer is waited for half as long", async () => {
  await begin();
  newest().welcomes();
  line.suspect(true);
  mock.timers.tick(1200);
  mock.timers.tick(250);
  assert.equal(Socket.made.length, 2);
});

test("a line whose network is gone is left without a question, and says when there is one again", async () => {
  await begin();
  newest().welcomes();
  /** @type {boolean[]} */
  const told = [];
  for (let times = 0; times < 2; times += 1) void line.renew().then((open) => { told.push(open); });
  assert.equal(Socket.made.length, 2, "at once, and once");
  assert.deepEqual(told, []);
  newest().welcomes();
  await Promise.resolve();
  assert.deepEqual(told, [true, true]);
  void line.renew().then((open) => { told.push(open); });
  line.close();
  await Promise.resolve();
  assert.deepEqual(told, [true, true, false]);
  assert.equal(await line.renew(), false);
});

test("a line that answers is kept, and may be suspected again", async () => {
  await begin();
  newest().welcomes();
  for (let times = 0; times < 3; times += 1) {
    line.suspect();
    newest().answers();
    mock.timers.tick(3000);
  }
  assert.equal(Socket.made.length, 1);
  line.suspect();
  mock.timers.tick(2500);
  mock.timers.tick(250);
  assert.equal(Socket.made.length, 2);
});

test("a beat that is unanswered at the next one makes a line suspect", async () => {
  await begin();
  newest().welcomes();
  mock.timers.tick(5000);
  assert.deepEqual(types(), ["hello", "beat"]);
  mock.timers.tick(5000);
  assert.deepEqual(types(), ["hello", "beat", "beat"]);
  mock.timers.tick(2500);
  mock.timers.tick(250);
  assert.equal(Socket.made.length, 2);
});

test("another network makes a line suspect, and an ended one listens no more", async () => {
  await begin();
  newest().welcomes();
  connection.dispatchEvent(new Event("change"));
  assert.deepEqual(types(), ["hello", "beat"]);
  line.close();
  connection.dispatchEvent(new Event("change"));
  assert.equal(Socket.made.length, 1);
});

test("a line that is not there is not suspected", async () => {
  await begin();
  line.suspect();
  newest().opens();
  line.suspect();
  assert.deepEqual(types(), ["hello"]);
  mock.timers.tick(2600);
  assert.equal(Socket.made.length, 1, "a welcome has its own time");
});

/** A line by plain requests, which the server welcomes. */
async function polled() {
  const welcome = JSON.stringify({ type: "welcome", protocol: 1, now: 0, resumed: true, expect: 1, beat_seconds: 3600 });
  let told = false;
  there.fetch = (_url, init) => {
    const { wait } = JSON.parse(String(init?.body));
    if (wait && told) return new Promise(() => { /* nothing more comes */ });
    told ||= wait;
    return Promise.resolve(new Response(JSON.stringify({ connection: "c", first: 0, messages: wait ? [welcome] : [], closed: null })));
  };
  await begin("poll");
  for (let turns = 0; turns < 20 && !line.open; turns += 1) await new Promise((resolve) => { setImmediate(resolve); });
  assert.ok(line.open);
}

test("plain requests are left as soon as a WebSocket opens again", async () => {
  await polled();
  mock.timers.tick(59_000);
  assert.equal(Socket.made.length, 0);
  mock.timers.tick(1000);
  assert.equal(Socket.made.length, 1);
  assert.ok(line.open, "the line goes on meanwhile");
  newest().opens();
  assert.equal(Socket.made.length, 2);
  newest().welcomes();
  assert.ok(line.open);
  assert.equal(line.ways.way, "socket");
});

test("where no WebSocket opens, plain requests go on and it is tried less and less often", async () => {
  await polled();
  const waits = [60_000, 120_000, 240_000];
  for (const [turn, wait] of waits.entries()) {
    mock.timers.tick(wait - 1);
    assert.equal(Socket.made.length, turn);
    mock.timers.tick(1);
    assert.equal(Socket.made.length, turn + 1);
    newest().fails();
    assert.equal(line.ways.way, "poll");
    assert.ok(line.open);
  }
});
