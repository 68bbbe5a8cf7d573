/**
 * What the officer says of the scene by one tap each, and what the overdose card's clock says. Pure: no document, no clock.
 * Go or no-go is asked while it rings and never holds anything up: a "no" leads to what comes first, and the call goes on.
 */

import { QUESTIONS, SEDATED, STOPS } from "../lib/scene.js";

/** @typedef {import("../lib/wire.js").Dose} Dose */
/** @typedef {import("../lib/wire.js").SceneView} SceneView */
/** @typedef {{ kind: "question" | "stop", name: string } | { kind: "activity" } | { kind: "done" }} Step */

export const ACTIVITY = [1, 2, 3, 4, 5, 6, 7];
export const MOST_DOSES = 8;

const AGAIN_SECONDS = 120; // another dose two to three minutes after the last
const FADES_SECONDS = 90 * 60; // naloxone is over 30 to 90 minutes after it was given
const TOLD_SECONDS = 90 * 60; // doses from before a press are about the same person so long
const FORGET_SECONDS = 3 * 3600;

/**
 * What is asked, or advised, now: one thing at a time.
 * @param {Pick<SceneView, "answers" | "activity">} said
 * @param {readonly string[]} passed  questions that were skipped, and advice that was read
 * @param {readonly string[]} tiles  tapped
 * @returns {Step}
 */
export function stepOf({ answers, activity }, passed, tiles) {
  if (tiles.includes("overdose") && !passed.includes("stop-overdose")) return { kind: "stop", name: "overdose" };
  for (const name of QUESTIONS) {
    const answer = answers[name];
    if (answer === undefined && !passed.includes(name)) return { kind: "question", name };
    if (answer === STOPS[name] && !passed.includes(`stop-${name}`)) return { kind: "stop", name };
  }
  if (activity.before === undefined) return passed.includes("activity") ? { kind: "done" } : { kind: "activity" };
  if (activity.before <= SEDATED && !passed.includes("stop-sedated")) return { kind: "stop", name: "sedated" };
  return { kind: "done" };
}

/** Which advice has the overdose card on a button. @param {string} name */
export function offersCard(name) {
  return name === "overdose" || name === "medical" || name === "intoxicated" || name === "sedated";
}

/** @param {readonly Dose[]} doses */
function moments(doses) {
  return doses.map((dose) => dose.at).filter((at) => at !== null);
}

/**
 * What the card's clock says. `since`: the first dose whose time is known. `left`: until another dose may be given.
 * @param {readonly Dose[]} doses @param {SceneView["response"]} response @param {number} now
 * @returns {{ count: number, since: number | null, left: number, words: "none" | "wait" | "due" | "awake" | "unknown", until: number | null }}
 */
export function clockOf(doses, response, now) {
  const times = moments(doses);
  const last = times.length > 0 ? Math.max(...times) : null;
  const left = last === null ? 0 : Math.max(0, last + AGAIN_SECONDS - now);
  const words = doses.length === 0 ? "none" : response === "awake" ? "awake" : last === null ? "unknown" : left > 0 ? "wait" : "due";
  return { count: doses.length, since: times.length > 0 ? now - Math.min(...times) : null, left, words, until: last === null ? null : last + FADES_SECONDS };
}

/** Another dose: as the last one was, until somebody says otherwise. @param {readonly Dose[]} doses @param {number} now @returns {Dose[]} */
export function given(doses, now) {
  const last = doses.filter((dose) => dose.at !== null).at(-1);
  return doses.length < MOST_DOSES ? [...doses, { at: now, product: last?.product ?? "unknown", by: last?.by ?? "officer" }] : [...doses];
}

/** One that was given before the officer came, by nobody knows whom and when. @param {readonly Dose[]} doses @returns {Dose[]} */
export function givenBefore(doses) {
  return doses.length < MOST_DOSES ? [{ at: null, product: "unknown", by: "bystander" }, ...doses] : [...doses];
}

/** The last dose, said more closely. @param {readonly Dose[]} doses @param {Partial<Dose>} more @returns {Dose[]} */
export function saidMore(doses, more) {
  return doses.map((dose, at) => (at === doses.length - 1 ? { ...dose, ...more } : dose));
}

/**
 * Do doses that are on no record yet belong to the session that has just opened?
 * @param {readonly Dose[]} doses @param {number} now
 */
export function belongTo(doses, now) {
  const times = moments(doses);
  return doses.length > 0 && (times.length === 0 || now - Math.max(...times) < TOLD_SECONDS);
}

/** Nobody is at that scene any more. @param {number | null} touched  when the card was tapped last @param {number} now */
export function forgotten(touched, now) {
  return touched !== null && now - touched > FORGET_SECONDS;
}
