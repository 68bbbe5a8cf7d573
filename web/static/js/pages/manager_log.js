/**
 * Keeps the four numbers and the table of people at the scene true while the page is seen. The log itself is a
 * plain page: reload shows what is new. When nothing comes, the page says since when what it shows is old.
 */

import { polite } from "../lib/announce.js";
import { find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { SceneTable } from "../manager/scene.js";
import { span } from "../manager/span.js";

const EVERY_MS = 5000;
const PATIENCE_MS = 8000; // a request that takes longer is no connection
const OLD_MS = 15_000; // whatever the reason: a computer that slept, a page that the browser froze

/**
 * @typedef {{ waiting: number, longest_wait: number | null, in_call: number, wrap_up: number, clinicians_ready: number,
 *   clinicians_rostered: number, tablets: number, tablets_not_ready: number, trail_cut: boolean, scene: import("../manager/scene.js").News }} Numbers
 */

/** @param {Numbers} now */
function show(now) {
  find("#trail-cut", HTMLElement).hidden = !now.trail_cut;
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

class Live {
  constructor() {
    this.table = new SceneTable();
    this.asking = false;
    this.good = Date.now();
    this.old = false;
    setInterval(() => void this.refresh(), EVERY_MS);
    setInterval(() => this.tick(), 1000);
    document.addEventListener("visibilitychange", () => { this.tick(); void this.refresh(); });
  }

  async refresh() {
    if (document.hidden || this.asking) return;
    this.asking = true;
    try {
      const response = await fetch("/api/v1/board", { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE_MS) });
      if (response.status === 401) { location.reload(); return; } // the sign-in has ended: the page leads there
      if (!response.ok) { this.stale(true); return; }
      /** @type {Numbers} */
      const now = await response.json();
      show(now);
      this.table.show(now.scene);
      this.good = Date.now();
      this.stale(false);
    } catch {
      this.stale(true);
    } finally {
      this.asking = false;
    }
  }

  tick() {
    if (Date.now() - this.good > OLD_MS) this.stale(true);
    this.table.tick();
  }

  /** @param {boolean} old */
  stale(old) {
    if (old === this.old) return;
    this.old = old;
    const note = find("#board-stale", HTMLElement);
    const time = new Date(this.good).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    setText(find("#board-stale-words", HTMLElement), old ? t("scene.stale", { time }) : "");
    note.hidden = !old;
    this.table.stale(old);
    if (!old) polite(t("scene.fresh"));
  }
}

if (document.querySelector("#board")) new Live();
