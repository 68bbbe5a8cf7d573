/** Keeps the four numbers true while the page is seen. The log itself is a plain page: reload shows what is new. */

import { find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { span } from "../manager/span.js";

const EVERY_MS = 5000;

/**
 * @typedef {{ waiting: number, longest_wait: number | null, in_call: number, wrap_up: number, clinicians_ready: number,
 *   clinicians_rostered: number, tablets: number, tablets_not_ready: number }} Numbers
 */

/** @param {Numbers} now */
function show(now) {
  setText(find("#board-waiting", HTMLElement), String(now.waiting));
  find("#board-waiting-tile", HTMLElement).dataset["alert"] = now.waiting > 0 ? "wait" : "calm";
  const longest = now.longest_wait === null ? t("manager.board.nobody") : t("manager.board.longest", { time: span(now.longest_wait) });
  setText(find("#board-longest", HTMLElement), longest);
  setText(find("#board-in-call", HTMLElement), String(now.in_call));
  setText(find("#board-wrap-up", HTMLElement), t("manager.board.wrap_up", { count: now.wrap_up }));
  setText(find("#board-clinicians", HTMLElement), String(now.clinicians_ready));
  setText(find("#board-rostered", HTMLElement), t("manager.board.rostered", { count: now.clinicians_rostered }));
  setText(find("#board-tablets", HTMLElement), String(now.tablets_not_ready));
  setText(find("#board-of-tablets", HTMLElement), t("manager.board.of_tablets", { count: now.tablets }));
}

async function refresh() {
  if (document.hidden) return;
  const stale = find("#board-stale", HTMLElement);
  try {
    const response = await fetch("/api/v1/board", { headers: { Accept: "application/json" } });
    if (response.status === 401) { location.reload(); return; } // the sign-in has ended: the page leads there
    stale.hidden = response.ok;
    if (response.ok) show(await response.json());
  } catch {
    stale.hidden = false;
  }
}

if (document.querySelector("#board")) {
  setInterval(() => void refresh(), EVERY_MS);
  document.addEventListener("visibilitychange", () => void refresh());
}
