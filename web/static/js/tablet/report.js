/**
 * What the tablet tells of itself for the manager's page: when it connects, when something changes, and what a self-test found.
 * Seldom and small. What is read from the browser's words is pure.
 */

import { keeping } from "../lib/device_key.js";
import { readiness } from "../lib/devices.js";
import { WireError } from "../lib/outbox.js";

/** @typedef {"ok" | "weak" | "failed" | "waiting"} Result */
/** @typedef {{ picture: Result, microphone: Result, upload: Result, heard: Result, relay: Result | null }} Test */
/** @typedef {"granted" | "denied" | "prompt" | "missing" | "unknown"} Ability */
/** @typedef {{ level: number, charging: boolean } & EventTarget} Battery  of the Battery Status API, which the DOM's types lack */

const EVERY_MS = 600_000; // the battery goes down slowly
const APART_MS = 6000; // the server takes one in five seconds

/**
 * Browser and system with their main version, from the words that browsers send anyway.
 * @param {string} words  navigator.userAgent
 * @param {number} [touches]  navigator.maxTouchPoints: an iPad calls itself a Mac
 */
export function browserOf(words, touches = 0) {
  /** @type {[string, RegExp][]} the more special ones first: each of them names the next as well */
  const browsers = [
    ["Edge", /\bEdg(?:A|iOS)?\/(\d+)/], ["Samsung Internet", /\bSamsungBrowser\/(\d+)/], ["Firefox", /\b(?:Firefox|FxiOS)\/(\d+)/],
    ["Chrome", /\b(?:(?:Headless)?Chrome|CriOS)\/(\d+)/], ["Safari", /\bVersion\/(\d+(?:\.\d+)?).*\bSafari\//],
  ];
  /** @type {[string, RegExp][]} */
  const systems = [
    ["iPadOS", /\biPad\b.*? OS (\d+(?:_\d+)?)/], ["iOS", /\biPhone OS (\d+(?:_\d+)?)/], ["Android", /\bAndroid (\d+)/],
    ["Windows", /\bWindows NT (\d+)/], ["ChromeOS", /\bCrOS\b/], [touches > 1 ? "iPadOS" : "macOS", /\bMacintosh\b/], ["Linux", /\bLinux\b/],
  ];
  /** @param {[string, RegExp][]} known */
  const first = (known) => {
    for (const [name, pattern] of known) {
      const found = pattern.exec(words);
      if (found) return [name, found[1]?.replace("_", ".")].filter(Boolean).join(" ");
    }
    return "";
  };
  return { browser: first(browsers), system: first(systems) };
}

/** @param {"camera" | "microphone"} name @param {boolean} there @returns {Promise<Ability>} */
async function ability(name, there) {
  try {
    const { state } = await navigator.permissions.query({ name: /** @type {PermissionName} */ (name) });
    return state === "denied" ? "denied" : there ? state : "missing";
  } catch {
    return there ? "unknown" : "missing"; // this browser does not say
  }
}

export class Reporter {
  /** @param {{ line: import("../lib/socket.js").Line, build: string }} given */
  constructor({ line, build }) {
    this.line = line;
    this.build = build;
    /** @type {Test | null} what a self-test found and the server does not have yet */
    this.test = null;
    /** @type {Battery | null} */
    this.battery = null;
    this.last = "";
    this.sentAt = -Infinity;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    void this.#watchBattery();
    setInterval(() => this.soon(), EVERY_MS);
  }

  /** Something may have changed: tell it before long, and nothing when it has not. */
  soon() {
    if (this.timer !== undefined) return;
    const wait = Math.max(1000, this.sentAt + APART_MS - performance.now());
    this.timer = setTimeout(() => { this.timer = undefined; void this.#tell(); }, wait);
  }

  /** The server may have another page's report, or none. */
  afresh() {
    this.last = "";
    this.soon();
  }

  /** A self-test has ended. @param {Test} found */
  tested(found) {
    this.test = found;
    this.soon();
  }

  async #watchBattery() {
    const { getBattery } = /** @type {{ getBattery?: () => Promise<Battery> }} */ (navigator);
    try {
      this.battery = await getBattery?.call(navigator) ?? null;
      this.battery?.addEventListener("chargingchange", () => this.soon());
    } catch { /* not for this page: the manager reads that the browser does not say */ }
  }

  async #tell() {
    if (!this.line.open) return; // it is told when the line is back
    const found = await readiness();
    const report = {
      ...browserOf(navigator.userAgent, navigator.maxTouchPoints), build: this.build,
      camera: await ability("camera", found.camera), microphone: await ability("microphone", found.microphone), storage: await keeping(),
      battery: this.battery === null ? null : Math.round(20 * this.battery.level) * 5, charging: this.battery?.charging ?? null,
    };
    const { test } = this;
    const text = JSON.stringify(report);
    if (text === this.last && test === null && performance.now() - this.sentAt < 6 * EVERY_MS) return;
    this.sentAt = performance.now();
    try {
      await this.line.send("device.report", { ...report, test });
      this.last = text;
      if (this.test === test) this.test = null;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (error.code === "too-many") this.soon();
    }
  }
}
