/** The quality of a connection as one word, from two readings of getStats. Pure. */

import { carryingPair } from "./stats.js";

/** @typedef {import("./wire.js").Quality} Quality */
/**
 * @typedef {object} Reading
 * @property {number} at  ms, monotonic
 * @property {number} packets  received, all media
 * @property {number} lost
 * @property {number} framesDecoded
 * @property {number} videoPackets
 * @property {number | null} roundTrip  seconds
 * @property {number | null} uplink  bit/s which the browser believes it can send; null: unknown
 */

/** The limits of a national video service (see product.md): warn below the first, no picture below the second. */
export const UPLINK_FAIR = 330_000;
export const UPLINK_POOR = 180_000;

/**
 * @param {Reading} before
 * @param {Reading} now
 * @param {{ expectMedia: boolean, warm: boolean, slow: boolean }} context  expectMedia: the other side is there and sends;
 *   warm: the browser's estimate means something: the connection is up long enough, and a picture is sent that needs it;
 *   slow: the other side sends few pictures on purpose
 * @returns {Quality}
 */
export function judge(before, now, { expectMedia, warm, slow }) {
  const seconds = (now.at - before.at) / 1000;
  const packets = now.packets - before.packets;
  if (seconds <= 0 || packets < 0) return "good"; // a new connection began in between
  if (expectMedia && packets === 0) return "none";
  const lost = Math.max(0, now.lost - before.lost);
  const loss = packets + lost > 0 ? lost / (packets + lost) : 0;
  const picture = now.videoPackets > before.videoPackets;
  const frames = picture && !slow ? (now.framesDecoded - before.framesDecoded) / seconds : Infinity;
  const trip = now.roundTrip ?? 0;
  const uplink = warm ? (now.uplink ?? Infinity) : Infinity;
  if (loss > 0.08 || trip > 0.8 || frames < 5 || uplink < UPLINK_POOR) return "poor";
  if (loss > 0.025 || trip > 0.35 || frames < 12 || uplink < UPLINK_FAIR) return "fair";
  return "good";
}

/**
 * Take from a stats report what `judge` needs.
 * @param {Iterable<Readonly<Record<string, unknown>>>} report
 * @param {number} at
 * @returns {Reading}
 */
export function read(report, at) {
  /** @type {Reading} */
  const reading = { at, packets: 0, lost: 0, framesDecoded: 0, videoPackets: 0, roundTrip: null, uplink: null };
  /** @param {unknown} value */
  const number = (value) => (typeof value === "number" ? value : 0);
  const entries = [...report];
  for (const entry of entries) {
    if (entry["type"] === "inbound-rtp") {
      reading.packets += number(entry["packetsReceived"]);
      reading.lost += number(entry["packetsLost"]);
      if (entry["kind"] === "video") {
        reading.framesDecoded += number(entry["framesDecoded"]);
        reading.videoPackets += number(entry["packetsReceived"]);
      }
    }
  }
  const pair = carryingPair(entries);
  if (typeof pair?.["currentRoundTripTime"] === "number") reading.roundTrip = pair["currentRoundTripTime"];
  if (typeof pair?.["availableOutgoingBitrate"] === "number") reading.uplink = pair["availableOutgoingBitrate"];
  return reading;
}
