/**
 * The person's safety plan: the secret stays in the address's fragment, so that the link works again tomorrow and no server's log has it.
 * Text only, as everywhere; printing is the browser's own, the PDF is made by the server.
 */

import { boot, el, find, findAll, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

/** @typedef {{ parts: { title: string, words: string }[], regional_line: string, resources: Help[], planned: { what: string, when: string }[], until: string }} Plan */

/** @typedef {{ name: string, kind: string, phone: string, text_line: string, address: string, website: string, hours: string, accepts: string }} Help */

const { csrf } = boot();
const status = find("#plan-status", HTMLElement);
const token = location.hash.slice(1);

/** @param {string} words */
function say(words) {
  setText(status, words);
  status.hidden = words === "";
}

/** @param {Plan} plan */
function show(plan) {
  say("");
  find("#plan-parts", HTMLElement).replaceChildren(...plan.parts.map(({ title, words }) =>
    el("li", { class: "stack stack--tight" }, el("h2", { text: title }), el("p", { class: "plan__words", text: words }))));
  const line = find("#plan-regional-line", HTMLAnchorElement);
  line.href = `tel:${dialled(plan.regional_line)}`;
  setText(line, t("plan.call_regional", { number: plan.regional_line }));
  find("#plan-regional", HTMLElement).hidden = plan.regional_line === "";
  find("#plan-resources", HTMLElement).hidden = plan.resources.length === 0;
  find("#plan-resources-list", HTMLElement).replaceChildren(...plan.resources.map(help));
  find("#plan-planned", HTMLElement).hidden = plan.planned.length === 0;
  find("#plan-planned-list", HTMLElement).replaceChildren(...plan.planned.map(({ what, when }) => el("li", { text: t("plan.planned.one", { what, when }) })));
  setText(find("#plan-until", HTMLElement), t("plan.until", { day: plan.until }));
  find("#plan-end", HTMLElement).hidden = false;
}

/** @param {string} number */
function dialled(number) {
  return number.replaceAll(/[^0-9+]/g, "");
}

/** @param {Help} one */
function help(one) {
  const web = /^https?:\/\//.test(one.website) ? el("a", { href: one.website, rel: "noreferrer", text: one.website }) : null;
  const lines = [
    one.phone ? el("a", { href: `tel:${dialled(one.phone)}`, text: one.phone }) : null,
    one.text_line ? el("a", { href: `sms:${dialled(one.text_line)}`, text: t("plan.resources.text", { number: one.text_line }) }) : null,
    ...[one.address, one.hours, one.accepts].map((words) => (words ? el("span", { text: words }) : null)), web,
  ];
  return el("li", { class: "plan__one" }, el("strong", { text: one.name }), el("span", { class: "small muted", text: one.kind }), ...lines);
}

/** @param {string} address */
function ask(address) {
  return fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf, Accept: "application/json" },
    body: JSON.stringify({ token }),
  });
}

/** The PDF comes by the same secret, and goes to the downloads. */
async function save() {
  const told = find("#plan-pdf-status", HTMLElement);
  setText(told, t("plan.pdf_making"));
  try {
    const response = await ask("/api/v1/plan.pdf");
    if (!response.ok) {
      /** @type {{ message?: string }} */
      const answer = await response.json();
      return setText(told, answer.message ?? t("common.network"));
    }
    const address = URL.createObjectURL(await response.blob());
    el("a", { href: address, download: "plan.pdf" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    setText(told, t("plan.pdf_made"));
  } catch {
    setText(told, t("common.network"));
  }
}

async function load() {
  if (!token) return say(t("plan.no_link"));
  try {
    const response = await ask("/api/v1/plan");
    /** @type {{ plan?: Plan, message?: string }} */
    const answer = await response.json();
    if (answer.plan) show(answer.plan);
    else say(answer.message ?? t("common.network"));
  } catch {
    say(t("common.network"));
  }
}

// The other language is another page: the secret goes along by hand, because a link has no fragment of its own.
for (const link of findAll(".languages a", HTMLAnchorElement)) link.hash = location.hash;
find("#plan-print", HTMLButtonElement).addEventListener("click", () => window.print());
find("#plan-pdf", HTMLButtonElement).addEventListener("click", () => void save());
addEventListener("hashchange", () => location.reload());
void load();
