/** The button "use a passkey", where there is one: on the sign-in page, after the password, and to prove who one is. */

import { find, setText } from "../lib/dom.js";
import { obstacle, use, words } from "../lib/passkey.js";

const place = document.querySelector("#passkey");
if (place instanceof HTMLElement && obstacle() === null) {
  const button = find("#passkey-use", HTMLButtonElement, place);
  const problem = find("#passkey-error", HTMLElement, place);
  place.hidden = false;
  button.addEventListener("click", () => {
    button.disabled = true;
    problem.hidden = true;
    use(place.dataset["prove"] !== undefined, place.dataset["next"] ?? "")
      .then((answer) => location.assign(answer.next ?? "/"))
      .catch((error) => {
        problem.hidden = false;
        setText(problem, words(error));
        button.disabled = false;
      });
  });
}
