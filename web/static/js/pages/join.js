/** A guest's door: takes the secret out of the address at once, asks for a name, and spends the link by a press. */

import { boot, find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

const { csrf } = boot();
const form = find("#join", HTMLFormElement);
const name = find("#name", HTMLInputElement);
const submit = find("#join-submit", HTMLButtonElement);
const problem = find("#join-error", HTMLElement);
let token = "";

/** @param {string} words */
function refuse(words) {
  problem.hidden = words === "";
  setText(problem, words);
}

function readAddress() {
  if (location.hash.length < 2) return;
  token = location.hash.slice(1);
  history.replaceState(null, "", location.pathname); // not in the history, not over a shoulder
  refuse("");
  submit.disabled = false;
}

async function enter() {
  submit.disabled = true;
  refuse("");
  try {
    const response = await fetch("/api/v1/join", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf, Accept: "application/json" },
      body: JSON.stringify({ token, name: name.value }),
    });
    /** @type {{ message?: string }} */
    const answer = await response.json();
    if (response.ok) return location.replace("/guest");
    refuse(answer.message ?? t("common.network"));
  } catch {
    refuse(t("common.network"));
  }
  submit.disabled = false;
}

form.addEventListener("submit", (event) => { event.preventDefault(); void enter(); });
addEventListener("hashchange", readAddress);
readAddress();
if (!token) {
  submit.disabled = true;
  refuse(t("guest.join.no_link"));
}
