/**
 * State to document, in one direction: `render` is called after every change and writes what differs. The screen's name is on
 * <html data-screen>; the record's two forms draw themselves (assessment.js, card.js, wrapup.js).
 */

import { drawScene, signWords } from "./scene.js";
import { offerHelp } from "../lib/allow_help.js";
import { el, fill, find, findAll, setText } from "../lib/dom.js";
import { has, locale, plural, t } from "../lib/i18n.js";
import { duration, timeOfDay } from "../lib/clock.js";
import * as sounds from "../lib/sounds.js";
import { notice } from "./offers.js";
import { PICTURES, sentWords } from "../lib/ladder.js";
import { leftOut } from "./left_out.js";
import { handing, liveBoard } from "./handing.js";
import { wantsMedia } from "./parties.js";
import { REASON } from "./idle.js";
import { liveSession, peerWords, phaseSeconds } from "./state.js";

/** @typedef {import("../lib/wire.js").ConsoleView} ConsoleView */
/** @typedef {import("../lib/wire.js").ConsoleSession} ConsoleSession */
/** @typedef {import("../lib/wire.js").OfferView} OfferView */
/** @typedef {import("../lib/wire.js").Me} Me */
/**
 * @typedef {object} Model
 * @property {ConsoleView | null} view
 * @property {import("./offers.js").Offers} offers
 * @property {import("../lib/socket.js").LineState} line
 * @property {string | null} dismissed  why the server sent this page away for good
 * @property {number | null} retryAt  ms of performance.now(): when the line tries again
 * @property {number} now  the server's clock
 * @property {import("./media.js").ConsoleMedia} media
 * @property {import("../lib/whisper.js").Whisper} whisper  of who listens to a call
 * @property {boolean} asksEnd
 * @property {boolean} asksDecline
 * @property {boolean} asksTransfer
 * @property {boolean} asksInvite  Add was pressed
 * @property {{ link: string, role: string, url: string, copied: boolean } | null} invited  the link that was just made
 * @property {boolean} asksRequeue
 * @property {{ session: string, epoch: number } | null} asksTakeOver
 * @property {string | null} transferSeen  the transfer that came to nothing and was put away
 * @property {string | null} joined  our place at the side of a call for which Join was pressed
 * @property {boolean} handingOn  a confirmation is on its way
 * @property {{ how: string, by: string | null } | null} moved  why a session that we led is not ours any more
 * @property {number} chatSeen  the last line that was read
 * @property {string | null} problem  a sentence to show until it is closed
 * @property {boolean} sending  the card is on its way
 * @property {boolean} finishing
 */

/** @param {string} id */
const byId = (id) => find(`#${id}`, HTMLElement);

/** @param {string} id @param {string} words */
function write(id, words) {
  setText(byId(id), words);
}

/** @param {string} id @param {boolean} shown */
function show(id, shown) {
  const element = byId(id);
  if (element.hidden === shown) element.hidden = !shown;
}

/** @param {Model} model @param {OfferView | null} offer @param {import("./state.js").Screen} screen */
export function render(model, offer, screen) {
  const root = document.documentElement;
  const { view } = model;
  if (view && root.dataset["screen"] !== screen) root.dataset["screen"] = screen;
  root.dataset["ringing"] = String(offer !== null);
  show("idle", screen === "idle");
  show("call", screen === "call");
  show("wrapup", screen === "wrap_up");
  show("record", view?.session != null);
  banners(model);
  status(model, screen);
  offerCard(model, offer);
  if (view) side(model, view);
  idle(view);
  const session = liveSession(view);
  if (session && view) {
    call(model, session);
    handing(model, view, session);
  }
}

/** @param {Model} model */
function banners(model) {
  const { media, line, dismissed } = model;
  const lost = line !== "open" && (model.view !== null || dismissed !== null || line === "lost");
  show("network", lost);
  if (lost) write("network-text", networkWords(model));
  write("try-now", t(dismissed === null ? "console.network.try_now" : dismissed === "replaced" ? "console.network.reload" : "console.network.sign_in"));
  show("sound-blocked", !sounds.ready() || media.soundBlocked);
  const device = liveSession(model.view) ? deviceWords(media) : null;
  show("device", device !== null);
  if (device) write("device-text", t(device));
  offerHelp([media.microphoneProblem, media.cameraProblem]);
  const filmed = model.view?.session?.body_camera ?? null;
  show("body-camera", filmed === "on" || filmed === "muted");
  if (filmed === "on" || filmed === "muted") write("body-camera-text", t(`console.body_camera.${filmed}`));
  show("elsewhere", media.elsewhere);
  write("elsewhere-text", t(media.adrift ? "console.elsewhere.adrift" : "console.elsewhere"));
  const gone = notice(model.offers, model.now);
  show("taken-notice", gone !== null);
  if (gone) {
    const taken = gone.reason === "taken" && gone.by !== null;
    const key = taken ? "console.gone.taken" : `console.gone.${gone.reason}`;
    write("taken-text", t(has(key) ? key : "console.gone.gone", { name: gone.by ?? "" }));
  }
  show("moved", model.moved !== null);
  if (model.moved) write("moved-text", t(`console.moved.${model.moved.how}`, { name: model.moved.by ?? "" }));
  show("problem", model.problem !== null);
  if (model.problem !== null) write("problem-text", model.problem);
}

/** @param {Model} model */
function networkWords({ dismissed, retryAt, line, view }) {
  if (dismissed !== null) return t(dismissed === "replaced" ? "console.network.replaced" : "console.network.signed_out");
  const seconds = retryAt === null ? 0 : Math.ceil((retryAt - performance.now()) / 1000);
  const words = t(liveSession(view) ? "console.network.lost_call" : "console.network.lost");
  return line === "lost" && seconds > 0 ? `${words} ${t("console.network.retry", { seconds })}` : `${words} ${t("console.network.trying")}`;
}

/** @param {import("./media.js").ConsoleMedia} media @returns {string | null} */
function deviceWords(media) {
  if (media.microphoneProblem && media.cameraProblem) return `console.device.both.${media.microphoneProblem}`;
  if (media.microphoneProblem) return `console.device.microphone.${media.microphoneProblem}`;
  return media.cameraProblem ? `console.device.camera.${media.cameraProblem}` : null;
}

/** Whether calls ring here, and if not why. @param {import("../lib/wire.js").Me} me */
export function rings(me) {
  if (!me.licensed) return "console.rings.no_licence";
  if (me.activity !== "available") return "console.rings.no";
  return me.on_call ? "console.rings.yes" : "console.rings.not_on_call";
}

/** One line on top: are calls coming to me now? @param {Model} model @param {import("./state.js").Screen} screen */
function status({ view, line }, screen) {
  /** @type {[string, string, string]} */
  let [state, picture, key] = ["wait", "wait", "connecting"];
  if (line !== "open") [state, picture, key] = view ? ["alert", "signal-none", "lost"] : ["wait", "wait", "connecting"];
  else if (view) {
    const { me } = view;
    if (screen === "call") [state, picture, key] = ["ok", "check", view.session?.role === "lead" ? "in_call" : "sitting_in"];
    else if (screen === "ringing") [state, picture, key] = ["wait", "bell", "ringing"];
    else if (screen === "wrap_up") [state, picture, key] = ["wait", "wait", "wrap_up"];
    else if (!me.licensed) [state, picture, key] = ["alert", "alert", "no_licence"];
    else if (me.activity === "available" && me.on_call) [state, picture, key] = ["ok", "check", "ready"];
    else if (me.activity === "available") [state, picture, key] = ["wait", "info", "not_on_call"];
    else if (me.activity === "paused") [state, picture, key] = ["wait", "wait", "paused"];
    else [state, picture, key] = ["wait", "info", "off"];
  }
  byId("status").dataset["state"] = state;
  byId("status-icon").dataset["icon"] = picture;
  write("status-text", t(`console.status.${key}`));
}

/** @param {Model} model @param {OfferView | null} offer */
function offerCard(model, offer) {
  const box = byId("offer");
  show("offer", offer !== null);
  if (!offer) {
    delete box.dataset["offer"];
    return;
  }
  if (box.dataset["offer"] !== offer.offer) {
    box.dataset["offer"] = offer.offer;
    find("#offer-bar", HTMLProgressElement).max = Math.max(1, offer.expires_at - model.now);
  }
  const left = Math.max(0, offer.expires_at - model.now);
  write("offer-countdown", String(Math.ceil(left)));
  find("#offer-bar", HTMLProgressElement).value = left;
  write("offer-heading", offer.purpose === "transfer" ? t("console.offer.transfer", { name: offer.by ?? "" }) : t("console.offer.title"));
  write("offer-agency", offer.agency);
  write("offer-place", t(offer.officer ? "console.offer.place_officer" : "console.offer.place", { place: where(offer), unit: offer.unit, officer: offer.officer ?? "" }));
  const marks = [...(offer.requeued ? ["requeued"] : []), ...(offer.voice_only ? ["voice_only"] : [])];
  fill(byId("offer-tiles"), JSON.stringify([offer.intake, offer.language, marks]), () => [
    ...offer.intake.map((tile) => el("li", { class: "badge", text: t(`common.tile.${tile}`) })),
    ...(offer.language ? [el("li", { class: "badge badge--wait", text: t(`common.language.${offer.language}`) })] : []),
    ...marks.map((mark) => el("li", { class: "badge badge--wait", text: t(`console.mark.${mark}`) })),
  ]);
  const sign = signWords(offer);
  show("offer-scene", sign !== null);
  byId("offer-scene").className = `badge badge--${sign?.tone ?? "plain"} offer__scene`;
  write("offer-scene", sign?.words ?? "");
  show("offer-relaxed", offer.relaxed.length > 0);
  write("offer-relaxed", t("console.offer.relaxed", { what: offer.relaxed.map((one) => t(`console.relaxed.${one}`)).join(", ") }));
  write("offer-since", t("console.offer.since", { time: duration(model.now - offer.pressed_at) }));
  const pressed = model.offers.answers[offer.offer];
  const accept = byId("accept");
  setText(accept, t(pressed === "accepting" ? "console.offer.accepting" : "console.offer.accept"));
  accept.setAttribute("aria-disabled", String(pressed !== undefined));
  byId("decline").setAttribute("aria-disabled", String(pressed !== undefined));
  byId("decline").setAttribute("aria-expanded", String(model.asksDecline));
  show("decline-reasons", model.asksDecline && pressed === undefined);
}

/** @param {Model} model @param {ConsoleView} view */
function side(model, view) {
  const { me } = view;
  for (const button of findAll("[data-activity]", HTMLButtonElement)) button.setAttribute("aria-pressed", String(button.dataset["activity"] === me.activity));
  const byMissing = me.activity === "paused" && me.reason === "missed"; // by the line, after rings that nobody answered
  show("pause-field", me.activity === "paused" && !byMissing);
  show("paused-by-missing", byMissing);
  show("put-away", me.activity === "offline" && me.reason === REASON);
  const reason = find("#pause-reason", HTMLSelectElement);
  if (document.activeElement !== reason && reason.value !== (me.reason ?? "")) reason.value = me.reason ?? "";
  const work = byId("work");
  work.dataset["work"] = me.work;
  work.className = `badge ${tone(me)}`;
  setText(work, t(`console.work.${me.work}`));
  write("on-call", me.on_call ? t("console.on_call", { tier: me.tier ?? 1 }) : t("console.not_on_call"));
  show("rings-hint", me.work === "idle");
  write("rings-hint", t(rings(me)));
  waiting(model, view);
  missed(view);
  liveBoard(model, view);
  leftOut("colleagues-more", view.colleagues_total - view.colleagues.length);
  fill(byId("colleagues"), JSON.stringify(view.colleagues), () => view.colleagues.map((one) => el("li", { class: "colleagues__one" },
    el("span", { text: one.name }),
    el("span", { class: `badge ${tone(one)}`, text: place(one) }))));
}

/** @param {Me} one */
function tone(one) {
  if (one.work === "in_call" || one.work === "answering") return "";
  if (one.work === "ringing" || one.work === "wrap_up") return "badge--wait";
  return one.activity === "available" ? "badge--ok" : "badge--quiet";
}

/** @param {Me} one */
function place(one) {
  return one.work === "idle" ? t(`console.activity.${one.activity}`) : t(`console.work.${one.work}`);
}

/** @param {Model} model @param {ConsoleView} view */
function waiting(model, view) {
  const list = byId("waiting-list");
  write("waiting-count", view.waiting_total > 0 ? String(view.waiting_total) : "");
  leftOut("waiting-more", view.waiting_total - view.waiting.length);
  show("waiting-none", view.waiting.length === 0);
  fill(list, JSON.stringify(view.waiting), () => view.waiting.map((row) => el("li", { class: "waiting__one", dataset: { session: row.session, since: String(row.pressed_at) } },
    el("p", { class: "waiting__top" }, el("span", { class: "waiting__clock number" }), el("strong", { text: row.unit }),
      row.requeued ? el("span", { class: "badge badge--wait", text: t("console.mark.requeued") }) : null),
    el("p", { text: row.agency }), el("p", { class: "small muted", text: t("console.waiting.place", { place: where(row), code: row.code }) }),
    row.intake.length > 0 ? el("p", { class: "cluster cluster--tight" }, ...row.intake.map((tile) => el("span", { class: "badge", text: t(`common.tile.${tile}`) }))) : null,
    el("p", { class: "small", text: row.ringing > 0 ? plural("console.waiting.ringing", row.ringing) : t("console.waiting.nobody") }),
    row.alerted.some((one) => one.state !== "ringing") ? el("ul", { class: "waiting__alerted small" }, ...row.alerted.map((one) => el("li", { text: t(`console.alerted.${one.state}`, { name: one.name }) }))) : null)));
  for (const row of findAll("[data-since]", HTMLElement, list)) {
    setText(find(".waiting__clock", HTMLElement, row), duration(model.now - Number(row.dataset["since"])));
  }
}

/** Rings that were not taken, until they have been read. @param {ConsoleView} view */
function missed(view) {
  show("missed", view.missed.length > 0);
  write("missed-count", String(view.missed.length));
  fill(byId("missed-list"), JSON.stringify(view.missed), () => view.missed.map((one) => el("li", { class: "small" },
    el("strong", { text: timeOfDay(one.at, locale()) }), ` ${one.agency} · ${one.code} · ${t(`console.missed.${one.state}`)}`)));
}

/** Where it is; the state only if it is not the agency's own. @param {{ county: string, place_state: string | null }} row */
function where({ county, place_state }) {
  return [county ? t("console.county", { county }) : "", place_state ?? ""].filter(Boolean).join(", ");
}

/** @param {ConsoleView | null} view */
function idle(view) {
  const me = view?.me;
  write("idle-words", t(me && !me.licensed ? "console.rings.no_licence" : !me || me.activity === "available" ? (me && !me.on_call ? "console.rings.not_on_call" : "console.idle.words") : "console.idle.off"));
  const allowed = "Notification" in window ? Notification.permission : "unsupported";
  write("notify-words", t(`console.notify.${allowed}`));
  show("notify-allow", allowed === "default");
}

/** @param {Model} model @param {ConsoleSession} session */
function call(model, session) {
  const { media, now } = model;
  write("call-agency", session.agency);
  write("call-place", t(session.officer ? "console.call.place_officer" : "console.call.place", { unit: session.unit, place: where(session), officer: session.officer ?? "" }));
  byId("phase").dataset["phase"] = session.phase;
  byId("phase-word").className = session.phase === "handed_over" ? "badge badge--wait" : "badge";
  write("phase-word", t(`console.phase.${session.phase}`));
  write("phase-clock", duration(phaseSeconds(session, now)));
  write("call-clock", duration(now - (session.media_at ?? session.accepted_at ?? session.pressed_at)));
  drawScene(session.scene);
  const outside = !wantsMedia(session, model.joined);
  const words = media.elsewhere ? (media.adrift ? "console.elsewhere.adrift" : "console.elsewhere") : outside ? "console.peer.not_joined" : peerWords(session, media.link, media.frozen, media.step !== "720p");
  const moves = session.peer.connected && media.link === "up" && PICTURES[session.peer.step] !== undefined && media.video.videoWidth > 0;
  const picture = session.peer.camera && (media.seesStills || moves);
  show("remote-empty", !picture);
  const values = { code: session.code };
  write("remote-words", words ? t(words, values) : picture ? "" : t("console.peer.joining"));
  show("peer-words", words !== null && picture);
  write("peer-words", words && picture ? t(words, values) : "");
  const here = !outside && !media.elsewhere;
  show("quality", here);
  if (here) quality(session, media);
  for (const id of ["mute", "camera"]) show(id, !media.elsewhere); // nothing of them is open here
  const sent = !here || session.role === "supervisor" ? null : sentWords(media.stranded ? "phone" : media.step, { saver: session.saver, picture: media.cameraOn && media.hasCamera, stills: media.stills.through });
  show("sent", sent !== null);
  write("sent", sent === null ? "" : t(sent));
  control("mute", media.muted || !media.hasMicrophone, media.muted ? "console.unmute" : "console.mute", media.muted ? "mic-off" : "mic");
  const dark = !media.cameraOn || !media.hasCamera;
  control("camera", dark, dark ? "console.camera.on" : "console.camera.off", dark ? "camera-off" : "camera");
  write("self-words", t(dark ? "console.self.off" : media.muted ? "console.self.muted" : "console.self.you"));
  const lead = session.role === "lead";
  show("controls", !model.asksEnd && session.role !== "supervisor" && !outside);
  for (const id of ["recommend", "end", "chat-toggle", "saver"]) show(id, lead);
  byId("saver").setAttribute("aria-pressed", String(session.saver));
  show("transfer", lead && !session.test && session.state !== "answering");
  byId("transfer").setAttribute("aria-expanded", String(model.asksTransfer));
  show("hold", lead && (session.state === "connected" || session.held_at !== null));
  byId("hold").setAttribute("aria-pressed", String(session.held_at !== null));
  show("held", session.held_at !== null);
  show("held-end", lead);
  if (session.held_at !== null) write("held-clock", duration(now - session.held_at));
  show("requeue-step", model.asksRequeue);
  show("requeue", !model.asksRequeue);
  show("self", session.role !== "supervisor" && here);
  show("end-step", model.asksEnd);
  chat(model, session);
}

/** Ours and theirs: the worse of the two is what matters. @param {ConsoleSession} session @param {import("./media.js").ConsoleMedia} media */
function quality(session, media) {
  const order = /** @type {const} */ (["good", "fair", "poor", "none"]);
  const own = media.link === "up" || media.link === "silent" ? media.quality : "none";
  const theirs = session.peer.connected ? session.peer.quality : "good";
  const word = order[Math.max(order.indexOf(own), order.indexOf(theirs))] ?? "none";
  const box = byId("quality");
  if (box.dataset["word"] !== word) box.dataset["word"] = word;
  byId("quality-icon").dataset["icon"] = `signal-${word}`;
  write("quality-word", t(`console.quality.${word}`));
}

/** @param {string} id @param {boolean} pressed @param {string} key @param {string} picture */
function control(id, pressed, key, picture) {
  const button = byId(id);
  button.setAttribute("aria-pressed", String(pressed));
  const face = button.querySelector(".icon");
  if (face instanceof HTMLElement && face.dataset["icon"] !== picture) face.dataset["icon"] = picture;
  setText(find(".word", HTMLElement, button), t(key));
}

/** @param {Model} model @param {ConsoleSession} session */
function chat(model, session) {
  const log = byId("chat-log");
  const last = session.chat.at(-1)?.no ?? 0;
  const known = byId("chat-lines").dataset["key"];
  fill(byId("chat-lines"), `${session.id}:${last}`, () => session.chat.map((line) => el("li", { class: "chat__line", dataset: { sender: line.sender } },
    el("span", { class: "chat__who", text: `${t(line.sender === "clinician" ? "console.chat.me" : "console.chat.officer")} ${timeOfDay(line.at, locale())}` }), el("span", { text: line.text }))));
  if (known !== `${session.id}:${last}`) log.scrollTop = log.scrollHeight;
  const unread = session.chat.filter((line) => line.sender === "officer" && line.no > model.chatSeen).length;
  byId("chat-toggle").dataset["unread"] = String(unread);
  setText(find(".word", HTMLElement, byId("chat-toggle")), unread > 0 ? t("console.chat.unread", { count: unread }) : t("console.chat.open"));
  show("chat-form", session.role === "lead");
  write("chat-private", t(session.phase === "handed_over" ? "console.chat.handed_over" : "console.chat.private"));
}
