/**
 * Checking a tablet out and in, and giving it a new key, by the JSON API; the page then follows the server's snapshot. Each
 * request proves that it comes from this device.
 */

import { t, has } from "../lib/i18n.js";

const SNAPSHOT_MS = 2000; // when no snapshot shows it by then, the page is loaded anew

/** @typedef {import("../lib/device_key.js").DeviceKey} DeviceKey */

/**
 * @param {string} url
 * @param {string} csrf
 * @param {Readonly<Record<string, string>>} body
 * @param {DeviceKey | null} device  proves with its key; null: nothing to prove with
 * @returns {Promise<string | null>} null: done; else the sentence to show
 */
async function post(url, csrf, body, device) {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json", "X-CSRF-Token": csrf, Accept: "application/json", ...(await device?.headers("POST", url) ?? {}),
      },
      body: JSON.stringify(body),
    });
    if (response.ok) return null;
    /** @type {{ code?: string, message?: string }} */
    const answer = await response.json();
    const key = `tablet.error.${(answer.code ?? "").replaceAll("-", "_")}`;
    return has(key) ? t(key) : (answer.message ?? t("tablet.error.network"));
  } catch {
    return t("tablet.error.network");
  }
}

/** @param {() => boolean} shown */
function expect(shown) {
  setTimeout(() => { if (!shown()) location.reload(); }, SNAPSHOT_MS);
}

/**
 * @param {string} csrf
 * @param {DeviceKey} key
 * @param {string} officer
 * @param {string} pin
 * @param {() => boolean} shown  the snapshot shows the officer
 */
export async function startShift(csrf, key, officer, pin, shown) {
  const problem = await post("/api/v1/shift", csrf, { officer, pin }, key);
  if (problem === null) expect(shown);
  return problem;
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
