/** Draws who is in the call and the panel for handing it on; the presses are wired in pages/console.js. */

import { el, fill, find, setText } from "../lib/dom.js";
import { has, t } from "../lib/i18n.js";
import { duration } from "../lib/clock.js";
import { slotOf } from "../lib/more.js";
import { MORE } from "../lib/peer.js";
import { inviting } from "./inviting.js";
import { leftOut } from "./left_out.js";
import { handingWords, ownSeat, panelOf } from "./parties.js";

/** @typedef {import("../lib/wire.js").ConsoleView} ConsoleView */
/** @typedef {import("../lib/wire.js").ConsoleSession} ConsoleSession */
/** @typedef {import("./render.js").Model} Model */

/** @param {string} id */
const byId = (id) => find(`#${id}`, HTMLElement);

/** @param {string} id @param {boolean} shown */
function show(id, shown) {
  const element = byId(id);
  if (element.hidden === shown) element.hidden = !shown;
}

/** @param {string} id @param {string} words */
const write = (id, words) => setText(byId(id), words);

/** @param {Model} model @param {ConsoleView} view @param {ConsoleSession} session */
export function handing(model, view, session) {
  const panel = panelOf(session, { asks: model.asksTransfer, seen: model.transferSeen });
  const box = byId("handing");
  if (box.dataset["panel"] !== panel) box.dataset["panel"] = panel;
  show("handing", panel !== "none");
  write("handing-title", t(panel === "receive" || panel === "listen" ? `console.handing.title.${panel}` : "console.handing.title"));
  for (const part of /** @type {const} */ (["ask", "ringing", "sitting", "ended", "receive", "listen"])) show(`handing-${part}`, panel === part);
  if (panel === "ask") ask(view);
  if (panel === "ringing") ringing(model, session);
  if (panel === "sitting") sitting(model, session);
  if (panel === "ended") ended(session);
  if (panel === "receive") receive(model, session);
  if (panel === "listen") listen(session, model.whisper.on);
  company(model, session);
  inviting(model, session);
}

/** Colleagues with what they are doing; who cannot take it is shown, and cannot be chosen. @param {ConsoleView} view */
function ask(view) {
  const list = byId("handing-colleagues");
  leftOut("handing-more", view.colleagues_total - view.colleagues.length);
  fill(list, JSON.stringify(view.colleagues), () => view.colleagues.map((one) => {
    const free = one.activity === "available" && (one.work === "idle" || one.work === "wrap_up");
    const state = one.work === "idle" ? t(`console.activity.${one.activity}`) : t(`console.work.${one.work}`);
    const where = one.on_call ? t("console.on_call", { tier: one.tier ?? 1 }) : t("console.not_on_call");
    return el("li", {}, el("button", { type: "button", class: "button handing__one", dataset: { to: one.id }, disabled: !free },
      el("strong", { text: one.name }), el("span", { class: "small", text: `${state}, ${where}` })));
  }));
}

/** @param {Model} model @param {ConsoleSession} session */
function ringing(model, session) {
  const transfer = session.transfer;
  const names = transfer?.ringing.join(", ") || transfer?.to || "";
  write("handing-ringing-words", t("console.handing.ringing", { names }));
  const left = Math.max(0, Math.ceil((transfer?.expires_at ?? model.now) - model.now));
  write("handing-left", t("console.handing.left", { seconds: left }));
}

/** @param {Model} model @param {ConsoleSession} session */
function sitting(model, session) {
  const { key, values } = handingWords(session);
  write("handing-sitting-words", t(key, values));
  const ready = session.transfer?.lead_ready === true;
  const button = find("#handing-ready", HTMLButtonElement);
  button.disabled = session.transfer?.joined !== true || session.state !== "connected" || model.handingOn;
  setText(button, t(ready ? "console.handing.not_yet" : "console.handing.hand_over", { name: session.transfer?.receiver ?? "" }));
  button.setAttribute("aria-pressed", String(ready));
}

/** @param {ConsoleSession} session */
function ended(session) {
  const transfer = session.transfer;
  const name = transfer?.receiver ?? transfer?.to ?? t("console.handing.nobody_named");
  const key = `console.handing.ended.${transfer?.outcome ?? "nobody"}`;
  const why = transfer?.outcome === "declined" && transfer.reason ? t(`console.decline.${transfer.reason}`) : "";
  write("handing-ended-words", t(has(key) ? key : "console.handing.ended.nobody", { name, why }));
}

/** @param {Model} model @param {ConsoleSession} session */
function receive(model, session) {
  const { key, values } = handingWords(session);
  write("handing-receive-words", t(key, values));
  const note = session.transfer?.note ?? "";
  show("handing-note-read", note !== "");
  write("handing-note-words", note);
  const joined = session.transfer?.joined === true;
  const lost = session.state === "recovering";
  show("handing-join", !joined && !lost && model.joined === null);
  show("handing-take", lost);
  show("handing-accept", joined && !lost);
  const ready = session.transfer?.receiver_ready === true;
  const button = find("#handing-accept", HTMLButtonElement);
  setText(button, t(ready ? "console.handing.not_yet" : "console.handing.take_over", { lead: session.lead }));
  button.setAttribute("aria-pressed", String(ready));
}

/** @param {ConsoleSession} session @param {boolean} whispers */
function listen(session, whispers) {
  write("handing-listen-words", t(whispers ? "console.listen.whispering" : "console.listen.listening", { lead: session.lead }));
  setText(byId("listen-whisper"), t(whispers ? "console.listen.only" : "console.listen.whisper", { lead: session.lead }));
  byId("listen-whisper").setAttribute("aria-pressed", String(whispers));
}

/** Names and small pictures of the others, each in the slot that carries them. @param {Model} model @param {ConsoleSession} session */
function company(model, session) {
  const own = ownSeat(session);
  const others = session.company.filter((one) => one.party !== session.party).map((one) => ({ ...one, slot: slotOf(own, one.seat) }));
  if (session.role !== "lead") others.push({ party: "", link: null, seat: "clinician", role: "receiver", mode: "speak", name: session.lead, connected: true, held: false, slot: slotOf(own, "clinician") });
  for (let slot = 1; slot <= MORE; slot += 1) {
    const one = others.find((other) => other.slot === slot);
    show(`company-${slot}`, one !== undefined);
    if (!one) continue;
    write(`company-name-${slot}`, one.name);
    const lead = one.seat === "clinician";
    const role = lead ? t("console.company.lead") : t(`console.company.${one.role}`);
    write(`company-role-${slot}`, one.held ? `${role}, ${t("console.company.held")}` : one.mode === "speak" ? role : `${role}, ${t(`console.company.${one.mode}`)}`);
    const video = model.media.more.slots[slot - 1]?.video;
    if (video) video.hidden = one.held || one.mode !== "speak" || !one.connected || video.videoWidth === 0 || model.media.stands(slot);
    const out = find(`#company-out-${slot}`, HTMLButtonElement);
    out.hidden = session.role !== "lead" || (one.role === "supervisor" && one.link === null) || one.party === "";
    out.dataset["party"] = one.party;
    out.dataset["link"] = one.link ?? "";
    out.setAttribute("aria-label", t("console.company.remove", { name: one.name }));
    const hold = find(`#company-hold-${slot}`, HTMLButtonElement);
    hold.hidden = session.role !== "lead" || one.link === null;
    hold.dataset["hold"] = one.party;
    hold.setAttribute("aria-pressed", String(one.held));
    hold.setAttribute("aria-label", t("console.company.hold", { name: one.name }));
  }
  show("company", others.length > 0);
}

/** The calls that run, for supervisors. @param {Model} model @param {ConsoleView} view */
export function liveBoard(model, view) {
  const rows = view.live.filter((one) => one.session !== view.session?.id || view.session.role !== "lead");
  show("live", view.live.length > 0);
  fill(byId("live-list"), JSON.stringify(rows), () => rows.map((one) => el("li", { class: "live__one", dataset: { since: String(one.media_at ?? one.pressed_at) } },
    el("p", {}, el("strong", { text: one.lead }), " ", el("span", { class: "number live__clock" })),
    el("p", { class: "small", text: `${one.agency}, ${one.unit}` }),
    el("p", { class: "small muted", text: one.state === "connected" ? t(`console.phase.${one.phase}`) : t(`console.live.${one.state}`) }),
    el("div", { class: "cluster cluster--tight" },
      el("button", { type: "button", class: "button button--small", dataset: { listen: one.session, epoch: String(one.epoch) }, disabled: view.session !== null && view.session.state !== "wrap_up", text: t("console.live.listen") }),
      el("button", { type: "button", class: "button button--small", dataset: { takeover: one.session, epoch: String(one.epoch) }, text: t("console.live.take_over") })))));
  for (const row of byId("live-list").querySelectorAll("[data-since]")) {
    if (row instanceof HTMLElement) setText(find(".live__clock", HTMLElement, row), duration(model.now - Number(row.dataset["since"])));
  }
  const asked = model.asksTakeOver;
  show("take-over-step", asked !== null);
  if (asked) write("take-over-words", t("console.live.sure", { lead: view.live.find((one) => one.session === asked.session)?.lead ?? "" }));
}
