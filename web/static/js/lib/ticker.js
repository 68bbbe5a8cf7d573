/**
 * A clock for heartbeats which keeps time in a hidden page. Browsers slow the timers of a hidden page down to one a
 * minute, and a clinician whose tab is behind another must not be taken for gone; timers of a worker are
 * not slowed down.
 */

import { scriptAt } from "./trusted.js";

/**
 * Call `tick` every `seconds`, also while the page is hidden.
 * @param {number} seconds
 * @param {() => void} tick
 * @returns {() => void} stop
 */
export function every(seconds, tick) {
  /** @type {Worker | null} */
  let worker = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  const fallback = () => {
    worker?.terminate();
    worker = null;
    timer ??= setInterval(tick, seconds * 1000);
  };
  try {
    worker = new Worker(scriptAt(new URL("./ticker_worker.js", import.meta.url)));
    worker.addEventListener("message", tick);
    worker.addEventListener("error", fallback);
    worker.postMessage(seconds * 1000);
  } catch {
    fallback(); // no workers here: a slowed clock is better than none
  }
  return () => {
    worker?.terminate();
    clearInterval(timer);
  };
}
