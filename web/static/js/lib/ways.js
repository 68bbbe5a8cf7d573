/**
 * By which way the page talks to the server: a WebSocket, or plain requests where that gets no welcome. Pure. Neither is
 * given up for good: each that fails twice gives way to the other, so that a tablet that drives from one network to the next
 * is never stuck with the wrong one.
 */

/** @typedef {"socket" | "poll"} Way */
/** @typedef {{ way: Way, failures: number, proven: boolean }} Ways  proven: a WebSocket has worked in this tab */

const ENOUGH = 2;
const ENOUGH_PROVEN = 6; // a network that is gone looks like a proxy that swallows upgrades, for a while

/** @param {string | null} remembered  what worked on the page before @returns {Ways} */
export function begin(remembered) {
  return { way: remembered === "poll" ? "poll" : "socket", failures: 0, proven: remembered === "socket" };
}

/** A welcome came. @param {Ways} ways @returns {Ways} */
export function worked({ way, proven }) {
  return { way, failures: 0, proven: proven || way === "socket" };
}

/**
 * A try ended without a welcome.
 * @param {Ways} ways
 * @param {boolean} hung  it neither worked nor failed: some proxies swallow the upgrade. Waiting twice for that is too long.
 * @returns {Ways}
 */
export function failed({ way, failures, proven }, hung) {
  const sum = failures + (hung ? ENOUGH : 1);
  if (sum < (proven && way === "socket" ? ENOUGH_PROVEN : ENOUGH)) return { way, failures: sum, proven };
  return { way: way === "socket" ? "poll" : "socket", failures: 0, proven };
}
