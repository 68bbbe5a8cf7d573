/** One line that says whether what was typed is on the server. */

import { icon, setText, el } from "../lib/dom.js";
import { locale, t } from "../lib/i18n.js";
import { timeOfDay } from "../lib/clock.js";

/**
 * @param {HTMLElement} line
 * @param {{ state: "empty" | "saved" | "unsaved" | "saving" | "clash" | "waiting", words: string }} now
 */
export function showState(line, { state, words }) {
  if (line.dataset["state"] === state && line.dataset["words"] === words) return;
  line.dataset["state"] = state;
  line.dataset["words"] = words;
  const pictures = { empty: "", saved: "check", unsaved: "alert", saving: "wait", clash: "alert", waiting: "info" };
  line.replaceChildren(...(pictures[state] ? [icon(pictures[state])] : []), el("span", { text: words }));
}

/**
 * @param {import("./saver.js").Saver} saver
 * @param {string} why  the sentence of a refusal, or ""
 * @returns {{ state: "empty" | "saved" | "unsaved" | "saving" | "clash", words: string }}
 */
export function stateOf(saver, why) {
  const { form } = saver;
  if (form.clash) return { state: "clash", words: t("console.save.clash") };
  if (saver.error) return { state: "unsaved", words: why ? `${t("console.save.unsaved")}. ${why}` : t("console.save.unsaved") };
  if (form.flying && !saver.late) return { state: "saving", words: t("console.save.saving") };
  if (saver.unsaved) return { state: "unsaved", words: t("console.save.unsaved") };
  if (form.rev === 0 || form.savedAt === null) return { state: "empty", words: t("console.save.empty") };
  return { state: "saved", words: t("console.save.saved", { time: timeOfDay(form.savedAt, locale()) }) };
}

/**
 * Both versions of what clashes, and the choice.
 * @param {HTMLElement} box
 * @param {import("./autosave.js").Clash | null} clash
 * @param {(field: string, value: unknown) => { name: string, words: string }} describe
 * @param {(which: "mine" | "theirs") => void} choose
 */
export function showClash(box, clash, describe, choose) {
  const key = clash ? JSON.stringify(clash) : "";
  if (box.dataset["key"] === key) return;
  box.dataset["key"] = key;
  box.hidden = clash === null;
  if (!clash) return box.replaceChildren();
  const rows = Object.keys(clash.mine).map((field) => {
    const mine = describe(field, clash.mine[field]);
    const theirs = describe(field, clash.theirs[field]);
    return el("div", { class: "clash__row" }, el("dt", { text: mine.name }),
      el("dd", {}, el("span", { class: "muted", text: t("console.clash.theirs") }), " ", el("strong", { text: theirs.words })),
      el("dd", {}, el("span", { class: "muted", text: t("console.clash.mine") }), " ", el("strong", { text: mine.words })));
  });
  const words = el("p", { class: "banner__text" });
  setText(words, t("console.clash.words"));
  box.replaceChildren(words, el("dl", { class: "clash__list" }, ...rows), el("div", { class: "cluster cluster--tight" },
    el("button", { type: "button", class: "button", "data-clash": "theirs", onclick: () => choose("theirs"), text: t("console.clash.take_theirs") }),
    el("button", { type: "button", class: "button", "data-clash": "mine", onclick: () => choose("mine"), text: t("console.clash.keep_mine") })));
}
