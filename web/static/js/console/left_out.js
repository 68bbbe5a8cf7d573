/** What a long list does not show: the server sends the first rows only, and how many there are. */

import { find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

/** @param {string} id of the paragraph under the list @param {number} count */
export function leftOut(id, count) {
  const words = find(`#${id}`, HTMLElement);
  words.hidden = count <= 0;
  setText(words, count > 0 ? t("console.more", { count }) : "");
}
