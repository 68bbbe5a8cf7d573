/**
 * Checking a tablet out and in, and giving it a new key, by the JSON API; the page then follows the server's snapshot. Each
 * request proves that it comes from this device.
 */

import { t, has } from "../lib/i18n.js";
import { answered, made } from "../lib/passkey.js";

const SNAPSHOT_MS = 2000; // when no snapshot shows it by then, the page is loaded anew

/** @typedef {import("../lib/device_key.js").DeviceKey} DeviceKey */

/**
 * @param {string} url
 * @param {string} csrf
 * @param {object} body
 * @param {DeviceKey | null} device  proves with its key; null: nothing to prove with
 * @returns {Promise<{ problem: string | null, answer: any }>} problem null: done; else the sentence to show
 */
async function ask(url, csrf, body, device) {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json", "X-CSRF-Token": csrf, Accept: "application/json", ...(await device?.headers("POST", url) ?? {}),
      },
      body: JSON.stringify(body),
    });
    /** @type {any} */
    const answer = await response.json();
    if (response.ok) return { problem: null, answer };
    const key = `tablet.error.${(answer.code ?? "").replaceAll("-", "_")}`;
    return { problem: has(key) ? t(key) : (answer.message ?? t("tablet.error.network")), answer: null };
  } catch {
    return { problem: t("tablet.error.network"), answer: null };
  }
}

/** @param {string} url @param {string} csrf @param {object} body @param {DeviceKey | null} device */
async function post(url, csrf, body, device) {
  return (await ask(url, csrf, body, device)).problem;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let waiting; // for the snapshot of the newest change: after the next one, that of the last will not come

/** @param {() => boolean} shown */
function expect(shown) {
  clearTimeout(waiting);
  waiting = setTimeout(() => { if (!shown()) location.reload(); }, SNAPSHOT_MS);
}

/**
 * @param {string} csrf
 * @param {DeviceKey} key
 * @param {string} officer
 * @param {string} pin
 * @param {() => boolean} shown  the snapshot shows the officer
 * @param {(options: object | null) => void} offered  what a first passkey of theirs takes; null: there can be none
 */
export async function startShift(csrf, key, officer, pin, shown, offered) {
  clearTimeout(waiting);
  const { problem, answer } = await ask("/api/v1/shift", csrf, { officer, pin }, key);
  if (problem !== null) return problem;
  offered(answer.passkey ?? null);
  expect(shown);
  return null;
}

/**
 * Check out with a passkey, whoever's: no name, no PIN.
 * @param {string} csrf
 * @param {DeviceKey} key
 * @param {() => boolean} shown  the snapshot shows the officer
 * @param {AbortSignal} signal  the officer went on without
 * @returns {Promise<string | null>} null: done, or taken back; else the sentence to show
 */
export async function startByPasskey(csrf, key, shown, signal) {
  const asked = await ask("/api/v1/shift/passkey/ask", csrf, {}, key);
  if (asked.problem !== null) return asked.problem;
  const credential = await answered(asked.answer.options, signal).catch(() => null);
  if (signal.aborted) return null;
  if (credential === null) return t("tablet.passkey.failed");
  clearTimeout(waiting);
  const problem = await post("/api/v1/shift/passkey", csrf, { credential }, key);
  if (problem === null) expect(shown);
  return problem;
}

/**
 * Keep a first passkey of the officer who has just checked out by PIN.
 * @param {string} csrf
 * @param {DeviceKey} key
 * @param {object} options  that came with the check-out
 * @param {AbortSignal} signal
 * @returns {Promise<string | null>} null: kept, or taken back; else the sentence to show
 */
export async function keepPasskey(csrf, key, options, signal) {
  const credential = await made(options, signal).catch(() => null);
  if (signal.aborted) return null;
  if (credential === null) return t("tablet.passkey.not_made");
  return post("/api/v1/shift/passkey/add", csrf, { credential }, key);
}

/** @param {string} csrf @param {DeviceKey} key @param {() => boolean} shown  the snapshot shows nobody */
export async function endShift(csrf, key, shown) {
  const problem = await post("/api/v1/shift/end", csrf, {}, key);
  if (problem === null) expect(shown);
  return problem;
}

/**
 * A new key for a tablet whose browser has lost its own; the officer checks it out with the same PIN.
 * @param {string} csrf
 * @param {DeviceKey} key
 * @param {string} officer  the name, as on the check-out list
 * @param {string} pin
 * @returns {Promise<string | null>} null: done, and the page is loaded anew; else the sentence to show
 */
export async function renewKey(csrf, key, officer, pin) {
  const fresh = await key.draft();
  if (fresh === null) return t("tablet.key.cannot");
  const problem = await post("/api/v1/tablet/key", csrf, { officer, pin, key: fresh }, null);
  if (problem === null) {
    await key.promote();
    location.reload();
  }
  return problem;
}
