/**
 * The relay's credentials, fresh when a connection is made or restarted. A tablet's page is open for days, a credential is good
 * for hours: with the one of the page's start a network that blocks UDP would be closed from the second shift on.
 */

/** @typedef {{ servers: RTCIceServer[], expires_at: number | null }} Known */

const EARLY_SECONDS = 3600; // a call that begins now must not outlive its credential
const PATIENCE_MS = 1500; // then on with what there is: most networks need no relay

export class Relay {
  /**
   * @param {{ send(type: string): Promise<Record<string, unknown>>, serverNow(): number }} line
   * @param {Known} known  from the page's start
   */
  constructor(line, known) {
    this.line = line;
    this.known = known;
  }

  /** @returns {Promise<RTCIceServer[]>} never fails, and never takes long */
  async fresh() {
    const { expires_at } = this.known;
    if (expires_at !== null && expires_at - this.line.serverNow() < EARLY_SECONDS) {
      const asked = this.line.send("media.relay").then((answer) => { this.known = /** @type {Known} */ (/** @type {unknown} */ (answer)); });
      await Promise.race([asked.catch(() => { /* the old one may still do */ }), new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
    }
    return this.known.servers;
  }
}
