/**
 * Covers the page of somebody who is signed in when nobody is there (all tabs at once), and when the sign-in has run out. The page below
 * stays as it is, unseen and out of reach; its owner goes on where they were. A call is never covered, and a ring is heard through it.
 */

import * as absence from "../lib/absence.js";
import { boot, find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { obstacle, post, Refused, use, words } from "../lib/passkey.js";
import { every } from "../lib/ticker.js";

const LOOK_SECONDS = 5;
const ENDED = new Set(["not-signed-in", "login-revoked", "login-copied"]);
/** @type {import("../lib/dom.js").Boot & { cover: { idle: number, left: number } }} */
const { cover: given } = boot();
const dialog = find("#cover", HTMLDialogElement);
const problem = find("#cover-error", HTMLElement);
const ring = find("#cover-ring", HTMLElement);
const password = find("#cover-password", HTMLInputElement);
const code = find("#cover-code", HTMLInputElement);
const passkey = find("#cover-passkey", HTMLButtonElement);
/** @type {HTMLAnchorElement | null} */
const directory = document.querySelector("#cover-directory"); // of who signed in by one: in the place of the password
const submit = find("#cover-submit", HTMLButtonElement);
const tabs = new BroadcastChannel("crisisbridge-cover");
const pageTitle = document.title;

let presence = absence.begin(Date.now(), given.left); // the clock of the wall: it goes on while the machine sleeps
let told = Date.now(); // to the other tabs

/** @param {absence.Why} why */
function cover(why) {
  if (dialog.open) return;
  document.documentElement.dataset["covered"] = why;
  document.title = t("common.cover.title");
  setText(find("#cover-why", HTMLElement), t(why === "idle" ? "common.cover.idle" : "common.cover.expired"));
  find("#cover-code-field", HTMLElement).hidden = why === "idle" || directory !== null;
  password.value = code.value = "";
  problem.hidden = true;
  draw();
  dialog.showModal();
  (passkey.hidden ? directory ?? password : passkey).focus();
}

/** @param {number} left  seconds that the sign-in lasts */
function uncover(left) {
  presence = absence.begin(Date.now(), left);
  password.value = code.value = "";
  delete document.documentElement.dataset["covered"];
  document.title = pageTitle;
  dialog.close();
}

function draw() {
  ring.hidden = !absence.told().rings;
}

function look() {
  const found = absence.look(presence, Date.now(), { idle: given.idle, busy: absence.told().busy });
  presence = found.presence;
  if (found.covers !== null && !dialog.open) {
    cover(found.covers);
    if (found.covers === "idle") void post("/api/v1/cover", {}).catch(() => undefined); // by time the server covers, too
  }
  if (found.tell) {
    tabs.postMessage({ here: true });
    void sayHere();
  }
}

async function sayHere() {
  const response = await fetch("/api/v1/here", {
    method: "POST", body: "{}",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": boot().csrf, Accept: "application/json" },
  });
  if (response.status === 423 && !absence.told().busy) cover("idle"); // the machine slept, or another browser covered it
}

/** @param {Promise<{ left?: number }>} proof */
function proven(proof) {
  submit.disabled = passkey.disabled = true;
  problem.hidden = true;
  proof.then(({ left }) => {
    uncover(left ?? given.left);
    tabs.postMessage({ left: left ?? given.left });
  }).catch((error) => {
    if (error instanceof Refused && ENDED.has(error.code)) return location.assign("/sign-in");
    problem.hidden = false;
    setText(problem, words(error));
    find("#cover-code-field", HTMLElement).hidden = directory !== null;
  }).finally(() => { submit.disabled = passkey.disabled = false; });
}

passkey.hidden = obstacle() !== null;
passkey.addEventListener("click", () => proven(use(true, "")));
find("#cover-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  if (password.value) proven(post("/api/v1/prove", { password: password.value, code: code.value }));
});
find("#cover-out", HTMLButtonElement).addEventListener("click", () => {
  void fetch("/sign-out", { method: "POST", headers: { "X-CSRF-Token": boot().csrf } }).finally(() => location.assign("/sign-in"));
});
dialog.addEventListener("cancel", (event) => event.preventDefault());
dialog.addEventListener("close", () => { if (document.documentElement.dataset["covered"]) dialog.showModal(); }); // Chromium lets a second Escape through

function stirred() {
  if (dialog.open) return;
  const now = Date.now();
  presence = absence.stirred(presence, now);
  if (now - told < 5000) return;
  told = now;
  tabs.postMessage({ here: true });
}

for (const press of ["pointerdown", "keydown", "wheel"]) document.addEventListener(press, stirred, { passive: true });
let pointer = ""; // a page that moves below a still pointer makes such events, too: nobody is there
document.addEventListener("pointermove", ({ screenX, screenY }) => {
  const now = `${screenX},${screenY}`;
  if (pointer !== "" && now !== pointer) stirred();
  pointer = now;
}, { passive: true });
tabs.addEventListener("message", (/** @type {MessageEvent<{ here?: boolean, left?: number }>} */ { data }) => {
  if (data.left !== undefined) return dialog.open ? uncover(data.left) : undefined;
  if (!dialog.open) presence = absence.stirred(presence, Date.now());
});
document.addEventListener("visibilitychange", () => {
  look();
  if (document.visibilityState === "visible" && given.idle > 0 && !dialog.open) void sayHere().catch(() => undefined);
});
absence.listen(() => { look(); draw(); });
every(LOOK_SECONDS, look);
