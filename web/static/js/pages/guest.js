/** A guest in one call: interpreter or supervisor, let in by a link. Takes the snapshots, and draws. */

import { AllowHelp, offerHelp } from "../lib/allow_help.js";
import { boot, find, setText } from "../lib/dom.js";
import { has, t } from "../lib/i18n.js";
import { slotOf } from "../lib/more.js";
import { Line, WireError } from "../lib/socket.js";
import { PICTURES, sentWords } from "../lib/ladder.js";
import { MORE } from "../lib/peer.js";
import * as sounds from "../lib/sounds.js";
import { Whisper } from "../lib/whisper.js";
import { GuestMedia } from "../guest/media.js";
import { firstMode, heard, minuteOfHold, others, pictureWords, stageOf } from "../guest/state.js";

/** @typedef {import("../lib/wire.js").GuestView} GuestView */

/** @type {import("../lib/dom.js").Boot & { relay: import("../lib/relay.js").Known }} */
const given = boot();
/** @type {GuestView | null} */
let view = null;
/** @type {string | null} */
let dismissed = null;
let lost = false;
let problem = "";
/** @type {number | null} */
let toned = null; // the minute of the hold in which the last tone was heard

const line = new Line({
  page: "guest",
  url: given.ws,
  onMessage: (message) => {
    if (message.type === "guest") take(message);
    else if (message.type === "media.rebuild") media.rebuild();
    else if (message.type === "still") void media.takeStill(message);
    else if (message.type === "error") trouble(new WireError(message.code, message.message));
  },
  onState: (state, info) => {
    lost = state === "lost";
    if (info.final && info.reason !== "closed") dismissed = info.reason ?? "ended";
    if (dismissed !== null) media.follow(null);
    if (state === "open") media.tell();
    draw();
  },
  urgent: () => view !== null && heard(view) !== null,
});
const media = new GuestMedia({ line, session: () => heard(view), relay: given.relay, changed: draw });
const whisper = new Whisper({ microphone: media, tell: (mode) => tell("guest.join", { mode }) });

/** @param {GuestView} fresh */
function take(fresh) {
  view = fresh;
  media.follow(heard(view));
  if (view.session.mode === "listen" || view.session.mode === "whisper") whisper.follow(view.session.mode);
  draw();
}

/** @param {unknown} error */
function trouble(error) {
  if (!(error instanceof WireError)) throw error;
  const key = `common.error.${error.code.replaceAll("-", "_")}`;
  if (["bad-link", "link-ended", "no-such-session", "wrong-role"].includes(error.code)) dismissed = error.code;
  else problem = has(key) ? t(key) : error.message;
  draw();
}

/** @param {string} type @param {Record<string, unknown>} [fields] @returns {Promise<boolean>} whether it was done */
async function tell(type, fields = {}) {
  try {
    problem = "";
    await line.send(type, fields);
    return true;
  } catch (error) {
    trouble(error);
    return false;
  }
}

/** @param {string} id */
const byId = (id) => find(`#${id}`, HTMLElement);

/** @param {string} id @param {boolean} shown */
function show(id, shown) {
  if (byId(id).hidden === shown) byId(id).hidden = !shown;
}

function draw() {
  const stage = stageOf(view, dismissed);
  byId("guest").dataset["stage"] = stage;
  byId("status").dataset["state"] = stage === "call" ? "ready" : "wait";
  const values = { lead: view?.session.lead ?? "", agency: view?.session.agency ?? "", name: view?.name ?? "" };
  setText(byId("status"), stage === "call" ? t(`guest.role.${view?.role ?? "interpreter"}`, values) : stage === "connecting" ? t("guest.connecting") : "");
  show("network", lost && dismissed === null);
  show("problem", problem !== "");
  setText(byId("problem-text"), problem);
  show("sound-blocked", stage === "call" && media.soundBlocked);
  show("device", stage === "call" && media.microphoneProblem !== null);
  offerHelp([media.microphoneProblem]);
  show("door", stage !== "call" && stage !== "connecting");
  show("enter", stage === "door");
  show("use-here", stage === "elsewhere");
  setText(byId("door-title"), t(`guest.stage.${stage}`, values));
  setText(byId("door-words"), stage === "door" ? t(`guest.door.${view?.role ?? "interpreter"}`, values) : has(`guest.more.${stage}`) ? t(`guest.more.${stage}`, values) : "");
  show("call", stage === "call");
  if (stage === "call" && view) call(view);
}

/** @param {GuestView} shown */
function call(shown) {
  const peer = shown.session.peer;
  const held = shown.session.held_at !== null;
  const moves = media.link === "up" && peer.connected && PICTURES[peer.step] !== undefined;
  const empty = held || !peer.camera || !(media.seesStills || moves);
  show("remote-empty", empty);
  byId("remote-empty").dataset["calm"] = String(held);
  const words = held ? "held" : media.blocked ? media.link : media.link === "connecting" ? "joining" : media.link !== "up" ? "reconnecting" : !peer.connected ? "tablet_lost" : !peer.camera ? "no_camera" : peer.step === "stills" ? "stills" : "voice";
  setText(byId("remote-words"), empty ? t(`guest.peer.${words}`, { lead: shown.session.lead }) : "");
  const over = empty ? null : pictureWords(shown.session, media.frozen, media.step !== "720p");
  setText(byId("peer-words"), over === null ? "" : t(over));
  const supervisor = shown.role === "supervisor";
  const sent = held || supervisor ? null : sentWords(media.step, { saver: shown.session.saver, picture: media.cameraOn && media.hasCamera, stills: media.stills.through });
  setText(byId("sent"), sent === null ? "" : t(sent));
  const whispers = whisper.on;
  show("mute", !supervisor);
  show("camera", !supervisor);
  show("whisper", supervisor);
  button("mute", media.muted, t(media.muted ? "guest.unmute" : "guest.mute"));
  const dark = !(media.cameraOn && media.hasCamera);
  button("camera", dark, t(dark ? "guest.camera_on" : "guest.camera_off"));
  setText(byId("whisper"), t(whispers ? "guest.listen" : "guest.whisper", { lead: shown.session.lead }));
  byId("whisper").setAttribute("aria-pressed", String(whispers));
  setText(byId("mode-words"), supervisor ? t(whispers ? "guest.mode.whisper" : "guest.mode.listen", { lead: shown.session.lead }) : "");
  const company = others(shown, slotOf);
  for (let slot = 1; slot <= MORE; slot += 1) {
    const one = company.find((other) => other.slot === slot);
    show(`company-${slot}`, one !== undefined);
    if (!one) continue;
    setText(byId(`company-name-${slot}`), one.name);
    setText(byId(`company-role-${slot}`), one.held ? t("guest.company.held", { role: t(`guest.company.${one.role}`) }) : t(`guest.company.${one.role}`));
    const video = media.more.slots[slot - 1]?.video;
    if (video) video.hidden = held || one.held || !one.speaks || !one.connected || video.videoWidth === 0 || media.stands(slot);
  }
}

/** @param {string} id @param {boolean} pressed @param {string} words */
function button(id, pressed, words) {
  byId(id).setAttribute("aria-pressed", String(pressed));
  setText(find(".word", HTMLElement, byId(id)), words);
}

/** @param {string} id @param {() => void} act */
function on(id, act) {
  byId(id).addEventListener("click", act);
}

on("enter", () => {
  if (!view) return;
  void sounds.unlock();
  void media.audio.play().catch(() => { /* nothing to play yet; the press still counts */ });
  void tell("guest.join", { mode: firstMode(view) });
});
on("use-here", () => location.reload());
on("try-now", () => line.tryNow());
on("sound-unlock", () => { void media.playSound(); });
on("device-retry", () => { void media.again(); });
new AllowHelp(() => { void media.again(); });
on("mute", () => media.setMuted(!media.muted));
on("camera", () => { void media.setCamera(!(media.cameraOn && media.hasCamera)); });
on("whisper", () => { void whisper.press(); });
on("leave", () => { void tell("guest.leave"); });

/** Once when the hold begins, then each minute. */
function holdTone() {
  const minute = minuteOfHold(view, line.serverNow());
  if (minute !== null && minute !== toned && sounds.ready()) sounds.waiting();
  toned = minute;
}

line.start();
setInterval(() => { draw(); holdTone(); }, 500);
