/**
 * The officer's own taps about the scene: kept in this page's memory and nowhere else, and on the record as soon as there is a session.
 * The overdose card works without any line at all.
 */

import { assertive } from "../lib/announce.js";
import { el, fill, find, findAll, setText } from "../lib/dom.js";
import { duration, timeOfDay } from "../lib/clock.js";
import { locale, plural, t } from "../lib/i18n.js";
import * as sounds from "../lib/sounds.js";
import { ACTIVITY, belongTo, clockOf, forgotten, given, givenBefore, offersCard, saidMore, stepOf } from "./scene_state.js";
import { openSession, outcomeFor, screenOf } from "./state.js";

/** @typedef {import("../lib/wire.js").Dose} Dose */
/** @typedef {import("../lib/wire.js").TabletView} TabletView */
/** @typedef {import("../lib/wire.js").SceneView} SceneView */
/** @typedef {{ line: import("../lib/socket.js").Line, changed: () => void, trouble: (error: unknown) => void }} Desk */

const html = HTMLElement;
const PRODUCTS = /** @type {const} */ (["nasal-4", "nasal-8", "injection", "unknown"]);
const GIVERS = /** @type {const} */ (["officer", "ems", "bystander", "unknown"]);
const RESPONSES = /** @type {const} */ (["awake", "drowsy", "none"]);

export class Scene {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {TabletView | null} */
    this.view = null;
    /** @type {string | null} the session that these answers are about */
    this.session = null;
    /** @type {SceneView["answers"]} */
    this.answers = {};
    /** @type {SceneView["activity"]} */
    this.activity = {};
    /** @type {readonly string[]} */
    this.passed = [];
    this.fresh = true; // nothing was tapped about this session on this page: what the server has is taken over
    /** @type {readonly Dose[]} */
    this.doses = [];
    /** @type {SceneView["response"]} */
    this.response = null;
    /** @type {string | null} the session on whose record the doses are */
    this.recorded = null;
    /** @type {number | null} when the card was tapped last */
    this.touched = null;
    /** @type {string | null} */
    this.said = null; // by the clock, so that each change of its words is heard once
    this.at = {
      card: find("#overdose", HTMLDialogElement), open: find("#overdose-open", html), running: find("#overdose-running", html),
      clock: find("#dose-clock", html), count: find("#dose-count", html), left: find("#dose-left", html), words: find("#dose-words", html), kept: find("#dose-kept", html),
      given: find("#dose-given", HTMLButtonElement), before: find("#dose-before", HTMLButtonElement), undo: find("#dose-undo", html), anew: find("#dose-anew", html),
      more: find("#dose-more", html), products: find("#dose-products", html), givers: find("#dose-givers", html), responses: find("#dose-responses", html),
      strip: find("#scene", html), asks: find("#scene-words", html), offers: find("#scene-answers", html), after: find("#after", html),
    };
    this.#listen();
  }

  #listen() {
    const { at } = this;
    at.open.addEventListener("click", () => this.showCard());
    find("#overdose-close", html).addEventListener("click", () => at.card.close());
    at.given.addEventListener("click", () => this.#tapped(given(this.doses, this.now), null));
    at.before.addEventListener("click", () => this.#tapped(givenBefore(this.doses), this.response));
    at.undo.addEventListener("click", () => { this.#tapped(this.doses.slice(0, -1), null); at.given.focus(); });
    at.anew.addEventListener("click", () => { this.#forget(); this.desk.changed(); at.given.focus(); });
    this.#each(at.products, "product", (code) => this.#tapped(saidMore(this.doses, { product: /** @type {Dose["product"]} */ (code) }), this.response));
    this.#each(at.givers, "giver", (code) => this.#tapped(saidMore(this.doses, { by: /** @type {Dose["by"]} */ (code) }), this.response));
    this.#each(at.responses, "response", (code) => this.#tapped(this.doses, this.response === code ? null : /** @type {SceneView["response"]} */ (code)));
    this.#each(at.offers, "said", (code) => this.#answered(code));
    this.#each(at.after, "activity", (code) => this.#after(Number(code)));
  }

  /** @param {HTMLElement} row @param {string} name @param {(code: string) => void} act */
  #each(row, name, act) {
    row.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest(`[data-${name}]`) : null;
      if (button instanceof HTMLElement) act(button.dataset[name] ?? "");
    });
  }

  get now() {
    return this.desk.line.serverNow();
  }

  showCard() {
    sounds.unlock().catch(() => undefined);
    if (!this.at.card.open) this.at.card.showModal();
    this.desk.changed();
  }

  // --- with the record ------------------------------------------------------------------------------

  /** Another snapshot of the server's. @param {TabletView} view */
  take(view) {
    const before = this.view;
    this.view = view;
    if (before?.officer && before.officer !== view.officer) this.#forget(); // the next officer's scene is another one
    const open = openSession(view);
    if (open && open.id !== this.session) this.#begins(open.id);
    const { session } = view;
    if (!session?.scene) return;
    if (open && this.fresh) Object.assign(this, { answers: session.scene.answers, activity: session.scene.activity });
    if (this.touched === null) this.#again(session.id, session.scene);
  }

  /** This page was loaded anew: the doses are where the server has them. @param {string} id @param {SceneView} scene */
  #again(id, { doses, response }) {
    const touched = Math.max(...doses.map((dose) => dose.at ?? this.now));
    if (doses.length > 0 && !forgotten(touched, this.now)) Object.assign(this, { doses, response, recorded: id, touched });
  }

  /** @param {string} id  of a session that this page has not seen */
  #begins(id) {
    Object.assign(this, { session: id, answers: {}, activity: {}, passed: [], fresh: true });
    if (this.recorded !== null && this.recorded !== id) this.#forget();
    if (this.recorded === null && belongTo(this.doses, this.now)) this.#tellDoses();
  }

  #forget() {
    Object.assign(this, { doses: [], response: null, recorded: null, touched: null, said: null });
  }

  #tellDoses() {
    const id = openSession(this.view)?.id ?? this.recorded;
    if (!id) return; // in memory, until there is one
    this.recorded = id;
    this.#tell("scene.overdose", { session: id, doses: this.doses, response: this.response });
  }

  /** @param {string} type @param {Record<string, unknown>} fields */
  #tell(type, fields) {
    this.desk.line.send(type, fields).catch(this.desk.trouble);
  }

  // --- taps -----------------------------------------------------------------------------------------

  /** @param {readonly Dose[]} doses @param {SceneView["response"]} response */
  #tapped(doses, response) {
    Object.assign(this, { doses, response, touched: this.now });
    this.#tellDoses();
    this.desk.changed();
  }

  /** A button of the strip. @param {string} code  "safe:yes", "skip:safe", "read:safe", "card:safe", "activity:4", "again:" */
  #answered(code) {
    const [what = "", value = ""] = code.split(":");
    this.fresh = false;
    if (what === "card") this.showCard();
    if (what === "card" || what === "read") this.passed = [...this.passed, `stop-${value}`];
    else if (what === "skip") this.passed = [...this.passed, value];
    else if (what === "again") Object.assign(this, { passed: [], answers: {}, activity: {} });
    else if (what === "activity") this.#rated("before", Number(value));
    else {
      this.answers = { ...this.answers, [what]: value };
      this.#tell("scene.tell", { session: this.session, answers: { [what]: value } });
    }
    this.desk.changed();
    if (what !== "card") this.at.offers.querySelector("button")?.focus();
  }

  /** @param {"before" | "after"} when @param {number} value */
  #rated(when, value) {
    this.activity = { ...this.activity, [when]: value };
    this.#tell("scene.tell", { session: this.session, activity: { [when]: value } });
  }

  /** How the person is afterwards: of the session whose outcome is asked. @param {number} value */
  #after(value) {
    const { after } = this.at;
    const id = after.dataset["session"];
    if (!id) return;
    const said = after.dataset["said"] === String(value) ? null : value;
    after.dataset["said"] = said === null ? "" : String(said);
    this.#tell("scene.tell", { session: id, activity: { after: said } });
    this.desk.changed();
  }

  /** Is naloxone on this session's record by the card? @param {string | null} session */
  gaveNaloxone(session) {
    return session !== null && this.recorded === session && this.doses.length > 0;
  }

  // --- what is shown --------------------------------------------------------------------------------

  /** @param {import("./state.js").Local} local @param {readonly string[]} tiles */
  draw(local, tiles) {
    const screen = screenOf(this.view, local);
    const person = screen === "handed-over" || screen === "give-back";
    if (person) this.#blank();
    if (openSession(this.view) === null && forgotten(this.touched, this.now)) this.#forget();
    this.#drawClock(person);
    if (this.at.card.open) this.#drawCard();
    if (screen === "connecting") this.#drawStrip(tiles);
    if (screen === "outcome") this.#drawAfter(this.view ? outcomeFor(this.view, local) : null);
  }

  /** The person must not find it, not even in the page's source. */
  #blank() {
    const { at } = this;
    if (at.card.open) at.card.close();
    for (const one of [at.clock, at.count, at.words, at.left, at.kept]) setText(one, "");
    for (const chip of findAll(".chip", HTMLButtonElement, at.more)) chip.setAttribute("aria-pressed", "false");
  }

  /** The clock of the doses: on the card, and on the button that opens it. @param {boolean} person */
  #drawClock(person) {
    const clock = clockOf(this.doses, this.response, this.now);
    this.at.running.hidden = person || clock.count === 0;
    setText(this.at.running, clock.count === 0 || person ? "" : `${plural("tablet.overdose.doses", clock.count)}${clock.since === null ? "" : ` · ${duration(clock.since)}`}`);
    if (clock.words === this.said) return;
    if (this.said === "wait" && clock.words === "due") {
      if (sounds.ready()) sounds.note();
      if (!person) assertive(t("tablet.overdose.words.due"));
    }
    this.said = clock.words;
  }

  #drawCard() {
    const { at } = this;
    const clock = clockOf(this.doses, this.response, this.now);
    const last = this.doses.at(-1);
    setText(at.clock, clock.since === null ? "" : duration(clock.since));
    setText(at.count, this.#howMany(clock));
    setText(at.words, t(`tablet.overdose.words.${clock.words}`, { until: clock.until === null ? "" : timeOfDay(clock.until, locale()) }));
    setText(at.left, clock.words === "wait" ? duration(clock.left) : "");
    find("#doses", html).dataset["state"] = clock.words;
    at.more.hidden = clock.count === 0;
    at.undo.hidden = clock.count === 0;
    at.anew.hidden = clock.count === 0 || openSession(this.view) !== null;
    at.given.disabled = at.before.disabled = clock.count >= 8;
    this.#chips(at.products, "product", PRODUCTS, last?.product);
    this.#chips(at.givers, "giver", GIVERS, last?.by);
    this.#chips(at.responses, "response", RESPONSES, this.response);
    setText(at.kept, clock.count === 0 ? "" : t(this.recorded === null ? "tablet.overdose.kept_here" : "tablet.overdose.kept"));
  }

  /** @param {ReturnType<typeof clockOf>} clock */
  #howMany({ count, since }) {
    if (count === 0) return t("tablet.overdose.no_dose");
    if (since === null) return plural("tablet.overdose.doses", count);
    return this.doses.every((dose) => dose.at !== null) ? plural("tablet.overdose.since", count) : t("tablet.overdose.since_timed", { count });
  }

  /** @param {HTMLElement} row @param {string} name @param {readonly string[]} codes @param {string | null | undefined} chosen */
  #chips(row, name, codes, chosen) {
    fill(row, name, () => codes.map((code) => el("button", { type: "button", class: "button chip", dataset: { [name]: code }, "aria-pressed": "false", text: t(`tablet.overdose.${name}.${code}`) })));
    for (const chip of findAll(`[data-${name}]`, HTMLButtonElement, row)) chip.setAttribute("aria-pressed", String(chip.dataset[name] === chosen));
  }

  /** One question at a time, while it rings. @param {readonly string[]} tiles */
  #drawStrip(tiles) {
    const { at } = this;
    const open = openSession(this.view);
    const asked = open !== null && !open.test && !tiles.includes("self"); // who calls for themselves knows
    at.strip.hidden = !asked;
    if (!asked) return;
    const step = stepOf(this, this.passed, tiles);
    const name = step.kind === "question" || step.kind === "stop" ? step.name : "";
    at.strip.dataset["step"] = step.kind;
    const told = Object.keys(this.answers).length > 0 || this.activity.before !== undefined;
    setText(at.asks, step.kind === "done" ? t(told ? "tablet.scene.done" : "tablet.scene.skipped") : t(step.kind === "activity" ? "tablet.scene.activity" : `tablet.scene.${step.kind}.${name}`));
    fill(at.offers, `${step.kind} ${name}`, () => {
      if (step.kind === "question") return [button(`${name}:yes`, t("tablet.scene.yes")), button(`${name}:no`, t("tablet.scene.no")), button(`skip:${name}`, t("tablet.scene.skip"), "button--quiet")];
      if (step.kind === "stop") return [...(offersCard(name) ? [button(`card:${name}`, t("tablet.overdose.card"), "button--primary")] : []), button(`read:${name}`, t("tablet.scene.next"))];
      if (step.kind === "activity") return [...ACTIVITY.map((value) => rating(value, "said", `activity:${value}`)), button("skip:activity", t("tablet.scene.skip"), "button--quiet")];
      return [button("again:", t("tablet.scene.again"), "button--quiet")];
    });
  }

  /** @param {string | null} session */
  #drawAfter(session) {
    const { after } = this.at;
    if (after.dataset["session"] !== (session ?? "")) {
      const said = this.view?.session?.id === session ? this.view?.session?.scene?.activity.after : undefined;
      Object.assign(after.dataset, { session: session ?? "", said: said === undefined ? "" : String(said) });
    }
    const hard = after.dataset["said"] === "1" || after.dataset["said"] === "2";
    setText(find("#after-words", html), t(hard ? "tablet.activity.sedated" : "tablet.activity.after"));
    const row = find("#after-ratings", html);
    fill(row, "ratings", () => ACTIVITY.map((value) => rating(value, "activity", String(value))));
    for (const one of findAll("[data-activity]", HTMLButtonElement, row)) one.setAttribute("aria-pressed", String(one.dataset["activity"] === after.dataset["said"]));
  }
}

/** @param {string} said @param {string} words @param {string} [more] */
function button(said, words, more = "") {
  return el("button", { type: "button", class: `button button--large ${more}`, dataset: { said }, text: words });
}

/** A step of BARS: its number, and what it looks like. @param {number} value @param {string} name @param {string} code */
function rating(value, name, code) {
  return el("button", { type: "button", class: "button rating", dataset: { [name]: code }, ...(name === "activity" ? { "aria-pressed": "false" } : {}) },
    el("strong", { text: String(value) }), el("span", { text: t(`tablet.activity.${value}`) }));
}
