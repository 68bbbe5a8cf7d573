/**
 * What a WebSocket does for the page's line, by plain requests: one waits for messages, others carry ours. For networks whose
 * proxy refuses the upgrade. Both ways are numbered, so that what is sent twice is taken once (docs/protocol.md).
 */

/** @typedef {{ connection: string, first: number, messages: string[], closed: string | null }} Polled */

const ANSWER_MS = 30_000; // the server holds a request for 20 s
const MOST = 32; // messages in one request

export class PollSocket extends EventTarget {
  /** @param {URL} url */
  constructor(url) {
    super();
    this.url = url;
    /** @type {number} as WebSocket.readyState */
    this.readyState = WebSocket.CONNECTING;
    this.connection = "";
    this.got = 0; // messages of the server
    this.first = 0; // the number of the first of `out`
    /** @type {string[]} */
    this.out = [];
    this.sending = false;
    this.ended = new AbortController();
    void this.#open();
  }

  /** @param {string} text */
  send(text) {
    this.out.push(text);
    void this.#flush();
  }

  close() {
    this.readyState = WebSocket.CLOSED;
    this.ended.abort();
  }

  async #open() {
    const answer = await this.#post({});
    if (answer === null) return;
    this.connection = answer.connection;
    this.readyState = WebSocket.OPEN;
    this.dispatchEvent(new Event("open"));
    while (this.readyState === WebSocket.OPEN) {
      const heard = await this.#post({ connection: this.connection, got: this.got, wait: true });
      if (heard !== null) this.#take(heard);
    }
  }

  /** One request at a time: they must not overtake each other. */
  async #flush() {
    if (this.sending) return;
    this.sending = true;
    while (this.out.length > 0 && this.readyState === WebSocket.OPEN) {
      const messages = this.out.slice(0, MOST);
      const answer = await this.#post({ connection: this.connection, got: this.got, first: this.first, messages });
      if (answer === null) break;
      this.out.splice(0, messages.length);
      this.first += messages.length;
      if (answer.closed !== null) this.#take(answer);
    }
    this.sending = false;
  }

  /** @param {Polled} answer */
  #take({ first, messages, closed }) {
    for (const [index, data] of messages.entries()) {
      if (first + index !== this.got || this.readyState !== WebSocket.OPEN) continue; // had it before
      this.got += 1;
      this.dispatchEvent(new MessageEvent("message", { data }));
    }
    if (closed !== null) this.#end();
  }

  /** @param {Record<string, unknown>} body @returns {Promise<Polled | null>} null: this socket is over */
  async #post(body) {
    try {
      const response = await fetch(this.url, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
        signal: AbortSignal.any([this.ended.signal, AbortSignal.timeout(ANSWER_MS)]),
      });
      if (response.ok) return await response.json();
    } catch { /* the network, or the end: the line comes back by itself */ }
    this.#end();
    return null;
  }

  #end() {
    if (this.readyState === WebSocket.CLOSED) return;
    this.close();
    this.dispatchEvent(new Event("close"));
  }
}
