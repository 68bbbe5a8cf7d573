/** Refusals in words. */

import { refusal } from "../lib/i18n.js";
import { WireError } from "../lib/socket.js";

/**
 * The sentence for a refusal: ours where there is one, else the server's.
 * @param {unknown} error
 * @returns {string}
 * @throws what is not a refusal
 */
export function sentence(error) {
  if (!(error instanceof WireError)) throw error;
  return refusal("console", error);
}
