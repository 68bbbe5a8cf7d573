/**
 * By which way the page talks to the server: a WebSocket, or plain requests where that gets no welcome. Pure. Neither is
 * given up for good: each that fails twice gives way to the other, so that a tablet that drives from one network to the next
 * is never stuck with the wrong one.
 */

/** @typedef {"socket" | "poll"} Way */
/** @typedef {{ way: Way, failures: number }} Ways */

const ENOUGH = 2;

/** @param {string | null} remembered  what worked on the page before @returns {Ways} */
export function begin(remembered) {
  return { way: remembered === "poll" ? "poll" : "socket", failures: 0 };
}

/** A welcome came. @param {Ways} ways @returns {Ways} */
export function worked({ way }) {
  return { way, failures: 0 };
}

/**
 * A try ended without a welcome.
 * @param {Ways} ways
 * @param {boolean} hung  it neither worked nor failed: some proxies swallow the upgrade. Waiting twice for that is too long.
 * @returns {Ways}
 */
export function failed({ way, failures }, hung) {
  const sum = failures + (hung ? ENOUGH : 1);
  if (sum < ENOUGH) return { way, failures: sum };
  return { way: way === "socket" ? "poll" : "socket", failures: 0 };
}
