/** The clinician's console: wires the presses to console/console.js. */

import { AllowHelp } from "../lib/allow_help.js";
import { boot, find } from "../lib/dom.js";
import { warm } from "../lib/icons.js";
import * as sounds from "../lib/sounds.js";
import { toggle as toggleTheme } from "../lib/theme.js";
import { Console } from "../console/console.js";

/** @type {import("../lib/dom.js").Boot & import("../console/console.js").ConsoleBoot} */
const given = boot();
const page = new Console(given);
const { media, model } = page;

/** @param {string} selector @param {() => void} act */
function on(selector, act) {
  find(selector, HTMLElement).addEventListener("click", act);
}

/**
 * One listener for a group of buttons.
 * @param {string} selector @param {string} name  of the data attribute @param {(value: string) => void} act
 */
function onEach(selector, name, act) {
  find(selector, HTMLElement).addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest(`[data-${name}]`) : null;
    if (button instanceof HTMLElement) act(button.getAttribute(`data-${name}`) ?? "");
  });
}

/** @param {string} selector */
function focus(selector) {
  find(selector, HTMLElement).focus();
}

// Banners
on("#try-now", () => {
  if (model.dismissed === null) page.line.tryNow();
  else if (model.dismissed === "replaced") location.reload();
  else location.assign("/sign-in?next=/console");
});
on("#sound-unlock", () => page.unlock());
on("#device-retry", () => { void media.again(); });
new AllowHelp(() => { void media.again(); });
on("#take-here", () => media.takeHere());
on("#problem-close", () => { page.set({ problem: null }); focus("#main"); });
on("#theme", toggleTheme);

// My state
const reason = find("#pause-reason", HTMLSelectElement);
onEach(".activity", "activity", (activity) => { void page.setActivity(activity, activity === "paused" ? reason.value || null : null); });
reason.addEventListener("input", () => { void page.setActivity("paused", reason.value || null); });

on("#still-here-yes", () => page.idleEnd.here());
on("#still-here-no", () => {
  page.idleEnd.here();
  void page.setActivity("offline", null);
});

on("#missed-read", () => { void page.readMissed(); });

// Ringing
on("#accept", () => { void page.accept(); });
on("#decline", () => {
  page.set({ asksDecline: !model.asksDecline });
  if (model.asksDecline) focus("[data-decline]");
});
onEach("#decline-reasons", "decline", (why) => { void page.decline(why); });
on("#notify-allow", () => { void Notification.requestPermission().then(() => page.draw()); });

// In the call
on("#mute", () => media.setMuted(!media.muted));
const hold = (/** @type {boolean} */ held) => { void page.tell("session.hold", { epoch: model.view?.session?.epoch ?? 0, held }); };
on("#hold", () => hold(model.view?.session?.held_at === null));
on("#held-end", () => { hold(false); focus("#hold"); });
on("#saver", () => { void page.tell("media.saver", { saver: model.view?.session?.saver !== true }); });
on("#camera", () => { void media.setCamera(!(media.cameraOn && media.hasCamera)); });
on("#chat-toggle", () => { page.chatRead(); focus("#chat-text"); });
on("#recommend", () => {
  find("#recommendation", HTMLElement).scrollIntoView({ block: "start" });
  focus("#recommendation");
});
on("#end", () => { page.set({ asksEnd: true }); focus("#end-keep"); });
on("#end-keep", () => { page.set({ asksEnd: false }); focus("#end"); });
on("#end-confirm", () => { void page.end(); });
// Changing hands
const note = find("#handing-note", HTMLTextAreaElement);
on("#transfer", () => {
  page.set({ asksTransfer: !model.asksTransfer, asksRequeue: false, asksInvite: false });
  focus(model.asksTransfer ? "#handing-title" : "#transfer");
});
on("#handing-close", () => { page.set({ asksTransfer: false }); focus("#transfer"); });
on("#handing-anybody", () => { void page.askTransfer(null, note.value.trim()).then(() => { note.value = ""; focus("#handing-title"); }); });
onEach("#handing-colleagues", "to", (to) => { void page.askTransfer(to, note.value.trim()).then(() => { note.value = ""; focus("#handing-title"); }); });
onEach("#handing", "call-off", () => { void page.callOff(); });
on("#handing-ready", () => { void page.confirmTransfer(); });
on("#handing-accept", () => { void page.confirmTransfer(); });
on("#handing-join", () => page.joinSound());
on("#handing-take", () => { void page.takeTransfer(); });
on("#handing-again", () => { page.transferSeen(); page.set({ asksTransfer: true }); focus("#handing-title"); });
on("#handing-seen", () => { page.transferSeen(); focus("#transfer"); });
on("#requeue", () => { page.set({ asksRequeue: true }); focus("#requeue-keep"); });
on("#requeue-keep", () => { page.set({ asksRequeue: false }); focus("#requeue"); });
on("#requeue-confirm", () => { void page.requeue(find("#requeue-reason", HTMLSelectElement).value); });
on("#moved-close", () => { page.set({ moved: null }); focus("#main"); });
find("#company", HTMLElement).addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-party], [data-hold]") : null;
  if (!(button instanceof HTMLElement)) return;
  const { hold: guest, party, link } = button.dataset;
  if (guest) void page.tell("party.hold", { epoch: model.view?.session?.epoch ?? 0, party: guest, held: button.getAttribute("aria-pressed") !== "true" });
  else if (link) void page.takeBack(link); // a guest who was put out does not come back by the same link
  else if (party) void page.tell("party.remove", { epoch: model.view?.session?.epoch ?? 0, party });
});

// Guests
on("#add", () => {
  page.set({ asksInvite: !model.asksInvite, asksTransfer: false });
  focus(model.asksInvite ? "#invite-title" : "#add");
});
on("#invite-close", () => { page.set({ asksInvite: false, invited: null }); focus("#add"); });
onEach("#invite", "invite", (role) => { void page.invite(role); });
onEach("#invite-links", "takeback", (link) => { void page.takeBack(link); });
on("#invite-copy", () => {
  const input = find("#invite-url", HTMLInputElement);
  input.select();
  void navigator.clipboard?.writeText(input.value).then(() => { if (model.invited) page.set({ invited: { ...model.invited, copied: true } }); });
});

// Supervisors
find("#live-list", HTMLElement).addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  if (!(button instanceof HTMLElement)) return;
  const { listen, takeover, epoch } = button.dataset;
  if (listen) void page.listen(listen, Number(epoch), "listen");
  if (takeover) { page.set({ asksTakeOver: { session: takeover, epoch: Number(epoch) } }); focus("#take-over-keep"); }
});
on("#take-over-keep", () => { page.set({ asksTakeOver: null }); focus("#main"); });
on("#take-over-confirm", () => { void page.takeOver(); });
on("#listen-whisper", () => { void page.whisper.press().then(() => page.draw()); });
on("#listen-take-over", () => {
  const session = model.view?.session;
  if (session) { page.set({ asksTakeOver: { session: session.id, epoch: session.epoch } }); focus("#take-over-keep"); }
});
on("#listen-leave", () => { void page.tell("party.leave"); });

find("#chat-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const input = find("#chat-text", HTMLInputElement);
  const text = input.value.trim();
  if (!text) return;
  input.value = "";
  void page.tell("chat.send", { text }).then((sent) => { if (!sent && input.value === "") input.value = text; });
});
find("#chat", HTMLElement).addEventListener("focusin", () => page.chatRead());

// The record
find("#card-form", HTMLFormElement).addEventListener("submit", (event) => { event.preventDefault(); void page.sendCard(); });
find("#wrapup-form", HTMLFormElement).addEventListener("submit", (event) => { event.preventDefault(); void page.finish(); });

// A press anywhere lets sounds play from then on; before the first one a banner says that they are blocked.
for (const press of ["pointerdown", "keydown"]) {
  document.addEventListener(press, () => { if (!sounds.ready() || media.soundBlocked) page.unlock(); });
}
addEventListener("beforeunload", (event) => { if (page.unsaved) event.preventDefault(); });
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (model.asksRequeue) { page.set({ asksRequeue: false }); focus("#requeue"); }
  else if (model.asksTakeOver) { page.set({ asksTakeOver: null }); focus("#main"); }
  else if (model.asksTransfer) { page.set({ asksTransfer: false }); focus("#transfer"); }
  else if (model.asksInvite) { page.set({ asksInvite: false, invited: null }); focus("#add"); }
  else if (model.asksEnd) { page.set({ asksEnd: false }); focus("#end"); }
  else if (model.asksDecline) { page.set({ asksDecline: false }); focus("#decline"); }
});

page.watchSound();
page.line.start();
void page.countNotes();
setInterval(() => page.draw(), 500);
setTimeout(warm, 2000);
