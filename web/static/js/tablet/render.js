/**
 * State to document, in one direction: `render` is called after every change and writes what differs. Texts go in by
 * textContent only. The screen's name is on <html data-screen>, and the style sheet does the rest.
 */

import { offerHelp } from "../lib/allow_help.js";
import { el, fill, find, findAll, icon, setText } from "../lib/dom.js";
import { has, list, locale, plural, t } from "../lib/i18n.js";
import { duration, timeOfDay } from "../lib/clock.js";
import { polite } from "../lib/announce.js";
import { slotOf } from "../lib/more.js";
import { DISPOSITIONS, MAX_TILES, PHRASES, REASONS } from "./vocabulary.js";
import { cardToShow, companyWords, closedWords, connectingWords, differs, openSession, outcomeFor, peerWords, screenOf, OVER_THE_PICTURE } from "./state.js";
import { sentWords } from "../lib/ladder.js";

/** @typedef {import("../lib/wire.js").TabletView} TabletView */
/** @typedef {import("../lib/wire.js").TabletSession} TabletSession */
/**
 * @typedef {object} Model
 * @property {TabletView | null} view
 * @property {import("./state.js").Local} local
 * @property {import("../lib/socket.js").LineState} line
 * @property {string | null} dismissed  why the server sent this page away for good
 * @property {{ agency: string, unit: string, regionalLine: string, providerLine: string, keyByCode: boolean, languages: readonly string[], otherwise: readonly string[], bodyCamera: readonly string[], flags: readonly string[] }} given
 *   what the page was loaded with: right even when the server cannot be reached
 * @property {import("./media.js").TabletMedia} media
 * @property {import("./self_test.js").SelfTest} selfTest
 * @property {number} now  the server's clock
 * @property {readonly string[]} tiles  tapped, as shown at once
 * @property {boolean} asksCancel
 * @property {boolean} asksEnd
 * @property {boolean} chatOpen
 * @property {number} chatSeen  the last line's number that was on screen
 * @property {{ camera: boolean, microphone: boolean }} devices  what this tablet seems to have, seen without opening it
 * @property {{ name: string, at: number } | null} came  who took over within a running call, and when
 * @property {readonly { id: string, name: string }[] | null} officers  who may check it out; null: not told yet
 * @property {string | null} problem  a sentence for the problem banner
 */

const html = HTMLElement;
const sections = findAll("[data-screens]", html);
const at = {
  unit: find("#unit", html), unitLabel: find("#unit-label", html), agency: find("#agency", html), officer: find("#officer", html),
  shiftEnd: find("#shift-end", html), network: find("#network", html), networkText: find("#network-text", html),
  tryNow: find("#try-now", html), soundBlocked: find("#sound-blocked", html), device: find("#device", html),
  deviceText: find("#device-text", html), problem: find("#problem", html), problemText: find("#problem-text", html),
  keyForm: find("#key-form", html), keyCall: find("#key-call", HTMLAnchorElement), keyNumber: find("#key-number", html), officers: find("#officers", html), readiness: find("#readiness", html), readinessText: find("#readiness-text", html),
  owed: find("#owed", html), closed: find("#closed", html), closedNext: find("#closed-next", html), closedNumber: find("#closed-number", html),
  closedRegional: find("#closed-regional", HTMLAnchorElement), connect: find("#connect", html), connectHint: find("#connect-hint", html), progress: find("#progress", html), elapsed: find("#elapsed", html), status: find("#status", html),
  statusNext: find("#status-next", html), statusNumber: find("#status-number", html), statusCall: find("#status-call", HTMLAnchorElement),
  blocked: find("#blocked", html), blockedText: find("#blocked-text", html), blockedCall: find("#blocked-call", HTMLAnchorElement), checks: find("#test-checks", html),
  intake: find("#intake", html), tiles: find("#tiles", html), language: find("#language", HTMLSelectElement), place: find("#place", HTMLSelectElement), placeField: find("#place-field", html), otherwise: find("#otherwise", HTMLSelectElement), bodyCamera: findAll("[data-body-camera]", HTMLSelectElement), otherwiseField: find("#otherwise-field", html), flags: find("#flags", html), also: find("#also", HTMLDetailsElement), actions: find("#connecting-actions", html),
  voiceOnly: find("#voice-only", HTMLButtonElement), phoneInstead: find("#phone-instead", html), cancel: find("#cancel", html),
  cancelStep: find("#cancel-step", html), video: find("#remote-video", HTMLVideoElement), faceEmpty: find("#face-empty", html),
  faceWords: find("#face-words", html), clinician: find("#clinician", html), licence: find("#licence", html),
  peerWords: find("#peer-words", html), companyWords: find("#company-words", html), quality: find("#quality", html), qualityIcon: find("#quality-icon", html),
  selfTest: find("#self-test", html), heardYes: find("#test-heard-yes", html), heardNo: find("#test-heard-no", html), testAdvice: find("#test-advice", html),
  qualityWord: find("#quality-word", html), sent: find("#sent", html), saver: find("#saver", html), clock: find("#call-clock", html),
  chat: find("#chat", html), chatLines: find("#chat-lines", html), chatQuick: find("#chat-quick", html),
  controls: find("#controls", html), mute: find("#mute", HTMLButtonElement), camera: find("#camera", HTMLButtonElement),
  flip: find("#flip", HTMLButtonElement), chatToggle: find("#chat-toggle", HTMLButtonElement), handover: find("#handover", HTMLButtonElement),
  endStep: find("#end-step", html), personRow: find("#person-row", html), self: find("#self", html), card: find("#card", html),
  caseNumber: find("#case-number", HTMLInputElement), outcomeHint: find("#outcome-hint", html), dispositions: find("#dispositions", html), reasonHint: find("#reason-hint", html),
  reasons: find("#reasons", html), lifeline: find("#lifeline", html), providerLine: find("#provider-line", HTMLAnchorElement),
  regionalLine: find("#regional-line", HTMLAnchorElement), phoneNumber: find("#phone-number", HTMLAnchorElement), phoneCode: find("#phone-code", html),
};

/** @param {Model} model */
export function render(model) {
  const screen = screenOf(model.view, model.local);
  const root = document.documentElement;
  if (root.dataset["screen"] !== screen) {
    root.dataset["screen"] = screen;
    for (const section of sections) section.hidden = !(section.dataset["screens"] ?? "").split(" ").includes(screen);
  }
  renderFrame(model, screen);
  renderBanners(model, screen);
  switch (screen) {
    case "key": renderKey(model); break;
    case "checkout": renderCheckout(model); break;
    case "ready": renderReady(model); break;
    case "connecting": renderConnecting(model); break;
    case "call":
    case "handed-over": renderCall(model, screen); break;
    case "outcome":
    case "reason": renderOutcome(model, screen); break;
    default:
  }
  renderCard(model, screen);
  renderSelf(model, screen);
}

/**
 * What had the focus went with its screen: the focus goes to what came instead, else Tab begins at the top of the page again.
 * @param {Element | null} had
 */
export function keepFocus(had) {
  if (!(had instanceof HTMLElement) || had === document.body || had.getClientRects().length > 0) return;
  const now = document.activeElement;
  if (now !== null && now !== had && now !== document.body) return; // what came took it already
  const there = at.card.hidden ? sections.find((section) => !section.hidden) : at.card;
  if (!there) return;
  there.tabIndex = -1;
  there.focus();
}

/**
 * @param {HTMLAnchorElement} link
 * @param {string} number
 */
function phoneLink(link, number) {
  setText(link, number);
  link.href = telephone(number);
}

/** @param {string} number */
function telephone(number) {
  return `tel:${number.replaceAll(/[^0-9+]/g, "")}`;
}

/** @param {Model} model @param {string} screen */
function renderFrame({ view, given }, screen) {
  setText(at.unitLabel, view?.unit ?? given.unit);
  setText(at.agency, view?.agency ?? given.agency);
  setText(at.officer, view ? (view.officer ? t("tablet.officer.on_shift", { name: view.officer }) : t("tablet.officer.nobody")) : "");
  at.shiftEnd.hidden = !(view?.officer && screen === "ready");
  at.lifeline.hidden = screen === "handed-over" || screen === "give-back";
  at.unit.hidden = at.lifeline.hidden;
  phoneLink(at.providerLine, view?.provider_line ?? given.providerLine);
  phoneLink(at.regionalLine, view?.regional_line ?? given.regionalLine);
  phoneLink(at.phoneNumber, view?.provider_line ?? given.providerLine);
  setText(at.phoneCode, openSession(view)?.code ?? "");
}

/** @param {Model} model @param {string} screen */
function renderBanners({ view, given, line, dismissed, media, problem }, screen) {
  const person = screen === "handed-over" || screen === "give-back";
  const lost = screen !== "key" && (dismissed !== null || line === "lost");
  document.documentElement.dataset["replaced"] = String(dismissed === "replaced");
  at.network.hidden = (person && dismissed !== "replaced") || !lost;
  if (lost) setText(at.networkText, t(dismissed === null ? "tablet.network.lost" : `tablet.dismissed.${has(`tablet.dismissed.${dismissed}`) ? dismissed : "other"}`));
  setText(at.tryNow, t(dismissed === null ? "tablet.network.try_now" : dismissed === "replaced" ? "tablet.network.use_here" : "tablet.network.reload"));
  at.soundBlocked.hidden = !media.soundBlocked;
  const session = openSession(view);
  const voiceless = session?.state === "connected" && (media.step === "phone" || session.peer?.step === "phone");
  const blocked = (media.blocked || voiceless) && (screen === "connecting" || screen === "call");
  at.blocked.hidden = !blocked;
  if (blocked) {
    setText(at.blockedText, t(media.link === "full" ? "tablet.full" : media.blocked ? "tablet.blocked" : "tablet.voiceless", { code: openSession(view)?.code ?? "" }));
    phoneLink(at.blockedCall, view?.provider_line ?? given.providerLine);
  }
  const device = deviceProblem(media);
  at.device.hidden = person || device === null || (screen !== "connecting" && screen !== "call");
  if (device !== null) setText(at.deviceText, device);
  offerHelp([media.microphoneProblem, media.cameraProblem]);
  at.problem.hidden = person || problem === null;
  if (problem !== null) setText(at.problemText, problem);
}

/** @param {import("./media.js").TabletMedia} media @returns {string | null} */
function deviceProblem({ microphoneProblem, cameraProblem }) {
  if (microphoneProblem !== null && cameraProblem !== null) return t(`tablet.device.both.${microphoneProblem}`);
  if (microphoneProblem !== null) return t(`tablet.device.microphone.${microphoneProblem}`);
  if (cameraProblem !== null) return t(`tablet.device.camera.${cameraProblem}`);
  return null;
}

/** @param {Model} model */
function renderKey({ given }) {
  setText(at.keyNumber, given.providerLine);
  at.keyCall.href = telephone(given.providerLine);
  at.keyForm.hidden = given.keyByCode;
}

/** @param {Model} model */
function renderCheckout({ officers }) {
  if (officers === null) return;
  fill(at.officers, officers.map((one) => one.id).join() || "none", () => officers.length === 0
    ? [el("p", { class: "muted", text: t("tablet.checkout.nobody") })]
    : officers.map((one) => el("button", { type: "button", class: "button button--large officers__one", dataset: { officer: one.id } }, icon("person"), one.name)));
}

/** @param {Model} model */
function renderReady({ view, line, local, devices, now }) {
  if (!view) return;
  const count = view.ready_clinicians;
  const online = line === "open";
  const state = !online || count === 0 || !devices.camera || !devices.microphone ? "wait" : "ok";
  at.readiness.dataset["state"] = state;
  const mark = find(".icon", html, at.readiness);
  mark.dataset["icon"] = state === "ok" ? "check" : "wait";
  const words = !online ? t("tablet.readiness.offline")
    : !devices.microphone ? t("tablet.readiness.no_microphone")
    : !devices.camera ? t("tablet.readiness.no_camera")
    : count > 0 ? plural("tablet.readiness", count)
    : t(view.on_call ? "tablet.readiness.busy" : "tablet.readiness.nobody");
  setText(at.readinessText, words);
  const closed = closedWords(view, now, locale());
  at.closed.hidden = closed === null;
  at.connectHint.hidden = closed === null;
  at.connect.dataset["closed"] = String(closed !== null);
  if (closed) setText(at.closedNext, t(closed.key, closed.values));
  setText(at.closedNumber, view.regional_line);
  at.closedRegional.href = telephone(view.regional_line);
  at.owed.hidden = view.owed === null || local.recorded.includes(view.owed);
}

/** @param {Model} model */
function renderConnecting(model) {
  const { view, local, line, media } = model;
  const session = openSession(view);
  const words = connectingWords({ view, local, online: line === "open", now: model.now, names: list, number: model.given.providerLine });
  at.progress.dataset["tone"] = words.tone;
  const status = t(words.words, words.values);
  if (at.status.textContent !== status) setText(at.status, status);
  setText(at.statusNext, session?.state === "answering" && media.blocked ? "" : t(words.next, words.values)); // no picture comes in a second
  at.statusNumber.hidden = words.number === null;
  if (words.number !== null) phoneLink(at.statusCall, words.number);
  const since = session?.pressed_at ?? local.press?.at ?? model.now;
  setText(at.elapsed, duration(model.now - since));
  const test = session?.test ?? local.press?.test ?? false;
  renderTiles(model, session, test);
  at.checks.hidden = !test;
  at.selfTest.hidden = !test;
  if (test) renderChecks(model, session);
  at.phoneInstead.hidden = test;
  at.voiceOnly.hidden = test;
  const voice = !model.media.cameraOn;
  at.voiceOnly.setAttribute("aria-pressed", String(voice));
  setText(at.cancel, t(test ? "tablet.test.finish" : "tablet.cancel"));
  at.actions.hidden = model.asksCancel;
  at.cancelStep.hidden = !model.asksCancel;
}

/** @param {Model} model @param {TabletSession | null} session @param {boolean} test */
function renderTiles({ view, tiles, given }, session, test) {
  const offered = view?.tiles.slice(0, MAX_TILES) ?? [];
  at.intake.hidden = test || session === null;
  fill(at.language, "languages", () => ["", ...given.languages].map((code) => el("option", { value: code, text: t(code ? `common.language.${code}` : "common.language.en") })));
  const places = view?.places ?? [];
  fill(at.place, places.join("\n"), () => places.map((words, index) => el("option", { value: String(index), text: words })));
  fill(at.otherwise, "otherwise", () => [el("option", { value: "", text: t("tablet.otherwise.choose") }), ...given.otherwise.map((code) => el("option", { value: code, text: t(`common.otherwise.${code}`) }))]);
  at.placeField.hidden = places.length < 2;
  for (const select of at.bodyCamera) {
    fill(select, "cameras", () => [el("option", { value: "", text: t("tablet.body_camera.choose") }), ...given.bodyCamera.map((code) => el("option", { value: code, text: t(`common.body_camera.${code}`) }))]);
    const value = session?.body_camera ?? "";
    if (document.activeElement !== select && select.value !== value) select.value = value;
  }
  at.otherwiseField.hidden = session !== null && session.media_at !== null; // only what is said before the call counts
  for (const [select, value] of /** @type {const} */ ([[at.language, session?.language ?? ""], [at.place, String(session?.place ?? 0)], [at.otherwise, session?.otherwise ?? ""]])) {
    if (document.activeElement !== select && select.value !== value) select.value = value;
  }
  fill(at.tiles, offered.join(), () => offered.map((code) => el("button", {
    type: "button", class: "tile", dataset: { tile: code }, "aria-pressed": "false",
  }, el("span", { text: t(`common.tile.${code}`) }))));
  for (const tile of findAll("[data-tile]", HTMLButtonElement, at.tiles)) {
    tile.setAttribute("aria-pressed", String(tiles.includes(tile.dataset["tile"] ?? "")));
  }
}

/** @param {Model} model @param {TabletSession | null} session */
function renderChecks({ media, line, selfTest }, session) {
  const { microphone, upload, relay, heard } = selfTest.results;
  /** @type {[string, import("./self_test.js").Result][]} */
  const checks = [
    ["camera", media.hasCamera ? "ok" : media.cameraProblem === null ? "waiting" : "failed"],
    ["microphone", media.microphoneProblem !== null ? "failed" : microphone],
    ["server", line === "open" && session !== null ? "ok" : "waiting"],
    ["media", media.link === "up" || media.link === "silent" ? "ok" : media.link === "refused" || media.blocked ? "failed" : "waiting"],
    ["upload", upload],
    ...(relay === null ? [] : [/** @type {[string, import("./self_test.js").Result]} */ (["relay", relay])]),
    ["heard", heard],
  ];
  const rate = upload === "waiting" || media.upload === null ? null : (media.upload / 1_000_000).toLocaleString(locale(), { maximumFractionDigits: 1 });
  fill(at.checks, JSON.stringify([checks, rate]), () => checks.map(([name, word]) => el("li", { dataset: { check: name, result: word } },
    el("span", { class: `badge badge--${{ waiting: "wait", ok: "ok", weak: "wait", failed: "alert" }[word]}`, text: t(`tablet.check.${word}`) }),
    name === "upload" && rate !== null ? t("tablet.check.upload.rate", { rate }) : t(`tablet.check.${name}`))));
  at.heardYes.setAttribute("aria-pressed", String(selfTest.found.heard === true));
  at.heardNo.setAttribute("aria-pressed", String(selfTest.found.heard === false));
  const worst = checks.find(([, word]) => word === "failed") ?? checks.find(([, word]) => word === "weak");
  const done = checks.every(([, word]) => word === "ok");
  setText(at.testAdvice, worst ? t(`tablet.test.advice.${worst[0]}`) : done ? t("tablet.test.advice.ready") : "");
}

/** @param {Model} model @param {"call" | "handed-over"} screen */
function renderCall(model, screen) {
  const { media, view } = model;
  const session = openSession(view);
  if (!session) return;
  const person = screen === "handed-over";
  const name = session.clinician ?? model.local.clinician ?? t("tablet.clinician");
  setText(at.clinician, name);
  setText(at.licence, person ? "" : (session.licence ?? ""));
  renderPeer(session, media, name);
  renderCompany(model, session);
  setText(at.clock, duration(model.now - (session.media_at ?? session.accepted_at ?? model.now)));
  for (const element of [at.quality, at.clock]) element.hidden = person;
  if (!person) renderQuality(media.quality);
  const sent = person ? null : sentWords(media.stranded ? "phone" : media.step, { saver: session.saver, picture: media.cameraOn && media.hasCamera, stills: media.stills.through });
  at.sent.hidden = sent === null;
  setText(at.sent, sent === null ? "" : t(sent));
  at.saver.hidden = person;
  at.saver.setAttribute("aria-pressed", String(session.saver));
  at.controls.hidden = person || model.asksEnd;
  at.endStep.hidden = person || !model.asksEnd;
  at.personRow.hidden = !person;
  if (person) {
    at.chat.hidden = true;
    at.chatLines.replaceChildren(); // the person must not find it, not even in the page's source
    at.chatLines.dataset["last"] = "";
  } else {
    renderControls(model, session);
    renderChat(model, session);
  }
}

/** @param {TabletSession} session @param {import("./media.js").TabletMedia} media @param {string} name */
function renderPeer(session, media, name) {
  const key = peerWords(session, media.link, media.frozen, media.step !== "720p");
  const words = key === null ? "" : t(key, { name });
  const awaited = session.peer?.step === "stills" && !media.seesStills; // what stands there is an old picture
  const seen = media.seesStills && key !== "tablet.peer.held";
  const gone = key !== null && !seen && (awaited || !OVER_THE_PICTURE.includes(key));
  at.faceEmpty.hidden = !gone;
  at.faceEmpty.dataset["calm"] = String(key === "tablet.peer.held");
  at.faceEmpty.dataset["over"] = String(gone && key !== "tablet.peer.held" && Number(at.video.dataset["frames"] ?? 0) > 0 && session.peer?.camera === true);
  setText(at.faceWords, gone ? words : "");
  setText(at.peerWords, gone ? "" : words);
  at.peerWords.hidden = gone || words === "";
}

/** Who else is here, in words, and interpreters in a small picture. @param {Model} model @param {TabletSession} session */
function renderCompany({ media, came, now }, session) {
  const words = companyWords(session, came, now).map(({ key, values }) => t(key, values)).join(" · ");
  at.companyWords.hidden = words === "";
  setText(at.companyWords, words);
  for (const [index, { video }] of media.more.slots.entries()) {
    const shown = session.company.some((one) => one.role === "interpreter" && one.connected && !one.held && slotOf("tablet", one.seat) === index + 1);
    if (video) video.hidden = !shown || video.videoWidth === 0 || media.stands(index + 1);
  }
}

/** @param {import("../lib/wire.js").Quality} quality */
function renderQuality(quality) {
  at.quality.dataset["word"] = quality;
  at.qualityIcon.dataset["icon"] = `signal-${quality}`;
  setText(at.qualityWord, t(`tablet.quality.${quality}`));
}

/** @param {HTMLButtonElement} button @param {string} name @param {string} word @param {boolean} pressed */
function control(button, name, word, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
  find(".icon", html, button).dataset["icon"] = name;
  setText(find(".control__word", html, button), word);
}

/** @param {Model} model @param {TabletSession} session */
function renderControls({ media, chatOpen, chatSeen, view }, session) {
  control(at.mute, media.muted ? "mic-off" : "mic", t(media.muted ? "tablet.mute.on" : "tablet.mute"), media.muted);
  const off = !media.cameraOn || !media.hasCamera;
  control(at.camera, off ? "camera-off" : "camera", t(off ? "tablet.camera.off" : "tablet.camera"), off);
  at.flip.disabled = off;
  at.handover.disabled = session.state !== "connected" || !view?.officer;
  const unread = chatOpen ? 0 : session.chat.filter((one) => one.sender === "clinician" && one.no > chatSeen).length;
  at.chatToggle.setAttribute("aria-expanded", String(chatOpen));
  at.chatToggle.dataset["unread"] = String(unread);
  setText(find(".control__word", html, at.chatToggle), unread > 0 ? plural("tablet.chat.unread", unread) : t("tablet.chat"));
  at.chat.hidden = !chatOpen;
}

/** @param {Model} model @param {TabletSession} session */
function renderChat(model, session) {
  fill(at.chatQuick, "phrases", () => PHRASES.map((key) => el("button", { type: "button", class: "button", dataset: { phrase: key }, text: t(key) })));
  const last = session.chat.at(-1)?.no ?? 0;
  if (at.chatLines.dataset["last"] === `${session.id}:${last}`) return;
  at.chatLines.dataset["last"] = `${session.id}:${last}`;
  const name = session.clinician ?? t("tablet.clinician");
  at.chatLines.replaceChildren(...session.chat.map((line) => el("li", { class: "chat__line", dataset: { sender: line.sender } },
    el("span", { class: "chat__who", text: `${line.sender === "officer" ? t("tablet.chat.you") : name}, ${timeOfDay(line.at, locale())}` }),
    el("span", { class: "chat__text", text: line.text }))));
  at.chatLines.lastElementChild?.scrollIntoView({ block: "nearest" });
}

/** @param {Model} model @param {string} screen */
function renderCard({ view, local }, screen) {
  const session = view?.session ?? null;
  const shown = cardToShow(session, local);
  const visible = shown !== null && (screen === "card" || screen === "call" || screen === "connecting");
  at.card.hidden = !visible;
  if (!shown || !visible || at.card.dataset["rev"] === `${session?.id}:${shown.rev}`) return;
  const { card } = shown;
  at.card.dataset["rev"] = `${session?.id}:${shown.rev}`;
  at.card.classList.remove("card--routine", "card--soon", "card--now");
  at.card.classList.add(`card--${card.level}`);
  setText(find("#card-level", html), t(`common.card_level.${card.level}`));
  setText(find("#card-disposition", html), t(`common.disposition.${card.disposition}`));
  find("#card-actions", html).replaceChildren(...card.actions.map((action) => el("li", {},
    el("strong", { text: t(`common.card_action.${action.code}`) }), action.text ? el("span", { text: action.text }) : null)));
  setText(find("#card-words", html), card.words);
  find("#card-help", html).hidden = card.resources.length === 0;
  find("#card-resources", html).replaceChildren(...card.resources.map(helpNearBy));
  setText(find("#card-from", html), t("tablet.card.from", { name: shown.clinician, licence: shown.licence, time: timeOfDay(shown.sent_at, locale()) }));
  polite(t("tablet.card.arrived", { level: t(`common.card_level.${card.level}`) }));
}

/** @param {import("../lib/wire.js").CardResource} one */
function helpNearBy(one) {
  const spanish = locale().startsWith("es");
  const elsewhere = one.phone || one.text_line || one.address ? "" : one.website; // words, no link: a kiosk goes nowhere
  const facts = [one.address, elsewhere, (spanish && one.hours_es) || one.hours, (spanish && one.accepts_es) || one.accepts].filter(Boolean).join(" · ");
  return el("li", {}, el("strong", { text: one.name }),
    one.phone ? el("a", { href: telephone(one.phone), text: one.phone }) : null,
    one.text_line ? el("a", { href: telephone(one.text_line).replace("tel:", "sms:"), text: t("tablet.card.text", { number: one.text_line }) }) : null,
    facts ? el("span", { text: facts }) : null);
}

/** @param {Model} model @param {"outcome" | "reason"} screen */
function renderOutcome({ view, local, given }, screen) {
  if (!view) return;
  const ended = view.session && view.session.id === outcomeFor(view, local) ? view.session : null;
  const recommended = ended?.recommended ?? null;
  const advice = recommended === null ? "" : t(`common.disposition.${recommended}`);
  if (screen === "reason") {
    const chosen = local.chosen === null ? "" : t(`common.disposition.${local.chosen}`);
    setText(at.reasonHint, recommended === null ? chosen : t("tablet.reason.hint", { chosen, advice }));
    fill(at.reasons, "reasons", () => REASONS.map((code) => el("button", { type: "button", class: "button button--large", dataset: { reason: code }, text: t(`common.difference.${code}`) })));
    return;
  }
  fill(at.flags, "flags", () => given.flags.map((code) => el("button", { type: "button", class: "button also__one", dataset: { flag: code }, "aria-pressed": "false", text: t(`common.flag.${code}`) })));
  if (at.also.dataset["for"] !== outcomeFor(view, local)) { // opened for each session where there is room
    at.also.dataset["for"] = outcomeFor(view, local) ?? "";
    at.caseNumber.value = ""; // of this incident, and never the one before
    at.also.open = window.matchMedia("(min-width: 45rem)").matches || local.flags.length > 0;
  }
  for (const flag of findAll("[data-flag]", HTMLButtonElement, at.flags)) flag.setAttribute("aria-pressed", String(local.flags.includes(flag.dataset["flag"] ?? "")));
  setText(at.outcomeHint, recommended === null ? t("tablet.outcome.hint") : t("tablet.outcome.advised", { advice }));
  fill(at.dispositions, `${recommended}`, () => DISPOSITIONS.map((code) => el("button", {
    type: "button", class: "button button--large", dataset: { disposition: code, advised: String(recommended !== null && !differs(code, recommended)) },
  }, el("span", { text: t(`common.disposition.${code}`) }), code === recommended ? el("span", { class: "badge", text: t("tablet.outcome.as_advised") }) : null)));
}

/** @param {Model} model @param {string} screen */
function renderSelf({ media }, screen) {
  at.self.hidden = !((screen === "connecting" || screen === "call") && media.hasCamera && media.cameraOn);
  at.self.classList.toggle("picture--self", media.facing === "user");
}
