/**
 * The relay's credentials, fresh when a connection is made or restarted. A tablet's page is open for days, a credential is good
 * for hours: with the one of the page's start a network that blocks UDP would be closed from the second shift on.
 */

/** @typedef {{ servers: RTCIceServer[], expires_at: number | null }} Known */

const EARLY_SECONDS = 3600; // a call that begins now must not outlive its credential
const AGAIN_SECONDS = 60;
const PATIENCE_MS = 1500; // then on with what there is: most networks need no relay

export class Relay {
  /**
   * @param {{ send(type: string): Promise<Record<string, unknown>>, serverNow(): number }} line
   * @param {Known} known  from the page's start
   */
  constructor(line, known) {
    this.line = line;
    this.known = known;
    /** @type {Promise<void> | null} */
    this.asking = null;
    this.askedAt = -Infinity;
  }

  /** @returns {Promise<RTCIceServer[]>} never fails, and never takes long */
  async fresh() {
    if (this.#runsOut) await Promise.race([this.#ask(), new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
    return this.known.servers;
  }

  /**
   * As often as one likes, in a call: a path is mostly looked for anew when the line is gone as well, and nobody can be asked. What goes
   * by the relay already goes on after its credential has run out, but no new way is opened with that.
   */
  keep() {
    if (this.#runsOut && this.line.serverNow() - this.askedAt >= AGAIN_SECONDS) void this.#ask();
  }

  get #runsOut() {
    const { expires_at } = this.known;
    return expires_at !== null && expires_at - this.line.serverNow() < EARLY_SECONDS;
  }

  /** One question at a time: the line keeps it while it is gone. */
  #ask() {
    this.askedAt = this.line.serverNow();
    this.asking ??= this.line.send("media.relay").then(
      (answer) => { this.known = /** @type {Known} */ (/** @type {unknown} */ (answer)); },
      () => { /* the old one may still do */ },
    ).finally(() => { this.asking = null; });
    return this.asking;
  }
}
