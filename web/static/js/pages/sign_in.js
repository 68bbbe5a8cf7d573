/** Sign-in works without this; it adds "show the password" and keeps a second press from a second try. */

import { find } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

const form = find("#sign-in", HTMLFormElement);
const password = find("#password", HTMLInputElement);
const show = find("#show-password", HTMLButtonElement);
const submit = find("button[type=submit]", HTMLButtonElement, form);

show.hidden = false;
show.addEventListener("click", () => {
  const shown = password.type === "text";
  password.type = shown ? "password" : "text";
  show.setAttribute("aria-pressed", String(!shown));
  password.focus();
});

const words = submit.textContent;
form.addEventListener("submit", () => {
  password.type = "password";
  submit.setAttribute("aria-disabled", "true");
  submit.textContent = t("common.sign_in.wait");
});
addEventListener("pageshow", () => {
  submit.removeAttribute("aria-disabled");
  submit.textContent = words;
});

const first = form.querySelector("[aria-invalid=true]");
if (first instanceof HTMLElement) first.focus();
