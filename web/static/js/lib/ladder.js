/**
 * How much picture a line carries: the steps of one session, down quickly and up slowly, sound before picture. Each page climbs for
 * what it sends itself, by its browser's own estimate, into which the bridge's caps for the other side's line have gone. Pure; times in
 * ms of one clock, rates in bit/s of sound and picture together.
 *
 * The thresholds follow a national video service (product.md): a warning under 330 kbit/s, no moving picture under 180 kbit/s on
 * its own; here 5 pictures a second are sent for as long as they take nothing from the voice.
 */

import { carryingPair, goesByRelay } from "./stats.js";

/** @typedef {import("./wire.js").PictureStep} Step */
/**
 * @typedef {object} Look
 * @property {boolean} up  our leg has a path, and something comes back on it
 * @property {number | null} uplink  what the browser believes it can send; null: it does not say
 * @property {number | null} loss  share of our packets that got lost, by the bridge's reports; null: no report since the last look
 * @property {number | null} trip  seconds there and back
 * @property {number | null} [sent]  bit/s that we have sent since the last look
 */
/**
 * @typedef {object} Ladder
 * @property {Step} step
 * @property {number} since  when it was taken
 * @property {number} judged  from when on the estimate means something
 * @property {number} exact  from when on it is the whole truth
 * @property {number} settled  from when on loss does: the first report after a cut is about the cut
 * @property {number} loss  smoothed: one report of a thin line is about few packets
 * @property {number | null} sent  bit/s, smoothed
 * @property {number | null} shortest  trip there and back, seconds: about the way without a queue
 * @property {number | null} cut  since when there is no path at all
 * @property {number | null} worse  since when this step is too much
 * @property {number | null} best  estimate since then: one that has just fallen often comes back half way
 * @property {number | null} better  since when there is room for the next one
 * @property {number} wait  how long there must be room
 * @property {boolean} climbed  this step was reached from below
 */
/** @typedef {{ lines: number, frames: number, bitrate: number }} Picture  height of the picture, per second, bit/s at most */

/** @type {readonly Step[]} the best first */
export const STEPS = ["720p", "360p", "180p", "stills", "voice", "phone"];

/** @type {Readonly<Partial<Record<Step, Picture>>>} what is sent as a moving picture */
export const PICTURES = {
  "720p": { lines: 720, frames: 30, bitrate: 1_200_000 },
  "360p": { lines: 360, frames: 24, bitrate: 500_000 },
  "180p": { lines: 180, frames: 5, bitrate: 80_000 },
};

/** @type {Readonly<Partial<Record<Step, number>>>} bit/s of our sound at most, where it is not the browser's own choice: a voice is as clear, and a thin line has it whole */
export const SOUNDS = { "180p": 24_000, stills: 20_000, voice: 16_000, phone: 16_000 };

const SOUND = 60_000; // Opus at 32 kbit/s, fifty packets a second with their headers
/** @type {Readonly<Record<Step, number>>} below this a step is too much */
const HOLD = { "720p": 450_000, "360p": 200_000, "180p": 45_000, stills: 0, voice: 0, phone: 0 };
/** @type {Readonly<Record<Step, number>>} what leads from above to a step, and not further down */
const FITS = { ...HOLD, "180p": 65_000 };
const SMOOTHING = 3; // reports
const SURE = 1.3; // as much more than a step needs leaves room for noise
const HEAVY_LOSS = 0.12; // 5 % is repaired without a trace, and is no reason to take a picture away
const LIGHT_LOSS = 0.08;
const NO_VOICE_LOSS = 0.4;
const LONG_TRIP = 1.5;
// A line is full when packets wait before it. What small pictures add to a voice no estimate tells: it takes half a minute to grow.
const QUEUE = 0.1; // seconds that a trip takes longer than the shortest one
const LONG_QUEUE = 0.2;
const FULL_LOSS = 0.05;
const DRIFT = 0.004; // seconds a look: a new path may be longer for good

export const WARM_MS = 8000; // the estimate begins at 300 kbit/s whatever the line is
export const EXACT_MS = 25_000; // and may take that long to grow on a line that is wide enough
export const SETTLE_MS = 3000;
export const DOWN_MS = 3000;
export const SEVERE_MS = 1500;
export const PHONE_MS = 10_000;
export const UP_MS = 10_000;
export const SLOWEST_MS = 120_000;
const PROBATION_MS = 30_000;

/** @param {number} now @returns {Ladder} */
export function begin(now) {
  return { step: "720p", since: now, judged: now + WARM_MS, exact: now + EXACT_MS, settled: now + SETTLE_MS, loss: 0, sent: null, shortest: null, cut: null, worse: null, best: null, better: null, wait: UP_MS, climbed: false };
}

/** @param {Step} one @param {Step} other @returns {Step} the one with less */
export function lesser(one, other) {
  return STEPS.indexOf(one) > STEPS.indexOf(other) ? one : other;
}

/** Where we are now. A path that is gone for long leads to the phone, and back to the same step: it says nothing of how wide the line is. @param {Ladder} ladder @param {number} now @returns {Step} */
export function stepOf({ step, cut }, now) {
  return cut !== null && now - cut >= PHONE_MS ? "phone" : step;
}

/**
 * One look a second. After so long a cut the line may be another one: falls from before it do not count.
 * @param {Ladder} ladder @param {Look} look @param {number} now
 * @returns {Ladder}
 */
export function climb(ladder, look, now) {
  if (!look.up) return { ...ladder, cut: ladder.cut ?? now, worse: null, better: null };
  if (ladder.cut !== null) return anew(now - ladder.cut >= PHONE_MS ? { ...ladder, wait: UP_MS, climbed: false } : ladder, now);
  const loss = now < ladder.settled ? 0 : (smoothed(ladder.loss, look.loss) ?? 0);
  const shortest = look.trip === null || ladder.shortest === null ? (look.trip ?? ladder.shortest) : Math.min(look.trip, ladder.shortest + DRIFT);
  const sent = smoothed(ladder.sent, look.sent ?? null);
  return judge({ ...ladder, loss, shortest, sent }, look, now);
}

/** @param {number | null} before @param {number | null} now */
function smoothed(before, now) {
  return before === null || now === null ? (now ?? before) : before + (now - before) / SMOOTHING;
}

/** @param {Ladder} ladder @param {Look} look @param {number} now @returns {Ladder} */
function judge(ladder, look, now) {
  const worse = tooMuch(ladder, look, now) ? (ladder.worse ?? now) : null;
  const best = worse === null ? null : greater(look.uplink, ladder.worse === null ? null : ladder.best);
  const better = worse === null && hasRoom(ladder, look) ? (ladder.better ?? now) : null;
  const proven = ladder.climbed && now - ladder.since > PROBATION_MS ? { wait: UP_MS, climbed: false } : {};
  const seen = { ...ladder, ...proven, worse, best, better };
  if (worse !== null && now - worse >= patience(seen, look)) return down(seen, now);
  if (better !== null && now - better >= (certain(ladder, look) ? UP_MS : seen.wait)) {
    // without a moving picture the estimate stood still, and has to grow first
    const exact = PICTURES[seen.step] ? seen.exact : now + EXACT_MS;
    return { ...to(seen, above(seen.step), now), climbed: true, judged: now + WARM_MS, exact };
  }
  return seen;
}

/** Of what was said; null: nothing. @param {number | null} one @param {number | null} other */
function greater(one, other) {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}

/** Nothing is known of the path yet, or nothing any more. @param {Ladder} ladder @param {number} now @returns {Ladder} */
export function anew(ladder, now) {
  return { ...ladder, judged: now + WARM_MS, exact: now + EXACT_MS, settled: now + SETTLE_MS, loss: 0, shortest: null, cut: null, worse: null, better: null };
}

/** @param {Ladder} ladder @param {Look} look @param {number} now */
function tooMuch(ladder, look, now) {
  const { step, judged, exact, settled, loss } = ladder;
  const { uplink, trip } = look;
  if (step === "phone" || now < settled) return false;
  if (step === "voice") return loss > NO_VOICE_LOSS;
  if (step === "180p" && strained(ladder, look)) return true;
  const needed = now >= exact ? HOLD[step] : now >= judged ? HOLD[step] / 2 : 0;
  return (uplink !== null && uplink < needed) || loss > HEAVY_LOSS || (trip ?? 0) > LONG_TRIP;
}

/** How long packets wait before the line, seconds. @param {Ladder} ladder @param {Look} look */
function queued({ shortest }, { trip }) {
  return trip === null || shortest === null ? 0 : trip - shortest;
}

/** The smallest moving picture takes from the voice. @param {Ladder} ladder @param {Look} look */
function strained(ladder, look) {
  const queue = queued(ladder, look);
  return queue > LONG_QUEUE || (queue > QUEUE && ladder.loss > FULL_LOSS);
}

/** @param {Ladder} ladder @param {Look} look */
function patience(ladder, look) {
  const { step, loss } = ladder;
  if (step === "voice") return PHONE_MS;
  // An estimate alone is no hurry: the browser sends less by itself at once. Where the sound suffers, it is.
  const suffers = loss > 2 * HEAVY_LOSS || (look.trip ?? 0) > LONG_TRIP || (step === "180p" && loss > FULL_LOSS && strained(ladder, look));
  return suffers ? SEVERE_MS : DOWN_MS;
}

/** @param {Ladder} ladder @param {Look} look */
function hasRoom(ladder, look) {
  const { step, loss } = ladder;
  const { uplink, trip } = look;
  if (step === "720p") return false;
  if (step === "phone") return loss < NO_VOICE_LOSS / 2;
  if (loss > LIGHT_LOSS || (trip ?? 0) > LONG_TRIP / 2) return false;
  if (step === "stills" && loss > FULL_LOSS && strained(ladder, look)) return false; // it has not even room for these
  const picture = PICTURES[step];
  if (!picture || uplink === null) return true; // there is no estimate worth the name
  // It cannot grow beyond half as much again as what is sent, which of a quiet scene is little: whether the next step holds is only
  // known by trying, and each try that fails doubles the wait for the next.
  const most = SOUND + picture.bitrate;
  return uplink >= SURE * Math.min(HOLD[above(step)], ladder.sent ?? most, most);
}

/** The estimate itself is enough for the next step: nothing has to be tried. @param {Ladder} ladder @param {Look} look */
function certain({ step }, { uplink }) {
  return PICTURES[step] !== undefined && uplink !== null && uplink >= SURE * HOLD[above(step)];
}

/** @param {Step} step @returns {Step} */
function above(step) {
  return STEPS[Math.max(0, STEPS.indexOf(step) - 1)] ?? step;
}

/** To the best step that fits, at least one down. @param {Ladder} ladder @param {number} now @returns {Ladder} */
function down(ladder, now) {
  const { best } = ladder;
  const failed = ladder.climbed && now - ladder.since <= PROBATION_MS;
  const wait = failed ? Math.min(2 * ladder.wait, SLOWEST_MS) : ladder.wait;
  const lower = STEPS.slice(STEPS.indexOf(ladder.step) + 1);
  const step = lower.find((one) => best === null || best >= FITS[one]) ?? "phone";
  // what a try that failed, or a moving picture, has left in the line says nothing of what comes after it
  const settling = failed || (PICTURES[ladder.step] && !PICTURES[step]) ? { settled: now + SETTLE_MS, loss: 0 } : {};
  return { ...to(ladder, step, now), wait, ...settling };
}

/** @param {Ladder} ladder @param {Step} step @param {number} now @returns {Ladder} */
function to(ladder, step, now) {
  return { ...ladder, step, since: now, worse: null, better: null, climbed: false };
}

/**
 * What our own side should know of what it sends, as a key of the page's texts; null: nothing worth saying.
 * @param {Step} step @param {{ saver: boolean, picture: boolean, stills: boolean }} now  picture: the camera is on; stills: they arrive
 */
export function sentWords(step, { saver, picture, stills }) {
  if (step === "720p" || (!picture && step !== "phone")) return null;
  if (step === "phone" && picture && stills) return "common.sent.phone_stills";
  return step === "stills" && saver ? "common.sent.saver" : `common.sent.${step}`;
}

/**
 * Take from a stats report what the ladder needs.
 * @param {Iterable<Readonly<Record<string, unknown>>>} report
 * @param {number} before  `reported` of the last look
 * @returns {Omit<Look, "up" | "sent"> & { path: string | null, relayed: boolean, heard: number, told: number, reported: number }}  path: a name
 *   of the pair that carries, which is another one when either address is; heard: bytes that have come back on it; told: that have gone; reported: when the
 *   bridge's last report came. What it says of loss counts once: the next one may be lost itself, and then this one stands here for long.
 */
export function read(report, before = 0) {
  /** @type {ReturnType<typeof read>} */
  const look = { uplink: null, loss: null, trip: null, path: null, relayed: false, heard: 0, told: 0, reported: before };
  const entries = [...report];
  const pair = carryingPair(entries);
  if (typeof pair?.["id"] === "string") look.path = pair["id"];
  look.relayed = goesByRelay(entries, pair);
  if (typeof pair?.["bytesReceived"] === "number") look.heard = pair["bytesReceived"];
  if (typeof pair?.["bytesSent"] === "number") look.told = pair["bytesSent"];
  if (typeof pair?.["availableOutgoingBitrate"] === "number") look.uplink = pair["availableOutgoingBitrate"];
  for (const { type, timestamp, fractionLost, roundTripTime } of entries) {
    if (type !== "remote-inbound-rtp") continue;
    const at = typeof timestamp === "number" ? timestamp : before + 1;
    if (typeof fractionLost === "number" && at > before) look.loss = Math.max(look.loss ?? 0, fractionLost);
    if (typeof roundTripTime === "number") look.trip = Math.max(look.trip ?? 0, roundTripTime);
    look.reported = Math.max(look.reported, at);
  }
  return look;
}
