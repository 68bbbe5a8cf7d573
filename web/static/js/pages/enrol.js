/**
 * Setting up a tablet. A scanned code stands in the address's fragment, which no server sees; it is taken out of
 * the address at once and used, unless this device is a tablet already: then a person must press.
 */

import { DeviceKey, keeping } from "../lib/device_key.js";
import { boot, find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

const { csrf } = boot();
const deviceKey = new DeviceKey();
const form = find("#enrol", HTMLFormElement);
const code = find("#code", HTMLInputElement);
const submit = find("#enrol-submit", HTMLButtonElement);
const status = find("#enrol-status", HTMLElement);
const problem = find("#enrol-error", HTMLElement);
let busy = false;

/** @param {string | null} text */
function refuse(text) {
  problem.hidden = text === null;
  setText(problem, text ?? "");
  code.setAttribute("aria-invalid", String(text !== null));
}

/** @param {string | null} text */
function tell(text) {
  status.hidden = text === null;
  setText(status, text ?? "");
}

async function enrol() {
  if (busy) return;
  busy = true;
  submit.disabled = true;
  refuse(null);
  tell(t("common.enrol.working"));
  try {
    void keeping();
    const key = await deviceKey.draft();
    const response = await fetch("/api/v1/enrol", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf, Accept: "application/json" },
      body: JSON.stringify({ code: code.value, key }),
    });
    /** @type {{ ok?: boolean, message?: string }} */
    const answer = await response.json();
    if (response.ok) {
      if (key !== null) await deviceKey.promote();
      tell(t("common.enrol.done"));
      location.replace("/tablet");
      return;
    }
    await deviceKey.discard();
    refuse(answer.message ?? t("common.network"));
  } catch {
    refuse(t("common.network"));
  }
  tell(null);
  busy = false;
  submit.disabled = false;
  code.focus();
}

function readAddress() {
  const scanned = new URLSearchParams(location.hash.slice(1)).get("code");
  if (!scanned) return;
  history.replaceState(null, "", location.pathname);
  code.value = scanned.slice(0, 32);
  if (form.dataset["enrolled"] === "no") void enrol();
  else submit.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void enrol();
});
addEventListener("hashchange", readAddress);
readAddress();
