/** Checking a tablet out and in, by the JSON API; the page then follows the server's snapshot. */

import { t, has } from "../lib/i18n.js";

const SNAPSHOT_MS = 2000; // when no snapshot shows it by then, the page is loaded anew

/**
 * @param {string} url
 * @param {string} csrf
 * @param {Readonly<Record<string, string>>} body
 * @returns {Promise<string | null>} null: done; else the sentence to show
 */
async function post(url, csrf, body) {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf, Accept: "application/json" },
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
 * @param {string} officer
 * @param {string} pin
 * @param {() => boolean} shown  the snapshot shows the officer
 */
export async function startShift(csrf, officer, pin, shown) {
  const problem = await post("/api/v1/shift", csrf, { officer, pin });
  if (problem === null) expect(shown);
  return problem;
}

/** @param {string} csrf @param {() => boolean} shown  the snapshot shows nobody */
export async function endShift(csrf, shown) {
  const problem = await post("/api/v1/shift/end", csrf, {});
  if (problem === null) expect(shown);
  return problem;
}
