/** How to allow camera and microphone on this very device: a dialog with pictures, the right one open. */

import { find, findAll } from "./dom.js";

/** @typedef {"ipad" | "android" | "chromium" | "firefox" | "mac"} Device */

/**
 * Which of the instructions fits. iPads ask for desktop pages and say that they are Macs; a Mac has no touch screen.
 * @param {string} agent  navigator.userAgent @param {number} touches  navigator.maxTouchPoints
 * @returns {Device}
 */
export function deviceOf(agent, touches) {
  if (/iPad|iPhone/.test(agent) || (/Macintosh/.test(agent) && touches > 1)) return "ipad";
  if (/Firefox\//.test(agent) && !/Android/.test(agent)) return "firefox";
  if (/Android/.test(agent)) return "android";
  if (/Macintosh/.test(agent) && /Safari\//.test(agent) && !/Chrom(e|ium)\//.test(agent)) return "mac";
  return "chromium";
}

export class AllowHelp {
  /** @param {() => void} again  open the devices once more */
  constructor(again) {
    this.dialog = find("#allow-help", HTMLDialogElement);
    find("#allow-close", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    find("#allow-again", HTMLButtonElement).addEventListener("click", () => { this.dialog.close(); again(); });
    find("#device-help", HTMLButtonElement).addEventListener("click", () => this.show());
  }

  show() {
    const list = find("#allow-devices", HTMLElement);
    const mine = deviceOf(navigator.userAgent, navigator.maxTouchPoints);
    for (const device of findAll("[data-allow]", HTMLDetailsElement, list)) {
      device.open = device.dataset["allow"] === mine;
      if (device.open) list.prepend(device);
    }
    this.dialog.showModal();
    this.dialog.scrollTop = 0;
    this.dialog.focus();
  }
}

/** The help is offered where it helps: when the browser was told not to allow something. @param {readonly (string | null)[]} problems */
export function offerHelp(problems) {
  find("#device-help", HTMLButtonElement).hidden = !problems.includes("denied");
}
