/** The officer's tablet: builds the parts and wires the presses. What is shown is decided in tablet/state.js. */

import { assertive } from "../lib/announce.js";
import { readiness } from "../lib/devices.js";
import { boot, find } from "../lib/dom.js";
import { warm } from "../lib/icons.js";
import { has, t } from "../lib/i18n.js";
import { Line, WireError, randomKey } from "../lib/socket.js";
import * as sounds from "../lib/sounds.js";
import { toggle as toggleTheme } from "../lib/theme.js";
import { WakeLock } from "../lib/wake_lock.js";
import { TabletMedia } from "../tablet/media.js";
import { PinPad } from "../tablet/pin.js";
import { render } from "../tablet/render.js";
import { endShift, startShift } from "../tablet/shift.js";
import { FRESH, differs, openSession, outcomeFor, toggleTile } from "../tablet/state.js";
import { MAX_TILES } from "../tablet/vocabulary.js";

/** @typedef {import("../lib/wire.js").PageMessage} PageMessage */
/** @typedef {import("../lib/wire.js").TabletView} TabletView */

/**
 * @typedef {{ agency: string, unit: string, regionalLine: string, providerLine: string,
 *   officers: { id: string, name: string }[], iceServers: RTCIceServer[] }} TabletBoot
 */
/** @type {import("../lib/dom.js").Boot & TabletBoot} */
const given = boot();
const NOT_OURS = new Set(["not-enrolled", "not-signed-in", "tablet-revoked", "revoked", "login-expired", "wrong-role"]);
const LATER = "tablet.later"; // survives a reload of this page, not more
const wakeLock = new WakeLock();
const pin = new PinPad();
const phone = find("#phone", HTMLDialogElement);
const shiftDialog = find("#shift-dialog", HTMLDialogElement);

const line = new Line({
  page: "tablet",
  url: given.ws,
  onMessage: receive,
  onState: (state, info) => {
    model.line = state;
    model.dismissed = info.final && info.reason !== "closed" ? info.reason : null;
    if (state === "open") media.tell();
    draw();
  },
});
const media = new TabletMedia({
  line, session: () => openSession(model.view), iceServers: given.iceServers, changed: () => draw(),
});

/** @type {import("../tablet/render.js").Model} */
const model = {
  view: null,
  local: { ...FRESH, later: sessionStorage.getItem(LATER) },
  line: "connecting",
  dismissed: null,
  given,
  media,
  now: Date.now() / 1000,
  tiles: [],
  asksCancel: false,
  asksEnd: false,
  chatOpen: false,
  chatSeen: 0,
  devices: { camera: true, microphone: true },
  problem: null,
};

/** @type {(() => void) | null} */
let stopRingback = null;

function draw() {
  model.now = line.serverNow();
  render(model);
  ringback();
}

/** @param {Partial<import("../tablet/state.js").Local>} changes */
function know(changes) {
  model.local = { ...model.local, ...changes };
  draw();
}

/** Heard while somebody is alerted and until somebody answers; never in a test. */
function ringback() {
  const session = openSession(model.view);
  const wanted = session?.state === "waiting" && session.phase !== "handed_over" && !session.test && session.step !== "call-instead" && sounds.ready();
  if (wanted && !stopRingback) stopRingback = sounds.ringback();
  else if (!wanted && stopRingback) {
    stopRingback();
    stopRingback = null;
  }
}

/** @param {PageMessage} message */
function receive(message) {
  if (message.type === "tablet") take(message);
  else if (message.type === "media.rebuild") media.rebuild();
  else if (message.type === "error" && NOT_OURS.has(message.code)) {
    line.close();
    location.assign("/enrol");
  } else if (message.type === "error") trouble(new WireError(message.code, message.message));
}

/** @param {TabletView} view */
function take(view) {
  const before = openSession(model.view);
  const after = openSession(view);
  model.view = view;
  if (after) model.local = { ...model.local, press: null, clinician: after.clinician ?? model.local.clinician };
  if (after?.id !== before?.id) {
    model.asksCancel = model.asksEnd = model.chatOpen = false;
    model.chatSeen = 0;
    model.tiles = after?.intake ?? [];
    model.local = { ...model.local, clinician: after?.clinician ?? null, chosen: null, recordOwed: false };
    if (phone.open) phone.close();
  }
  if (after) wakeLock.hold();
  else wakeLock.release();
  if (after?.phase !== "handed_over" && before?.phase === "handed_over") pin.close();
  if (after?.phase === "handed_over") {
    model.asksEnd = model.chatOpen = false;
    if (phone.open) phone.close();
  }
  if (model.chatOpen) model.chatSeen = after?.chat.at(-1)?.no ?? model.chatSeen;
  media.follow(after);
  sayChange(before, after);
  draw();
}

/** @param {import("../lib/wire.js").TabletSession | null} before @param {import("../lib/wire.js").TabletSession | null} after */
function sayChange(before, after) {
  if (!before || before.id !== after?.id) return;
  const name = after.clinician ?? model.local.clinician ?? t("tablet.clinician");
  if (after.state === "connected" && before.state !== "connected") sounds.join();
  if (before.state === "connected" && (after.state === "recovering" || after.state === "waiting")) {
    sounds.drop();
    assertive(t("tablet.status.requeued", { name }));
  }
  const fromThem = after.chat.at(-1);
  if (fromThem?.sender === "clinician" && fromThem.no > (before.chat.at(-1)?.no ?? 0)) sounds.note();
  if (after.card && after.card.rev !== before.card?.rev) sounds.note();
}

/**
 * A command was refused: the sentence to show, ours where we have one.
 * @param {unknown} error
 */
function sentence(error) {
  if (!(error instanceof WireError)) throw error;
  const key = `tablet.error.${error.code.replaceAll("-", "_")}`;
  return has(key) ? t(key) : error.message;
}

/** @param {unknown} error */
function trouble(error) {
  if (error instanceof WireError && ["closed", "illegal-transition", "stale-epoch"].includes(error.code)) return; // the snapshot says it
  model.problem = sentence(error);
  draw();
}

/** @param {boolean} test */
function press(test) {
  if (model.local.press) return;
  const key = randomKey();
  model.problem = null;
  // The session first: it must exist before the camera is up. All else is done within the same press.
  const sent = line.send("session.open", { key, voice_only: false, test });
  void sounds.unlock().then(draw);
  media.unlock();
  wakeLock.hold();
  media.capture({ voiceOnly: false });
  know({ press: { key, test, at: line.serverNow(), voiceOnly: false } });
  sent.catch((error) => {
    know({ press: null });
    if (!openSession(model.view)) media.stop();
    trouble(error);
  });
}

/** @param {"cancelled_by_officer" | "moved_to_phone"} reason */
async function cancel(reason) {
  const pressed = model.local.press;
  model.asksCancel = false;
  draw();
  try {
    // Not yet in a snapshot: the same press again only asks which session it made.
    const id = openSession(model.view)?.id ?? (pressed ? String((await line.send("session.open", { key: pressed.key, voice_only: false, test: pressed.test }))["session"]) : null);
    if (id) await line.send("session.cancel", { session: id, reason });
    know({ press: null });
  } catch (error) {
    trouble(error);
  }
}

/**
 * Send a command about the open session.
 * @param {string} type
 * @param {Readonly<Record<string, unknown>>} [fields]
 */
function tell(type, fields = {}) {
  const session = openSession(model.view);
  if (!session) return Promise.resolve();
  return line.send(type, { session: session.id, ...fields }).then(() => {}, trouble);
}

function epoch() {
  return openSession(model.view)?.epoch ?? 0;
}

/** @param {string} text */
function chat(text) {
  if (text.trim()) void tell("chat.send", { text: text.trim() });
}

/** @param {string} actual @param {string | null} reason */
function record(actual, reason) {
  const view = model.view;
  const id = view ? outcomeFor(view, model.local) : null;
  if (!id) return;
  know({ chosen: null, recordOwed: false, recorded: [...model.local.recorded, id] });
  line.send("disposition.record", { session: id, actual, reason }).catch((error) => {
    const again = model.local.recorded.filter((one) => one !== id);
    const needsReason = error instanceof WireError && error.code === "reason-needed";
    know({ recorded: again, recordOwed: true, chosen: needsReason ? actual : null });
    if (!needsReason) trouble(error);
  });
}

function later() {
  const view = model.view;
  const id = view ? outcomeFor(view, model.local) : null;
  if (!id) return;
  sessionStorage.setItem(LATER, id);
  know({ later: id, recordOwed: false, chosen: null });
  line.send("disposition.later", { session: id }).catch(trouble);
}

function acknowledge() {
  const session = model.view?.session;
  if (!session?.card) return;
  const mark = `${session.id}:${session.card.rev}`;
  know({ acknowledged: [...model.local.acknowledged, mark] });
  line.send("card.acknowledge", { session: session.id, rev: session.card.rev }).catch((error) => {
    know({ acknowledged: model.local.acknowledged.filter((one) => one !== mark) });
    trouble(error);
  });
}

/**
 * The officer takes the tablet back, with the PIN, during the call or after it ended in the person's hands.
 * @param {(session: string) => void} done
 */
function takeBack(done) {
  pin.ask({
    title: t("tablet.pin.take_back"),
    hint: t("tablet.pin.take_back.hint"),
    check: async (typed) => {
      const session = model.view?.session;
      if (!session) return null;
      try {
        await line.send("handover.end", { session: session.id, epoch: session.epoch, pin: typed });
      } catch (error) {
        const moot = error instanceof WireError && ["illegal-transition", "not-on-shift"].includes(error.code);
        if (!moot) return sentence(error); // moot: over, or nobody on shift has a PIN
      }
      done(session.id);
      return null;
    },
  });
}

/** @param {string} selector @param {(event: Event) => void} act */
function on(selector, act) {
  find(selector, HTMLElement).addEventListener("click", act);
}

/**
 * One listener for a row of buttons that are made anew now and then.
 * @param {string} selector @param {string} name  of the data attribute @param {(value: string) => void} act
 */
function onEach(selector, name, act) {
  find(selector, HTMLElement).addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest(`[data-${name}]`) : null;
    if (button instanceof HTMLElement) act(button.dataset[name] ?? "");
  });
}

on("#connect", () => press(false));
on("#test-call", () => press(true));
on("#theme", () => toggleTheme());
on("#try-now", () => { if (model.dismissed === null) line.tryNow(); else location.reload(); });
on("#sound-tap", () => { void sounds.unlock(); void media.playSound(); });
on("#device-retry", () => { void media.again(); });
on("#problem-close", () => { model.problem = null; draw(); });
on("#skip-checkout", () => know({ skipCheckout: true }));
onEach("#officers", "officer", (id) => pin.ask({
  title: t("tablet.pin.checkout", { name: given.officers.find((one) => one.id === id)?.name ?? "" }),
  hint: t("tablet.pin.checkout.hint"),
  check: (typed) => startShift(given.csrf, id, typed, () => model.view?.officer !== null),
}));
on("#shift-end", () => shiftDialog.showModal());
on("#shift-keep", () => shiftDialog.close());
on("#shift-confirm", () => {
  shiftDialog.close();
  void endShift(given.csrf, () => model.view?.officer === null).then((problem) => { model.problem = problem; know({ skipCheckout: false }); });
});

onEach("#tiles", "tile", (code) => {
  model.tiles = toggleTile(model.tiles, code, MAX_TILES);
  draw();
  void tell("session.intake", { tiles: model.tiles });
});
on("#voice-only", () => {
  const voice = media.cameraOn;
  void media.setCamera(!voice);
  void tell("session.voice", { voice_only: voice });
});
on("#phone-instead", () => phone.showModal());
on("#phone-close", () => phone.close());
on("#on-phone", () => { phone.close(); void cancel("moved_to_phone"); });
on("#cancel", () => {
  const test = openSession(model.view)?.test ?? model.local.press?.test ?? false;
  if (test) void cancel("cancelled_by_officer");
  else { model.asksCancel = true; draw(); find("#cancel-keep", HTMLElement).focus(); }
});
on("#cancel-keep", () => { model.asksCancel = false; draw(); find("#cancel", HTMLElement).focus(); });
on("#cancel-confirm", () => { void cancel("cancelled_by_officer"); });

on("#mute", () => media.setMuted(!media.muted));
on("#camera", () => { void media.setCamera(!(media.cameraOn && media.hasCamera)); });
on("#flip", () => { void media.flip(); });
on("#chat-toggle", () => {
  model.chatOpen = !model.chatOpen;
  model.chatSeen = openSession(model.view)?.chat.at(-1)?.no ?? 0;
  draw();
  if (model.chatOpen) find("#chat-text", HTMLElement).focus();
});
on("#chat-close", () => { model.chatOpen = false; draw(); find("#chat-toggle", HTMLElement).focus(); });
onEach("#chat-quick", "phrase", (key) => chat(t(key)));
find("#chat-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const input = find("#chat-text", HTMLInputElement);
  chat(input.value);
  input.value = "";
});
on("#handover", () => { void tell("handover.start", { epoch: epoch() }); });
on("#talk-officer", () => takeBack(() => {}));
on("#end", () => { model.asksEnd = true; draw(); find("#end-keep", HTMLElement).focus(); });
on("#end-keep", () => { model.asksEnd = false; draw(); find("#end", HTMLElement).focus(); });
on("#end-confirm", () => { model.asksEnd = false; void tell("session.end", { epoch: epoch() }); draw(); });

on("#acknowledge", acknowledge);
on("#taken-back", () => takeBack((id) => know({ takenBack: [...model.local.takenBack, id] })));
onEach("#dispositions", "disposition", (code) => {
  const ended = model.view?.session;
  const advised = ended && model.view && ended.id === outcomeFor(model.view, model.local) ? ended.recommended : null;
  if (differs(code, advised)) know({ chosen: code });
  else record(code, null);
});
onEach("#reasons", "reason", (code) => { if (model.local.chosen !== null) record(model.local.chosen, code); });
on("#reason-back", () => know({ chosen: null }));
on("#later", later);
on("#owed-record", () => know({ recordOwed: true, chosen: null }));

async function lookAtDevices() {
  model.devices = await readiness();
  draw();
}

navigator.mediaDevices?.addEventListener("devicechange", () => { void lookAtDevices(); });
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") void lookAtDevices(); });
void lookAtDevices();
warm();
line.start();
setInterval(draw, 500);
draw();
