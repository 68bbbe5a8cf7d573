/** What the officer at the scene has tapped, beside the video: what stands in the way first, then how the person is, then naloxone. */

import { el, fill, find } from "../lib/dom.js";
import { timeOfDay } from "../lib/clock.js";
import { locale, plural, t } from "../lib/i18n.js";
import { QUESTIONS, SEDATED, STOPS } from "../lib/scene.js";

/** @typedef {import("../lib/wire.js").SceneView} SceneView */
/** @typedef {{ words: string, tone: "alert" | "wait" | "ok" | "plain" }} Said */

const CALM = 4;

/** @param {SceneView | null} scene @returns {Said[]} */
export function sceneWords(scene) {
  if (!scene) return [];
  const { answers, activity, doses, response } = scene;
  /** @type {Said[]} */
  const said = QUESTIONS.filter((name) => answers[name] === STOPS[name]).map((name) => ({ words: t(`console.scene.${name}`), tone: name === "willing" ? "wait" : "alert" }));
  if (said.length === 0 && QUESTIONS.every((name) => answers[name] !== undefined)) said.push({ words: t("console.scene.go"), tone: "ok" });
  for (const when of /** @type {const} */ (["before", "after"])) {
    const value = activity[when];
    if (value === undefined) continue;
    const words = t("console.scene.rating", { value, words: t(`console.scene.activity.${value}`) });
    said.push({ words: t(`console.scene.${when}`, { words }), tone: value <= SEDATED ? "alert" : value > CALM ? "wait" : "plain" });
  }
  if (doses.length > 0) said.push({ words: plural("console.scene.doses", doses.length, { doses: doses.map(doseWords).join("; ") }), tone: "alert" });
  if (response) said.push({ words: t(`console.scene.response.${response}`), tone: response === "none" ? "alert" : response === "drowsy" ? "wait" : "plain" });
  return said;
}

/**
 * Go or no-go in one line, for who is rung and has not answered yet; null: nothing was told.
 * @param {Pick<import("../lib/wire.js").OfferView, "scene" | "stops">} offer @returns {Said | null}
 */
export function signWords({ scene, stops }) {
  if (scene === null) return null;
  if (scene === "go") return { words: t("console.offer.go"), tone: "ok" };
  if (scene === "open") return { words: t("console.offer.open"), tone: "plain" };
  const what = stops.map((name) => t(`console.scene.${name}`)).join("; ");
  return { words: what ? t("console.offer.stop.why", { what }) : t("console.offer.stop"), tone: "alert" };
}

/** @param {import("../lib/wire.js").Dose} dose */
function doseWords({ at, product, by }) {
  const giver = t(`console.scene.by.${by}`);
  return at === null ? t("console.scene.dose.untimed", { by: giver }) : t("console.scene.dose", { time: timeOfDay(at, locale()), product: t(`console.scene.product.${product}`), by: giver });
}

/** @param {SceneView | null} scene */
export function drawScene(scene) {
  const said = sceneWords(scene);
  const row = find("#from-scene", HTMLElement);
  row.hidden = said.length === 0;
  fill(row, JSON.stringify(said), () => said.map(({ words, tone }) => el("li", { class: `badge badge--${tone}`, text: words })));
}
