/** The clinician's console: wires the presses to console/console.js. */

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
    if (button instanceof HTMLElement) act(button.dataset[name] ?? "");
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
on("#take-here", () => media.takeHere());
on("#problem-close", () => { page.set({ problem: null }); focus("#main"); });
on("#theme", toggleTheme);

// My state
const reason = find("#pause-reason", HTMLSelectElement);
onEach(".activity", "activity", (activity) => { void page.setActivity(activity, activity === "paused" ? reason.value || null : null); });
reason.addEventListener("input", () => { void page.setActivity("paused", reason.value || null); });

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
on("#camera", () => { void media.setCamera(!(media.cameraOn && media.hasCamera)); });
on("#chat-toggle", () => { page.chatRead(); focus("#chat-text"); });
on("#recommend", () => {
  find("#recommendation", HTMLElement).scrollIntoView({ block: "start" });
  focus("#recommendation");
});
on("#end", () => { page.set({ asksEnd: true }); focus("#end-keep"); });
on("#end-keep", () => { page.set({ asksEnd: false }); focus("#end"); });
on("#end-confirm", () => { void page.end(); });
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
  if (model.asksEnd) { page.set({ asksEnd: false }); focus("#end"); }
  else if (model.asksDecline) { page.set({ asksDecline: false }); focus("#decline"); }
});

void sounds.unlock().then(() => page.draw());
page.line.start();
setInterval(() => page.draw(), 500);
setTimeout(warm, 2000);
