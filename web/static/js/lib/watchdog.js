/**
 * Notices what people do not: a picture that stands still while the sound goes on, a camera that gives no pictures any more, a
 * microphone that gives nothing at all. From one look at getStats a second. Pure; times in ms of one clock.
 */

/**
 * @typedef {object} Look
 * @property {number} shown  pictures of the other side decoded so far
 * @property {number | null} taken  pictures that our camera gave so far; null: the browser does not say
 * @property {number | null} energy  of the sound that our microphone gave so far; null: the browser does not say
 */
/** @typedef {{ value: number | null, since: number }} Clock  since: when it last moved, or was last not expected to */
/** @typedef {{ shown: Clock, taken: Clock, energy: Clock }} Watch */
/** @typedef {{ picture: boolean, camera: boolean, microphone: boolean }} Expected  what should move now */
/** @typedef {{ frozen: boolean, cameraStuck: boolean, microphoneDead: boolean }} Found */

export const FROZEN_MS = 2500; // people notice a still face after that; ICE takes 7 s
export const STUCK_MS = 4000;
export const DEAD_MS = 15_000; // a quiet room still has noise; a muted or unplugged microphone has none

/** @type {Readonly<Found>} */
export const FINE = { frozen: false, cameraStuck: false, microphoneDead: false };

/** @param {number} now @returns {Watch} */
export function begin(now) {
  const fresh = { value: null, since: now };
  return { shown: fresh, taken: fresh, energy: fresh };
}

/** @param {Clock} clock @param {number | null} value @param {number} now @param {boolean} expected @returns {Clock} */
function moved(clock, value, now, expected) {
  return !expected || value === null || value !== clock.value ? { value, since: now } : clock;
}

/**
 * @param {Watch} watch @param {Look} look @param {number} now @param {Expected} expected
 * @returns {{ watch: Watch, found: Found }}
 */
export function see(watch, look, now, expected) {
  const next = {
    shown: moved(watch.shown, look.shown, now, expected.picture),
    taken: moved(watch.taken, look.taken, now, expected.camera),
    energy: moved(watch.energy, look.energy, now, expected.microphone),
  };
  const found = {
    frozen: now - next.shown.since >= FROZEN_MS, cameraStuck: now - next.taken.since >= STUCK_MS, microphoneDead: now - next.energy.since >= DEAD_MS,
  };
  return { watch: next, found };
}

/**
 * Pictures decoded so far, by the section in which they come; where the browser names none, there is nothing to say.
 * @param {Iterable<Readonly<Record<string, unknown>>>} report @returns {Map<string, number>}
 */
export function decodedBy(report) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const { type, kind, mid, framesDecoded } of report) {
    if (type === "inbound-rtp" && kind === "video" && typeof mid === "string" && typeof framesDecoded === "number") found.set(mid, framesDecoded);
  }
  return found;
}

/** Since when each picture stands where it is. @param {ReadonlyMap<string, Clock>} before @param {ReadonlyMap<string, number>} decoded @param {number} now @returns {Map<string, Clock>} */
export function clocks(before, decoded, now) {
  return new Map([...decoded].map(([mid, frames]) => [mid, moved(before.get(mid) ?? { value: null, since: now }, frames, now, true)]));
}

/**
 * Take from a stats report what the watch needs.
 * @param {Iterable<Readonly<Record<string, unknown>>>} report
 * @param {string | null} mid  the section of the other side's picture; further parties have others
 * @returns {Look}
 */
export function read(report, mid) {
  /** @type {Look} */
  const look = { shown: 0, taken: null, energy: null };
  for (const entry of report) {
    const { type, kind, framesDecoded, frames, totalAudioEnergy } = entry;
    const first = mid === null || entry["mid"] === undefined || entry["mid"] === mid;
    if (type === "inbound-rtp" && kind === "video" && first && typeof framesDecoded === "number") look.shown += framesDecoded;
    else if (type === "media-source" && kind === "video" && typeof frames === "number") look.taken = frames;
    else if (type === "media-source" && kind === "audio" && typeof totalAudioEnergy === "number") look.energy = totalAudioEnergy;
  }
  return look;
}
