/** One's own ways to be alerted: adds this browser, shows what becomes of a test. */

import { boot, find, findAll, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { label, obstacle, subscribe } from "../lib/push.js";

/** @type {import("../lib/dom.js").Boot & { vapid: string, testing: boolean }} */
const { csrf, vapid, testing } = boot();
const LOOKS = 90;
const status = find("#push-status", HTMLElement);
const add = find("#push-add", HTMLButtonElement);

/** @param {string} key */
function tell(key) {
  status.hidden = false;
  setText(status, t(`alert.push.${key}`));
}

async function addThisBrowser() {
  const why = obstacle();
  if (why !== null) return tell(why);
  add.disabled = true;
  tell("asking");
  try {
    if (await Notification.requestPermission() !== "granted") return tell("denied");
    const subscription = await subscribe(vapid);
    const response = await fetch("/api/v1/alerts/push", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf, Accept: "application/json" },
      body: JSON.stringify({ subscription, label: label(navigator.userAgent) }),
    });
    if (!response.ok) return tell("refused");
    location.assign("/alerts");
  } catch {
    tell("failed");
  } finally {
    add.disabled = false;
  }
}

/** @param {string} state */
function tone(state) {
  if (["delivered", "opened", "acknowledged"].includes(state)) return "badge badge--ok";
  if (state === "failed") return "badge badge--alert";
  return state === "never" ? "badge badge--quiet" : "badge badge--wait";
}

/** @param {number} looks  that are left */
async function look(looks) {
  /** @type {{ ok?: boolean, tests?: Record<string, string> }} */
  const answer = await (await fetch("/api/v1/alerts/tests", { headers: { Accept: "application/json" } })).json();
  for (const row of findAll("[data-way]", HTMLElement)) {
    const state = answer.tests?.[row.dataset["way"] ?? ""];
    const badge = find("[data-test]", HTMLElement, row);
    if (state === undefined || badge.dataset["test"] === state) continue;
    badge.dataset["test"] = state;
    badge.className = tone(state);
    setText(badge, t(`alert.test.${state}`));
  }
  if (looks > 0) setTimeout(() => { void look(looks - 1).catch(() => undefined); }, 1000);
}

add.addEventListener("click", () => { void addThisBrowser(); });
const why = obstacle();
if (why !== null) tell(why);
if (testing) void look(LOOKS).catch(() => undefined);

const typed = document.querySelector("#to");
const show = document.querySelector("#to-show");
if (typed instanceof HTMLInputElement && show instanceof HTMLButtonElement) {
  show.hidden = false;
  show.addEventListener("click", () => {
    const seen = typed.type === "password";
    typed.type = seen ? "text" : "password";
    show.setAttribute("aria-pressed", String(seen));
  });
}
