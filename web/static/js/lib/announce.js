/**
 * What a screen reader hears: one polite and one assertive region for the whole page. Polite for status;
 * assertive only for what needs action now (an incoming call, a drop). The same text is not said twice
 * within a few seconds.
 */

const REPEAT_MS = 5000;

/** @typedef {{ region: HTMLElement, text: string, at: number }} Voice */
/** @type {Map<"polite" | "assertive", Voice>} */
const voices = new Map();

/**
 * @param {"polite" | "assertive"} manner
 * @returns {Voice}
 */
function voice(manner) {
  let found = voices.get(manner);
  if (!found) {
    const region = document.createElement("div");
    region.className = "visually-hidden";
    region.setAttribute("role", manner === "polite" ? "status" : "alert");
    region.setAttribute("aria-live", manner);
    region.dataset["announce"] = manner;
    document.body.append(region);
    found = { region, text: "", at: -Infinity };
    voices.set(manner, found);
  }
  return found;
}

/**
 * @param {"polite" | "assertive"} manner
 * @param {string} text
 */
function say(manner, text) {
  const to = voice(manner);
  const now = performance.now();
  if (text === to.text && now - to.at < REPEAT_MS) return;
  to.text = text;
  to.at = now;
  to.region.textContent = "";
  // A region must be seen empty first, or the same words again are not a change.
  setTimeout(() => { if (to.text === text) to.region.textContent = text; }, 50);
}

/**
 * For status: said when the reader is free.
 * @param {string} text
 */
export function polite(text) {
  say("polite", text);
}

/**
 * For what needs action now: interrupts.
 * @param {string} text
 */
export function assertive(text) {
  say("assertive", text);
}
