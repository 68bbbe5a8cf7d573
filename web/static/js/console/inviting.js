/** The panel for a guest's link: made for one role, shown once, and taken back by a press. */

import { el, fill, find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { duration } from "../lib/clock.js";

/** @typedef {import("../lib/wire.js").ConsoleSession} ConsoleSession */
/** @typedef {import("./render.js").Model} Model */

/** @param {string} id */
const byId = (id) => find(`#${id}`, HTMLElement);

/** @param {Model} model @param {ConsoleSession} session */
export function inviting(model, session) {
  const mine = session.role === "lead";
  const shown = mine && model.asksInvite;
  byId("invite").hidden = !shown;
  byId("add").hidden = !mine || session.test;
  byId("add").setAttribute("aria-expanded", String(shown));
  if (!shown) return;
  const made = session.links.some((one) => one.link === model.invited?.link && one.name === null) ? model.invited : null;
  byId("invite-made").hidden = made === null;
  if (made) {
    setText(byId("invite-words"), t(`guest.link.made.${made.role}`));
    const input = find("#invite-url", HTMLInputElement);
    if (input.value !== made.url) input.value = made.url;
  }
  setText(byId("invite-copied"), made?.copied ? t("guest.link.copied") : "");
  fill(byId("invite-links"), JSON.stringify(session.links), () => session.links.map((one) => el("li", { class: "cluster cluster--tight", dataset: one.name === null ? { until: String(one.expires_at) } : { came: one.link } },
    el("span", { class: "grow", text: one.name === null ? t(`guest.link.waits.${one.role}`) : t(`guest.link.came.${one.role}`, { name: one.name }) }),
    ...(one.name === null ? [el("span", { class: "number invite__left" })] : []),
    el("button", { type: "button", class: "button button--small", dataset: { takeback: one.link }, text: t("guest.link.revoke") }))));
  for (const row of byId("invite-links").querySelectorAll("[data-until]")) {
    if (row instanceof HTMLElement) setText(find(".invite__left", HTMLElement, row), duration(Math.max(0, Number(row.dataset["until"]) - model.now)));
  }
}
