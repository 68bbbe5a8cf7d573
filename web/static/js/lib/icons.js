/**
 * Icons are masks which the style sheet loads when they first show. The tablet fetches them beforehand: "no network" must
 * not be the moment at which its icon cannot be loaded.
 */

const NAMES = [
  "alert", "backspace", "camera", "camera-off", "chat", "check", "close", "end", "flip", "handover", "info", "lock", "mic", "mic-off",
  "person", "phone", "send", "signal-fair", "signal-good", "signal-none", "signal-poor", "sound", "sound-off", "theme", "wait",
];

/** Bring all icons into the browser's cache; failures do not matter, every icon stands beside a word. */
export function warm() {
  for (const name of NAMES) {
    fetch(new URL(`../../icons/${name}.svg`, import.meta.url)).then((answer) => answer.blob()).catch(() => { /* as said above */ });
  }
}
