/**
 * The page's line to the server: one WebSocket (or, where none gets through, plain requests) that comes back by itself, numbered both ways, so that nothing is
 * lost or done twice. It never gives up while the page is open; a page that is told to go (`bye` without
 * `retry`) stops.
 */

import { Outbox, WireError, backoff } from "./outbox.js";
import { PollSocket } from "./poll_socket.js";
import { every } from "./ticker.js";
import * as ways from "./ways.js";
import { PROTOCOL } from "./wire.js";

export { WireError };

/** @typedef {import("./wire.js").ServerMessage} ServerMessage */
/** @typedef {import("./wire.js").PageMessage} PageMessage */
/** @typedef {"connecting" | "open" | "lost"} LineState */
/** @typedef {{ attempt: number, retryInMs: number | null, reason: string | null, final: boolean }} LineInfo
 *   final: the server sent us away and we do not come back (`reason` says why) */
/** @typedef {{ page: "tablet" | "console" | "guest", url?: string, onMessage: (message: PageMessage) => void,
 *   onState: (state: LineState, info: LineInfo) => void, urgent?: () => boolean, prove?: Prove }} LineOptions
 *   urgent: somebody is in a call, or has pressed */
/** @typedef {(challenge: import("./wire.js").Challenge, stream: string) => Promise<import("./device_key.js").Proof>} Prove  a tablet's answer */

const WELCOME_MS = 5000; // no welcome by then: this socket is not going to work
const SUSPECT_MS = 2500; // where something says that the network is another one, an answer is owed so soon
const SURE_MS = 1200; // and so soon where it surely is
// A socket that is opened over a dead network knocks at once, after one second and after three. Who is in a call has no time for
// the last one, and begins anew; each third try waits all the same, for a network may be that slow.
const HASTY_MS = 2900;
const HASTY_WAIT_MS = 200;
const PROBE_MS = 60_000; // until a WebSocket is tried beside plain requests; each time twice as long
const PROBE_MOST_MS = 16 * PROBE_MS;
const WAY = "crisisbridge-way"; // what worked last, for the next page of this tab

/** @returns {string} a name that nobody can guess */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/** What tells of another network, where the browser does. @returns {EventTarget | null} */
function network() {
  return "connection" in navigator && navigator.connection instanceof EventTarget ? navigator.connection : null;
}

export class Line {
  /** @param {LineOptions} options */
  constructor({ page, url = "/ws", onMessage, onState, urgent = () => false, prove }) {
    this.page = page;
    this.prove = prove;
    this.url = new URL(url, location.href);
    this.url.protocol = this.url.protocol.replace(/^http/, "ws");
    this.onMessage = onMessage;
    this.onState = onState;
    this.urgent = urgent;
    this.stream = randomKey();
    /** @type {number | null} the last `n` seen; null: the first one that comes counts */
    this.last = null;
    this.outbox = new Outbox();
    this.pollUrl = new URL("/poll", location.href);
    this.ways = ways.begin(sessionStorage.getItem(WAY));
    /** @type {WebSocket | PollSocket | null} */
    this.socket = null;
    this.welcomed = false; // by the present socket
    this.open = false;
    this.stopped = false;
    this.attempt = 0;
    this.offset = (Date.now() - performance.now()) / 1000;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {(() => void) | null} */
    this.stopBeat = null;
    this.beatSentAt = 0;
    this.beatSeconds = 5;
    /** @type {{ timer: ReturnType<typeof setTimeout>, answered: Promise<boolean>, over: (answered: boolean) => void } | null} */
    this.suspicion = null;
    /** @type {((open: boolean) => void)[]} */
    this.renewals = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.probing = undefined;
    this.probeMs = PROBE_MS;
    this.wake = () => { if (document.visibilityState === "visible") this.#hurry(); };
    this.hurry = () => this.#hurry();
  }

  /** Connect, and stay connected from now on. */
  start() {
    addEventListener("online", this.hurry);
    network()?.addEventListener("change", this.hurry);
    document.addEventListener("visibilitychange", this.wake);
    this.#connect();
  }

  /** The server's clock, seconds since the epoch. */
  serverNow() {
    return this.offset + performance.now() / 1000;
  }

  /**
   * Send a command; it survives reconnects. Resolves with the data of the server's `ack`.
   * @param {string} type
   * @param {Readonly<Record<string, unknown>>} [fields]
   * @returns {Promise<Record<string, unknown>>}
   * @throws {WireError} when the server refuses it
   */
  send(type, fields = {}) {
    return new Promise((resolve, reject) => {
      if (this.stopped) return reject(new WireError("closed", "This page is not connected any more."));
      const text = this.outbox.add(type, fields, resolve, reject);
      if (this.open) this.socket?.send(text);
    });
  }

  /** Do not wait for the next try. */
  tryNow() {
    if (this.stopped || this.open) return;
    this.attempt = 0;
    this.#connect();
  }

  /**
   * Something else went silent, or matters too much to wait for two beats: is this line alive? Behind an address that has
   * changed a socket seems open for a quarter of a minute; one that does not answer soon is left for a new one.
   * @param {boolean} [sure]  the network is another one: the answer comes at once, or never
   * @returns {Promise<boolean>} whether it answered
   */
  suspect(sure = false) {
    const { socket } = this;
    if (!this.open || socket === null) return Promise.resolve(false);
    if (this.suspicion) return this.suspicion.answered;
    const timer = setTimeout(() => { if (socket === this.socket) this.#retry("silent"); }, sure ? SURE_MS : SUSPECT_MS);
    /** @type {(answered: boolean) => void} */
    let over = () => { /* set at once */ };
    const answered = new Promise((/** @type {(answered: boolean) => void} */ resolve) => { over = resolve; });
    this.suspicion = { timer, answered, over };
    this.send("beat").catch(() => { /* any answer is one */ });
    return answered;
  }

  /**
   * What goes by the same network is gone: this socket is not asked whether it is, and a new one is opened. Nothing is lost by that.
   * @returns {Promise<boolean>} whether there is a line again; that may take long
   */
  renew() {
    if (this.stopped) return Promise.resolve(false);
    const renewed = new Promise((/** @type {(open: boolean) => void} */ resolve) => { this.renewals.push(resolve); });
    if (this.open) this.#connect();
    return renewed;
  }

  /** Stop for good; unanswered commands are rejected with `closed`. */
  close() {
    this.#stop("closed");
  }

  #connect() {
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.#drop();
    this.onState("connecting", { attempt: this.attempt, retryInMs: null, reason: null, final: false });
    const socket = this.ways.way === "poll" ? new PollSocket(this.pollUrl) : new WebSocket(this.url);
    this.socket = socket;
    this.welcomed = false;
    socket.addEventListener("open", () => {
      if (socket !== this.socket) return;
      socket.send(JSON.stringify({ type: "hello", protocol: PROTOCOL, page: this.page, stream: this.stream, last: this.last ?? 0, ...(this.prove ? { proves: true } : {}) }));
    });
    socket.addEventListener("message", (/** @type {Event} */ event) => {
      if (socket === this.socket && event instanceof MessageEvent) this.#receive(String(event.data));
    });
    socket.addEventListener("close", () => { if (socket === this.socket) this.#retry("network"); });
    const hasty = this.urgent() && this.attempt % 3 !== 2;
    this.timer = setTimeout(() => { if (socket === this.socket) this.#retry("slow"); }, hasty ? HASTY_MS : WELCOME_MS);
  }

  /** Leave the present socket without waiting for it: closing a dead one can take a minute. */
  #drop() {
    const old = this.socket;
    this.socket = null;
    this.open = false;
    this.stopBeat?.();
    this.stopBeat = null;
    this.beatSentAt = 0;
    this.#unsuspect(false);
    clearTimeout(this.probing);
    if (old && old.readyState <= WebSocket.OPEN) old.close(1000);
  }

  /** @param {string} reason */
  #retry(reason) {
    if (this.stopped) return;
    clearTimeout(this.timer);
    if (this.socket !== null && !this.welcomed) this.ways = ways.failed(this.ways, reason === "slow");
    this.#drop();
    const slow = reason === "slow" && this.urgent(); // the wait has been long, and nobody was asked
    const wait = slow ? HASTY_WAIT_MS : backoff(this.attempt, Math.random());
    this.attempt += 1;
    this.timer = setTimeout(() => this.#connect(), wait);
    this.onState("lost", { attempt: this.attempt, retryInMs: wait, reason, final: false });
  }

  /** @param {string} reason */
  #stop(reason) {
    if (this.stopped) return;
    this.stopped = true;
    clearTimeout(this.timer);
    removeEventListener("online", this.hurry);
    network()?.removeEventListener("change", this.hurry);
    document.removeEventListener("visibilitychange", this.wake);
    this.#drop();
    this.outbox.abandon(new WireError("closed", "This page is not connected any more."));
    for (const renewed of this.renewals.splice(0)) renewed(false);
    this.onState("lost", { attempt: this.attempt, retryInMs: null, reason, final: true });
  }

  /** The network may be back, or the page was asleep: try at once, or test the socket that seems open. */
  #hurry() {
    if (this.stopped) return;
    if (this.open) void this.suspect();
    else this.tryNow();
  }

  /** @param {boolean} answered */
  #unsuspect(answered) {
    clearTimeout(this.suspicion?.timer);
    this.suspicion?.over(answered);
    this.suspicion = null;
  }

  /**
   * A cut can look like a proxy that lets no WebSocket through. Where one opens again, there is no need for requests; nothing is
   * said on it, so that the line is not hurt where it does not.
   */
  #probe() {
    const probe = new WebSocket(this.url);
    const over = setTimeout(() => probe.close(), WELCOME_MS);
    const again = () => {
      clearTimeout(over);
      if (this.open && this.ways.way === "poll") this.#probeLater();
    };
    probe.addEventListener("close", again, { once: true });
    probe.addEventListener("open", () => {
      probe.removeEventListener("close", again);
      clearTimeout(over);
      probe.close();
      if (!this.open || this.ways.way !== "poll") return;
      this.ways = ways.begin(null);
      this.#connect();
    });
  }

  #probeLater() {
    clearTimeout(this.probing);
    this.probing = setTimeout(() => this.#probe(), this.probeMs);
    this.probeMs = Math.min(PROBE_MOST_MS, this.probeMs * 2);
  }

  /** @param {string} text */
  #receive(text) {
    this.#unsuspect(true);
    /** @type {ServerMessage} */
    const message = JSON.parse(text);
    if (message.type === "welcome") return this.#welcome(message);
    if (message.type === "challenge") {
      void this.#answer(message);
      return;
    }
    if (typeof message.n === "number") {
      const last = this.last ?? message.n - 1;
      if (message.n <= last) return; // seen before the reconnect
      if (message.n !== last + 1) return this.#retry("gap"); // the server sends the rest again
      this.last = message.n;
    }
    switch (message.type) {
      case "ack":
        this.outbox.settle(message.re)?.resolve(message.data);
        return;
      case "error":
        if (message.code === "out-of-order") return this.#afresh();
        if (message.re === null) this.onMessage(message);
        else this.outbox.settle(message.re)?.reject(new WireError(message.code, message.message, message.data));
        return;
      case "bye":
        if (message.retry) this.#retry(message.reason);
        else this.#stop(message.reason);
        return;
      case "passed":
        return; // a later snapshot shows all that this one did
      default:
        this.onMessage(message);
    }
  }

  /** Only this browser can. @param {import("./wire.js").Challenge} challenge */
  async #answer(challenge) {
    const { socket } = this;
    const proof = await this.prove?.(challenge, this.stream);
    if (proof && socket === this.socket) socket?.send(JSON.stringify(proof));
  }

  /** @param {import("./wire.js").Welcome} message */
  #welcome(message) {
    clearTimeout(this.timer);
    this.offset = message.now - performance.now() / 1000;
    this.beatSeconds = message.beat_seconds;
    this.open = true;
    this.welcomed = true;
    this.ways = ways.worked(this.ways);
    sessionStorage.setItem(WAY, this.ways.way);
    if (this.ways.way === "poll") this.#probeLater();
    else this.probeMs = PROBE_MS;
    if (!message.resumed) this.last = null;
    for (const text of this.outbox.again(message.expect)) this.socket?.send(text);
    this.stopBeat = every(this.beatSeconds, () => this.#beat());
    this.attempt = 0;
    this.onState("open", { attempt: 0, retryInMs: null, reason: null, final: false });
    for (const renewed of this.renewals.splice(0)) renewed(true);
  }

  /** The two sides disagree about the numbers: begin a new stream, and send the unanswered commands on it. */
  #afresh() {
    this.stream = randomKey();
    this.last = null;
    this.#retry("out-of-order");
  }

  /** Ask for a sign of life; a beat that is unanswered for two intervals means that the socket is dead. */
  #beat() {
    if (!this.open) return;
    const now = performance.now();
    if (this.beatSentAt > 0) {
      if (now - this.beatSentAt > 2000 * this.beatSeconds) this.#retry("silent");
      else void this.suspect();
      return;
    }
    this.beatSentAt = now;
    const answered = () => { this.beatSentAt = 0; };
    this.send("beat").then(answered, answered);
  }
}
