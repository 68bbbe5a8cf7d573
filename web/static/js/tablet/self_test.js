/**
 * What a test call finds out beside its own picture and sound coming back: whether the microphone hears something, how much the line
 * carries upwards, whether the relay can be reached, and whether somebody hears the tablet. `judge` is pure; times in ms of one clock.
 */

import * as sounds from "../lib/sounds.js";
import { UPLINK_FAIR, UPLINK_POOR } from "../lib/quality.js";

/** @typedef {"waiting" | "ok" | "weak" | "failed"} Result */
/**
 * @typedef {object} Found
 * @property {number} level  of the microphone now, 0 to 1
 * @property {number} loudest  so far
 * @property {number | null} upload  bit/s; null: the browser does not say (yet)
 * @property {import("../lib/wire.js").PictureStep} step  how much picture the line carries
 * @property {boolean | null} relay  null: not known yet
 * @property {boolean} hasRelay  this server has one
 * @property {boolean | null} heard  as somebody said; null: not yet
 */

const LOUD = 0.02; // of full scale; a room without a voice stays below
const ENERGY = 0.001; // of full scale squared, times seconds: a word or two
const SILENT_MS = 15_000;
const UPLOAD_MS = 10_000; // a browser begins with 300 kbit/s on any line
const RELAY_MS = 6000;
const METER_MS = 100;

/** @type {Readonly<Found>} */
const NOTHING = { level: 0, loudest: 0, upload: null, step: "720p", relay: null, hasRelay: false, heard: null };

/**
 * @param {Found} found @param {number} passed  since the path was up, ms
 * @returns {{ microphone: Result, upload: Result, relay: Result | null, heard: Result }}  relay null: there is none
 */
export function judge({ loudest, upload, step, relay, hasRelay, heard }, passed) {
  const fast = upload === null ? passed >= UPLOAD_MS && step === "720p" : upload >= UPLINK_FAIR;
  return {
    microphone: loudest >= LOUD ? "ok" : passed > SILENT_MS ? "failed" : "waiting",
    upload: fast ? "ok" : passed < UPLOAD_MS ? "waiting" : (upload ?? UPLINK_POOR) >= UPLINK_POOR ? "weak" : "failed",
    relay: !hasRelay ? null : relay === null ? "waiting" : relay ? "ok" : "failed",
    heard: heard === null ? "waiting" : heard ? "ok" : "failed",
  };
}

export class SelfTest {
  /** @param {{ media: import("./media.js").TabletMedia, meter: HTMLMeterElement, changed: () => void, ended: (found: import("./report.js").Test) => void }} given */
  constructor(given) {
    this.given = given;
    /** @type {Found} */
    this.found = NOTHING;
    this.upAt = 0;
    /** @type {Result} whether picture and sound came back */
    this.came = "waiting";
    /** @type {MediaStreamAudioSourceNode | null} */
    this.ear = null;
    /** @type {AnalyserNode | null} */
    this.analyser = null;
    /** @type {MediaStream | null} */
    this.listening = null;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.timer = undefined;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.backTimer = undefined;
  }

  get results() {
    return judge(this.found, this.upAt === 0 ? 0 : performance.now() - this.upAt);
  }

  /** For as long as a test call runs. @param {boolean} wanted */
  want(wanted) {
    if (wanted === (this.timer !== undefined)) return;
    clearInterval(this.timer);
    clearInterval(this.backTimer);
    if (this.timer !== undefined) this.given.ended({ ...this.results, picture: this.came });
    this.timer = undefined;
    this.ear?.disconnect();
    this.ear = this.analyser = this.listening = null;
    this.upAt = 0;
    this.came = "waiting";
    this.found = NOTHING;
    if (!wanted) return;
    this.timer = setInterval(() => this.#look(), METER_MS);
    this.backTimer = setInterval(() => { void this.#hearBack(); }, 1000);
    void this.#tryRelay();
  }

  /** @param {boolean} heard */
  say(heard) {
    this.found = { ...this.found, heard };
    this.given.changed();
  }

  #look() {
    const { media, meter } = this.given;
    if (this.upAt === 0 && media.link === "up") this.upAt = performance.now();
    if (media.link === "up") this.came = "ok";
    else if (media.link === "refused" || media.blocked) this.came = "failed";
    const audio = sounds.unlocked();
    if (audio && media.stream && media.stream !== this.listening) this.#listen(audio, media.stream);
    const level = this.#level();
    this.found = { ...this.found, level, loudest: Math.max(this.found.loudest, level), upload: media.upload, step: media.step };
    meter.value = Math.min(1, 3 * level);
  }

  /** In the page's one context, which a press has unlocked: another one would stay silent in some browsers. @param {AudioContext} audio @param {MediaStream} stream */
  #listen(audio, stream) {
    this.listening = stream;
    if (stream.getAudioTracks().length === 0) return;
    this.ear?.disconnect();
    this.analyser = new AnalyserNode(audio, { fftSize: 1024 });
    this.ear = audio.createMediaStreamSource(stream);
    this.ear.connect(this.analyser);
  }

  #level() {
    if (!this.analyser) return 0;
    const samples = new Float32Array(this.analyser.fftSize);
    this.analyser.getFloatTimeDomainData(samples);
    return samples.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
  }

  /** What we said comes back from the bridge: the proof where a browser gives the page no sound to look at. */
  async #hearBack() {
    const report = await this.given.media.peer?.pc?.getStats();
    for (const { type, kind, totalAudioEnergy } of report?.values() ?? []) {
      if (type !== "inbound-rtp" || kind !== "audio" || typeof totalAudioEnergy !== "number") continue;
      if (totalAudioEnergy > ENERGY) this.found = { ...this.found, loudest: Math.max(this.found.loudest, LOUD) };
    }
  }

  /** A way through the relay alone, as a network that blocks everything else would leave it. */
  async #tryRelay() {
    const iceServers = await this.given.media.relay.fresh();
    if (this.timer === undefined || iceServers.length === 0) return;
    this.found = { ...this.found, hasRelay: true };
    const pc = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" });
    /** @type {Promise<boolean>} */
    const reached = new Promise((resolve) => {
      pc.addEventListener("icecandidate", ({ candidate }) => { if (candidate?.candidate.includes(" typ relay")) resolve(true); });
      setTimeout(() => resolve(false), RELAY_MS);
    });
    pc.addTransceiver("audio");
    await pc.setLocalDescription();
    const relay = await reached;
    pc.close();
    if (this.timer === undefined) return;
    this.found = { ...this.found, relay };
    this.given.changed();
  }
}
