/** Adds a passkey; all else on this page works without a script. */

import { find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { add, obstacle, words } from "../lib/passkey.js";

const form = document.querySelector("#passkey-add");
if (form instanceof HTMLFormElement) {
  const name = find("#passkey-name", HTMLInputElement);
  const submit = find("#passkey-submit", HTMLButtonElement);
  const problem = find("#passkey-error", HTMLElement);
  const why = obstacle();
  /** @param {string} said */
  const tell = (said) => { problem.hidden = false; setText(problem, said); };
  if (why !== null) tell(t(`common.passkey.${why}`));
  submit.disabled = why !== null;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit.disabled = true;
    problem.hidden = true;
    add(name.value)
      .then((answer) => location.assign(answer.next ?? "/account"))
      .catch((error) => { tell(words(error)); submit.disabled = false; });
  });
}
