/** The officer's tablet: wires the presses to tablet/tablet.js. */

import { AllowHelp } from "../lib/allow_help.js";
import { readiness } from "../lib/devices.js";
import { boot, find, findAll, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { warm } from "../lib/icons.js";
import { toggle as toggleTheme } from "../lib/theme.js";
import { scriptAt } from "../lib/trusted.js";
import { keeping } from "../lib/device_key.js";
import { OfficerPasskey } from "../tablet/passkey.js";
import { endShift, renewKey, startShift } from "../tablet/shift.js";
import { Tablet } from "../tablet/tablet.js";

/** @type {import("../lib/dom.js").Boot & import("../tablet/tablet.js").TabletBoot} */
const given = boot();
const tablet = new Tablet(given);
const { media, model } = tablet;
const passkey = new OfficerPasskey(tablet, given.csrf);
const phone = find("#phone", HTMLDialogElement);
const shift = find("#shift-dialog", HTMLDialogElement);

/** @param {string} selector @param {() => void} act */
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

/** @param {string} selector */
function focus(selector) {
  find(selector, HTMLElement).focus();
}

// Ready, and the shift
on("#connect", () => { tablet.press(false); passkey.forget(); });
on("#test-call", () => { tablet.press(true); passkey.forget(); });
on("#theme", toggleTheme);
on("#skip-checkout", () => { tablet.know({ skipCheckout: true }); passkey.forget(); });
on("#owed-record", () => tablet.know({ recordOwed: true, chosen: null }));
onEach("#officers", "officer", (id) => tablet.pin.ask({
  title: t("tablet.pin.checkout", { name: model.officers?.find((one) => one.id === id)?.name ?? "" }),
  hint: t("tablet.pin.checkout.hint"),
  check: (pin) => startShift(given.csrf, tablet.key, id, pin, () => model.view?.officer !== null, (options) => passkey.offer(options)),
}));
on("#shift-end", () => shift.showModal());
on("#shift-keep", () => shift.close());
on("#shift-confirm", () => {
  shift.close();
  passkey.forget();
  void endShift(given.csrf, tablet.key, () => model.view?.officer === null).then((problem) => {
    tablet.set({ problem });
    tablet.know({ skipCheckout: false });
  });
});

find("#key-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void giveKey();
});

/** This browser lost the tablet's key: a new one, by the officer's name and PIN. */
async function giveKey() {
  const [name, pin] = [find("#key-name", HTMLInputElement), find("#key-pin", HTMLInputElement)];
  const [submit, error] = [find("#key-submit", HTMLButtonElement), find("#key-error", HTMLElement)];
  submit.disabled = true;
  const problem = await renewKey(given.csrf, tablet.key, name.value, pin.value);
  submit.disabled = false;
  error.hidden = problem === null;
  setText(error, problem ?? "");
  if (problem !== null) pin.value = "";
}

// Banners
on("#try-now", () => { if (model.dismissed === null) tablet.line.tryNow(); else location.reload(); });
on("#sound-tap", () => { tablet.unlock(); void media.playSound(); });
on("#device-retry", () => { void media.again(); });
new AllowHelp(() => { void media.again(); });
on("#problem-close", () => tablet.set({ problem: null }));

// Connecting
onEach("#tiles", "tile", (code) => tablet.tapTile(code));
find("#language", HTMLSelectElement).addEventListener("change", ({ target }) => { if (target instanceof HTMLSelectElement) void tablet.tell("session.language", { language: target.value || null }); });
find("#place", HTMLSelectElement).addEventListener("change", ({ target }) => { if (target instanceof HTMLSelectElement) void tablet.tell("session.place", { place: Number(target.value), words: target.selectedOptions[0]?.text ?? null }); });
find("#otherwise", HTMLSelectElement).addEventListener("change", ({ target }) => { if (target instanceof HTMLSelectElement && target.value) void tablet.tell("session.otherwise", { otherwise: target.value }); });
for (const select of findAll("[data-body-camera]", HTMLSelectElement)) {
  select.addEventListener("change", () => { if (select.value) void tablet.tell("session.body_camera", { camera: select.value }); });
}
on("#voice-only", () => tablet.toggleVoice());
on("#saver", () => tablet.toggleSaver());
on("#test-heard-yes", () => tablet.selfTest.say(true));
on("#test-heard-no", () => tablet.selfTest.say(false));
on("#phone-instead", () => phone.showModal());
on("#phone-close", () => phone.close());
on("#on-phone", () => { phone.close(); void tablet.cancel("moved_to_phone"); });
on("#cancel", () => { if (tablet.asksBeforeCancel()) focus("#cancel-keep"); });
on("#cancel-keep", () => { tablet.set({ asksCancel: false }); focus("#cancel"); });
on("#cancel-confirm", () => { void tablet.cancel("cancelled_by_officer"); });

// In the call
on("#mute", () => media.setMuted(!media.muted));
on("#camera", () => { void media.setCamera(!(media.cameraOn && media.hasCamera)); });
on("#flip", () => { void media.flip(); });
on("#chat-toggle", () => { tablet.showChat(!model.chatOpen); if (model.chatOpen) focus("#chat-text"); });
on("#chat-close", () => { tablet.showChat(false); focus("#chat-toggle"); });
onEach("#chat-quick", "phrase", (key) => tablet.chat(t(key)));
find("#chat-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const input = find("#chat-text", HTMLInputElement);
  tablet.chat(input.value);
  input.value = "";
});
on("#handover", () => { void tablet.tellFenced("handover.start"); });
on("#talk-officer", () => tablet.takeBack());
on("#end", () => { tablet.set({ asksEnd: true }); focus("#end-keep"); });
on("#end-keep", () => { tablet.set({ asksEnd: false }); focus("#end"); });
on("#end-confirm", () => { tablet.set({ asksEnd: false }); void tablet.tellFenced("session.end"); });

// Afterwards
on("#acknowledge", () => tablet.acknowledge());
on("#taken-back", () => tablet.takeBack());
onEach("#flags", "flag", (code) => tablet.tapFlag(code));
onEach("#dispositions", "disposition", (code) => tablet.choose(code));
onEach("#reasons", "reason", (code) => { if (model.local.chosen !== null) tablet.record(model.local.chosen, code); });
on("#reason-back", () => tablet.know({ chosen: null }));
on("#later", () => tablet.later());

/** Readiness is found before the crisis: look again whenever devices or the page come back. */
async function look() {
  tablet.set({ devices: await readiness() });
  tablet.report.soon();
}

navigator.mediaDevices?.addEventListener("devicechange", () => { void look(); });
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") void look(); });
document.addEventListener("pointerdown", () => tablet.unlock(), { once: true }); // after a reload there is no press
tablet.onSession = () => { if (phone.open) phone.close(); };
void keeping();
void look();
// So that a tablet that is loaded anew without a network has numbers to call. A browser that will not, goes without.
if ("serviceWorker" in navigator) void navigator.serviceWorker.register(scriptAt("/service-worker.js"), { scope: "/tablet" }).catch(() => {});

tablet.line.start();
setInterval(() => tablet.draw(), 500);
setTimeout(warm, 2000);
