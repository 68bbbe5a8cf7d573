/** Where a page's link leads: says whether the call still waits, and lets its holder say that they come. */

import { find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

/** @typedef {{ ok: true, purpose: string, state: "waiting" | "taken" | "over" | "none", by: string | null, about: "roster" | "followups" | "audit" | "audit_cut" | "copied" | "openings" | "grants" | null }} Door */

const token = location.hash.slice(1);
const title = find("#door-title", HTMLElement);
const words = find("#door-words", HTMLElement);
const coming = find("#coming", HTMLButtonElement);
const way = find("#door-way", HTMLAnchorElement);
const PLACES = { roster: "/manager/roster", followups: "/followups", audit: "/manager/audit", audit_cut: "/manager/audit?outcome=failed", copied: "/manager/audit", openings: "/manager/openings", grants: "/manager/grants" };

/** @param {"opened" | "acknowledged"} state @returns {Promise<Door | null>} null: the link does not work any more */
async function tell(state) {
  const response = await fetch("/api/v1/alert", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ token, state }),
  });
  return response.ok ? await response.json() : null;
}

/** @param {Door | null} door @param {boolean} said  that they come */
function show(door, said) {
  const waits = door?.state === "waiting";
  coming.hidden = !waits || said;
  if (!door) {
    setText(title, t("alert.door.title_old"));
    setText(words, t("alert.door.old"));
  }
  else if (door.about) {
    setText(title, t(`alert.door.title_${door.about}`));
    setText(words, t(`alert.door.${door.about}`));
    setText(way, t(`alert.door.open_${door.about}`));
    way.href = PLACES[door.about];
    find("#door-private", HTMLElement).hidden = true; // there is no call
    document.title = `${title.textContent} · CrisisBridge`;
    return;
  }
  else if (door.purpose === "test") setText(words, t("alert.door.test"));
  else if (waits) setText(words, t(said ? "alert.door.thanks" : "alert.door.waiting"));
  else if (door.state === "taken") setText(words, door.by ? t("alert.door.taken", { name: door.by }) : t("alert.door.taken_unnamed"));
  else setText(words, t("alert.door.over"));
  if (door && !waits) setText(title, t(door.purpose === "test" ? "alert.door.title_test" : "alert.door.title_over"));
}

/** @param {"opened" | "acknowledged"} state */
async function act(state) {
  coming.disabled = true;
  try {
    show(await tell(state), state === "acknowledged");
  } catch {
    setText(words, t("alert.door.network"));
    coming.hidden = false;
  }
  coming.disabled = false;
}

coming.addEventListener("click", () => { void act("acknowledged"); });
if (token) {
  history.replaceState(null, "", location.pathname); // not in the history, not over a shoulder
  void act("opened");
}
