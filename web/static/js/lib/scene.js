/** What go or no-go asks, and what the answers mean, for the tablet that asks and the console that reads. Pure. */

/** @typedef {import("./wire.js").Question} Question */

/** @type {readonly Question[]} */
export const QUESTIONS = ["safe", "medical", "intoxicated", "willing"];
/** The answer after which something else comes first. @type {Readonly<Record<Question, "yes" | "no">>} */
export const STOPS = { safe: "no", medical: "yes", intoxicated: "yes", willing: "no" };
export const SEDATED = 2; // BARS up to here: hard to wake
