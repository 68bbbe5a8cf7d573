/**
 * The console's controller: takes the server's snapshots, sends the clinician's commands, keeps what only this page knows, and
 * draws. What is shown is decided in the pure modules beside it; how it is written, in render.js and the views.
 */

import * as absence from "../lib/absence.js";
import { assertive, polite } from "../lib/announce.js";
import { find, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { Line, WireError } from "../lib/socket.js";
import * as sounds from "../lib/sounds.js";
import { Whisper } from "../lib/whisper.js";
import { CardView } from "./card.js";
import { sentence } from "./errors.js";
import { Forms } from "./forms.js";
import { ConsoleMedia } from "./media.js";
import * as offers from "./offers.js";
import { comesBack, mayEnd, REASON } from "./idle.js";
import { IdleEnd } from "./idle_end.js";
import { Preview } from "./preview.js";
import { Records } from "./records.js";
import { placeKey, wantsMedia } from "./parties.js";
import { render } from "./render.js";
import { Ringing } from "./ringing.js";
import { advised, liveSession, screenOf } from "./state.js";
import { Takeaway } from "./takeaway.js";
import { PersonForm } from "./person.js";
import { ConsentForm } from "./consent.js";
import { WrapupView } from "./wrapup.js";

/** @typedef {import("../lib/wire.js").ConsoleView} ConsoleView */
/** @typedef {import("../lib/wire.js").ConsoleSession} ConsoleSession */
/**
 * @typedef {{ instruments: import("./questionnaire.js").Questionnaire[], dispositions: string[], cardActions: string[],
 *   cardLevels: string[], flags: string[], opioid: string[], noFollowup: string[], followupKinds: string[], texts: boolean, relay: import("../lib/relay.js").Known }} ConsoleBoot
 */

const SIGN_IN = new Set(["not-signed-in", "login-expired", "login-revoked", "login-copied", "revoked", "signed-out"]);
const SAID_BY_SNAPSHOT = new Set(["closed", "illegal-transition"]);

export class Console {
  /** @param {import("../lib/dom.js").Boot & ConsoleBoot} given */
  constructor(given) {
    this.line = new Line({
      page: "console",
      url: given.ws,
      onMessage: (message) => this.#receive(message),
      onState: (state, info) => this.#lineIs(state, info),
      urgent: () => liveSession(this.model.view) !== null,
    });
    this.media = new ConsoleMedia({
      line: this.line, session: () => liveSession(this.model.view), relay: given.relay, changed: () => this.draw(),
    });
    this.ringing = new Ringing();
    // A reload or a closed lid in the middle of a word: what is typed goes out first.
    for (const leaving of ["beforeunload", "pagehide"]) window.addEventListener(leaving, () => { void this.records.flush(); });
    document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") void this.records.flush(); });
    this.idleEnd = new IdleEnd({
      watched: () => this.model.line === "open" ? mayEnd(this.model.view, offers.shown(this.model.offers, this.line.serverNow()) !== null) : null,
      end: () => { void this.setActivity("offline", REASON); },
    });
    this.preview = new Preview();
    this.whisper = new Whisper({
      microphone: this.media,
      tell: async (mode) => {
        const session = liveSession(this.model.view);
        return session !== null && this.listen(session.id, session.epoch, mode);
      },
    });
    this.records = new Records({
      line: this.line, versions: new Map(given.instruments.map((one) => [one.id, one.version])), actions: given.cardActions, session: () => this.model.view?.session ?? null, changed: () => this.draw(),
    });
    this.takeaway = new Takeaway({ csrf: given.csrf, texts: given.texts });
    this.forms = new Forms(given.instruments, this.records, () => this.draw());
    this.person = new PersonForm(() => this.records.person);
    this.consent = new ConsentForm(() => this.records.consent, (type, fields) => { void this.tell(type, { epoch: this.#epoch, ...fields }); });
    this.card = new CardView(given, () => this.records.card);
    this.wrapup = new WrapupView(given, () => this.line.serverNow(), () => this.records.wrapup);
    /** @type {import("./render.js").Model} */
    this.model = {
      view: null, offers: offers.NONE, line: "connecting", dismissed: null, retryAt: null, now: this.line.serverNow(), media: this.media, whisper: this.whisper,
      asksEnd: false, asksDecline: false, chatSeen: 0, problem: null, sending: false, finishing: false,
      asksTransfer: false, asksInvite: false, invited: null, asksRequeue: false, asksTakeOver: null, transferSeen: null, joined: null, handingOn: false, moved: null,
    };
  }

  draw() {
    const model = this.model;
    model.now = this.line.serverNow();
    this.idleEnd.look(); // first: its dialog must not lie over a ring
    const offer = offers.shown(model.offers, model.now);
    const before = document.documentElement.dataset["screen"];
    const after = screenOf(model.view, offer !== null);
    render(model, offer, after);
    this.ringing.follow(offer?.offer ?? null);
    const session = model.view?.session ?? null;
    absence.tell({ busy: session !== null && session.state !== "wrap_up", rings: offer !== null });
    if (session) {
      this.forms.draw(session.id);
      this.takeaway.draw(session, this.forms.open, this.records.form(this.forms.open)?.result ?? {});
      this.person.draw(session, this.records.why(this.records.person));
      this.consent.draw(session, this.records.why(this.records.consent));
      this.card.draw(session.card, { session: session.id, why: this.records.why(this.records.card), sending: model.sending, live: after === "call", writes: session.role === "lead" });
      readOnly(session.role !== "lead");
    }
    this.#drawWrapup(session);
    if (before !== after) this.#moved(before ?? "", after);
  }

  /** @param {ConsoleSession | null} session */
  #drawWrapup(session) {
    const mine = session?.state === "wrap_up" ? session : null;
    const view = this.model.view;
    this.wrapup.draw(mine && view ? {
      session: mine.id, me: view.me.id, owners: view.owners, facts: t("console.wrapup.facts", { agency: mine.agency, unit: mine.unit, code: mine.code }),
      advised: advised(mine, this.records.card?.values["disposition"]), why: this.records.why(this.records.wrapup), wellness: mine.intake.includes("self"),
    } : null);
    const typed = this.records.unsaved;
    setText(find("#wrapup-unsaved", HTMLElement), mine && typed ? t("console.wrapup.unsaved") : "");
    find("#wrapup-finish", HTMLButtonElement).setAttribute("aria-disabled", String(this.model.finishing));
  }

  /** The screen changed: the keyboard goes where the next step is, unless somebody is typing. @param {string} before @param {string} after */
  #moved(before, after) {
    if (after !== "idle") this.preview.close();
    if (after === "ringing") this.#focus("#accept");
    else if (after === "call" && before === "ringing") this.#focus("#mute");
    else if (after === "wrap_up" && before === "call") this.#focus("#wrapup-title");
    else if (after === "idle" && before !== "" && !(document.activeElement !== document.body && document.activeElement?.getClientRects().length)) find("#main", HTMLElement).focus(); // what had the focus is hidden: the browser takes it away a moment later
    if (after === "wrap_up" && before === "call") polite(t("console.wrapup.title"));
  }

  /** @param {string} selector */
  #focus(selector) {
    const now = document.activeElement;
    const typing = now instanceof HTMLTextAreaElement || (now instanceof HTMLInputElement && !["radio", "checkbox", "button"].includes(now.type));
    if (!typing || now.closest("[hidden]")) find(selector, HTMLElement).focus();
  }

  /** @param {Partial<import("./render.js").Model>} changes */
  set(changes) {
    Object.assign(this.model, changes);
    this.draw();
  }

  // --- what comes in --------------------------------------------------------------------------------

  /** @param {import("../lib/socket.js").LineState} state @param {import("../lib/socket.js").LineInfo} info */
  #lineIs(state, info) {
    if (state === "open") {
      this.media.tell();
      this.records.again();
    }
    if (info.final && info.reason !== "closed") this.media.follow(null); // sent away: nothing of ours stays open
    const retryAt = info.retryInMs === null ? null : performance.now() + info.retryInMs;
    this.set({ line: state, retryAt, dismissed: info.final && info.reason !== "closed" ? info.reason : null });
  }

  /** @param {import("../lib/wire.js").PageMessage} message */
  #receive(message) {
    const model = this.model;
    switch (message.type) {
      case "console":
        return this.#take(message);
      case "offer":
        model.offers = offers.rung(model.offers, message.offer, this.line.serverNow());
        this.#deliver();
        return this.draw();
      case "offer.gone":
        model.offers = offers.gone(model.offers, message, this.line.serverNow());
        return this.draw();
      case "session.moved":
        return this.#lostLead(message);
      case "media.rebuild":
        return this.media.rebuild();
      case "still":
        void this.media.takeStill(message);
        return;
      case "error":
        if (SIGN_IN.has(message.code)) {
          this.line.close();
          return this.set({ dismissed: message.code });
        }
        return this.trouble(new WireError(message.code, message.message));
      default:
    }
  }

  /** @param {ConsoleView} told */
  #take(told) {
    const model = this.model;
    // a covered page is told what rings, and nothing else: what it had stays as it was
    const view = told.covered && model.view ? { ...model.view, me: told.me, offers: told.offers } : told;
    const before = liveSession(model.view);
    model.view = view;
    const after = liveSession(view);
    model.offers = offers.snapshot(model.offers, view.offers, this.line.serverNow());
    this.#deliver();
    if (before?.id !== after?.id) {
      Object.assign(model, { asksEnd: false, asksTransfer: false, asksRequeue: false, chatSeen: after?.chat.at(-1)?.no ?? 0 });
      if (after?.role === "lead") model.moved = null;
    }
    if (model.joined !== null && (!after || after.role === "lead" || model.joined !== placeKey(after))) model.joined = null;
    this.records.take(view.session);
    this.media.follow(wantsMedia(after, model.joined) ? after : null);
    this.#followWhisper(after);
    this.#sayChange(before, after);
    if (comesBack(view.me)) void this.setActivity("available", null);
    this.draw();
  }

  /** Said at once: an offer that no page shows within 2 s goes to somebody else. */
  #deliver() {
    const { state, tell } = offers.deliver(this.model.offers);
    this.model.offers = state;
    for (const offer of tell) {
      this.model.asksDecline = false;
      this.line.send("offer.delivered", { offer }).catch(() => { /* gone meanwhile: offer.gone says so */ });
      const one = state.open.find((open) => open.offer === offer);
      if (one?.agency) assertive(t("console.offer.said", { agency: one.agency, unit: one.unit }));
    }
  }

  /** @param {ConsoleSession | null} before @param {ConsoleSession | null} after */
  #sayChange(before, after) {
    if (!before || !after || before.id !== after.id) return;
    if (after.state === "connected" && before.state === "answering") sounds.join();
    if (before.role !== "lead" && after.role === "lead") {
      sounds.join();
      assertive(t("console.handing.yours"));
    }
    if (before.peer.connected && !after.peer.connected) {
      sounds.drop();
      assertive(t("console.peer.reconnecting"));
    }
    if (before.phase !== after.phase) polite(t(`console.phase.${after.phase}`));
    const last = after.chat.at(-1);
    if (last?.sender === "officer" && last.no > (before.chat.at(-1)?.no ?? 0)) {
      sounds.note();
      polite(t("console.chat.came", { text: last.text }));
    }
    if (after.card.acknowledged_rev !== null && before.card.acknowledged_rev !== after.card.acknowledged_rev) polite(t("console.card.acknowledged.said"));
  }

  // --- what goes out --------------------------------------------------------------------------------

  /** Before the first call, not in it: whether a ring would be heard, now and whenever the browser changes its mind. */
  watchSound() {
    /** @type {boolean | null} */
    let heard = null;
    const look = () => {
      if (heard !== sounds.ready() && !sounds.ready()) assertive(t("console.sound.blocked"));
      heard = sounds.ready();
      this.draw();
    };
    sounds.watch(look);
    void sounds.unlock().then(look);
  }

  /** Sounds may be played from now on; to be called within a press. */
  unlock() {
    void sounds.unlock().then(() => this.draw());
    if (this.media.soundBlocked) void this.media.playSound();
  }

  /** @param {string} activity @param {string | null} reason */
  async setActivity(activity, reason) {
    try {
      await this.line.send("activity.set", { activity, reason });
      this.set({ problem: null });
    } catch (error) {
      this.trouble(error);
    }
  }

  /** The press on Accept. The devices open within it; the call never waits for them. */
  async accept() {
    const model = this.model;
    const offer = offers.shown(model.offers, this.line.serverNow());
    if (!offer) return;
    const next = offers.answer(model.offers, offer.offer, "accepting");
    if (next === model.offers) return;
    this.unlock();
    this.preview.close();
    this.set({ offers: next, problem: null });
    void this.line.suspect();
    try {
      const sent = this.line.send("offer.accept", { offer: offer.offer, token: offer.token });
      if (offer.purpose === "answer") {
        this.media.claim();
        this.media.capture({ camera: !offer.voice_only });
      }
      await sent;
    } catch (error) {
      this.media.release();
      this.#lost(offer.offer, error);
    }
  }

  /** @param {string} reason */
  async decline(reason) {
    const model = this.model;
    const offer = offers.shown(model.offers, this.line.serverNow());
    if (!offer) return;
    this.set({ offers: offers.answer(model.offers, offer.offer, "declining"), asksDecline: false });
    try {
      await this.line.send("offer.decline", { offer: offer.offer, token: offer.token, reason });
    } catch (error) {
      this.#lost(offer.offer, error);
    }
  }

  /** An answer came too late, or could not be given: never an error when somebody else is there. @param {string} offer @param {unknown} error */
  #lost(offer, error) {
    const model = this.model;
    const code = error instanceof WireError ? error.code : "";
    if (["offer-gone", "stale-token", "no-such-session", "not-found"].includes(code)) {
      this.set({ offers: offers.gone(model.offers, { offer, reason: "gone", by: null }, this.line.serverNow()) });
      return;
    }
    model.offers = offers.refused(model.offers, offer);
    this.trouble(error);
  }

  /** @param {string} type @param {Readonly<Record<string, unknown>>} [fields] */
  async tell(type, fields = {}) {
    const session = liveSession(this.model.view);
    if (!session) return false;
    try {
      await this.line.send(type, { session: session.id, ...fields });
      return true;
    } catch (error) {
      this.trouble(error);
      return false;
    }
  }

  // --- changing hands ---------------------------------------------------------------------------------

  /** We led this session; somebody else does now. What was typed and not saved is said, not lost in silence. @param {import("../lib/wire.js").SessionMoved} message */
  #lostLead({ how, by }) {
    const typed = this.records.unsaved;
    this.set({ moved: { how, by }, asksTransfer: false, ...(typed ? { problem: t("console.moved.unsaved") } : {}) });
    assertive(t(`console.moved.${how}`, { name: by ?? "" }));
  }

  /** The list of missed rings was read. */
  async readMissed() {
    const until = Math.max(0, ...(this.model.view?.missed ?? []).map((one) => one.at));
    try {
      await this.line.send("missed.read", { until });
    } catch (error) {
      this.trouble(error);
    }
  }

  /** A link for one guest; its secret is in this answer and nowhere else. @param {string} role */
  async invite(role) {
    const session = liveSession(this.model.view);
    if (!session) return;
    try {
      const made = await this.line.send("guest.invite", { session: session.id, epoch: session.epoch, role });
      const url = new URL(String(made["path"]), location.href).href;
      this.set({ invited: { link: String(made["link"]), role, url, copied: false }, problem: null });
    } catch (error) {
      this.trouble(error);
    }
  }

  /** @param {string} link */
  async takeBack(link) {
    await this.tell("guest.revoke", { epoch: this.#epoch, link });
  }

  /** @param {string | null} to @param {string} note */
  async askTransfer(to, note) {
    if (await this.tell("transfer.ask", { epoch: this.#epoch, to, note })) this.set({ asksTransfer: false, problem: null });
  }

  /** Ready, or not any more. The lead's words are saved first: afterwards they could not be. */
  async confirmTransfer() {
    const session = liveSession(this.model.view);
    const transfer = session?.transfer;
    if (!session || !transfer || this.model.handingOn) return;
    const lead = session.role === "lead";
    const ready = !(lead ? transfer.lead_ready : transfer.receiver_ready);
    this.set({ handingOn: true });
    try {
      if (lead && ready && !(await this.records.flush())) this.set({ problem: t("console.handing.unsaved") });
      else await this.tell("transfer.confirm", { epoch: session.epoch, ready });
    } finally {
      this.set({ handingOn: false });
    }
  }

  async callOff() {
    await this.tell("transfer.call_off", { epoch: this.#epoch });
  }

  /** The receiver is heard from now on. */
  joinSound() {
    const session = liveSession(this.model.view);
    if (!session) return;
    this.unlock();
    this.set({ joined: placeKey(session) });
    this.media.follow(session);
  }

  async takeTransfer() {
    this.unlock();
    await this.tell("transfer.take", { epoch: this.#epoch });
  }

  transferSeen() {
    const session = liveSession(this.model.view);
    if (session) this.set({ transferSeen: session.transfer?.id ?? null });
  }

  /** @param {string} reason */
  async requeue(reason) {
    this.set({ asksRequeue: false });
    if (!(await this.records.flush())) return this.set({ problem: t("console.handing.unsaved") });
    await this.tell("session.requeue", { epoch: this.#epoch, reason });
  }

  /** @param {string} session @param {number} epoch @param {import("../lib/whisper.js").Mode} mode @returns {Promise<boolean>} */
  async listen(session, epoch, mode) {
    this.unlock();
    this.media.claim();
    return this.#send("session.listen", { session, epoch, mode });
  }

  /** @param {ConsoleSession | null} session */
  #followWhisper(session) {
    const mine = session?.role === "supervisor" ? session.company.find(({ party }) => party === session.party) : undefined;
    if (mine && mine.mode !== "speak") this.whisper.follow(mine.mode);
    else this.whisper.forget();
  }

  async takeOver() {
    const asked = this.model.asksTakeOver;
    this.set({ asksTakeOver: null });
    if (!asked) return;
    this.unlock();
    this.media.claim();
    await this.#send("session.take_over", asked);
  }

  get #epoch() {
    return liveSession(this.model.view)?.epoch ?? 0;
  }

  /** @param {string} type @param {Readonly<Record<string, unknown>>} fields @returns {Promise<boolean>} whether it was done */
  async #send(type, fields) {
    try {
      await this.line.send(type, fields);
      return true;
    } catch (error) {
      this.trouble(error);
      return false;
    }
  }

  async end() {
    this.set({ asksEnd: false });
    await this.tell("session.end", { epoch: liveSession(this.model.view)?.epoch ?? 0 });
  }

  chatRead() {
    this.set({ chatSeen: liveSession(this.model.view)?.chat.at(-1)?.no ?? 0 });
  }

  async sendCard() {
    if (this.model.sending) return;
    this.set({ sending: true, problem: null });
    try {
      const sent = await this.records.send();
      if (sent === "missing") this.card.showMissing();
      else if (sent === "sent") polite(t("console.card.sent.said"));
    } finally {
      this.set({ sending: false });
    }
  }

  async finish() {
    if (this.model.finishing) return;
    const collected = this.wrapup.collect();
    const session = this.model.view?.session;
    if (!collected || !session) return;
    this.set({ finishing: true });
    try {
      if (!(await this.records.flush())) {
        this.wrapup.fail(t("console.wrapup.unsaved"));
        return;
      }
      await this.line.send("wrapup.finish", { session: session.id, epoch: session.epoch, ...collected });
      polite(t("console.wrapup.done"));
      void this.countNotes();
    } catch (error) {
      this.wrapup.fail(sentence(error));
    } finally {
      this.set({ finishing: false });
    }
  }

  /** How many notes wait for my signature, as a mark on the way to them. It is a help only: without an answer it stays as it was. */
  async countNotes() {
    try {
      const answer = await fetch("/api/v1/notes/waiting");
      if (!answer.ok) return;
      const { waiting } = /** @type {{ waiting: number }} */ (await answer.json());
      const mark = find("#notes-waiting", HTMLElement);
      mark.hidden = waiting === 0;
      setText(mark, waiting > 0 ? t("console.notes.waiting", { count: waiting }) : "");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // no line: the banner says so already
    }
  }

  /** Whether a reload would lose words. */
  get unsaved() {
    return this.records.unsaved;
  }

  /** @param {unknown} error */
  trouble(error) {
    if (error instanceof WireError && SAID_BY_SNAPSHOT.has(error.code)) return this.draw();
    this.set({ problem: sentence(error) });
  }
}

/** The record is read by whoever sits in, and written by the lead alone. @param {boolean} closed */
function readOnly(closed) {
  for (const selector of ["#questions", "#card-form"]) {
    for (const control of find(selector, HTMLFormElement).elements) {
      if ("disabled" in control && control.disabled !== closed && !(control instanceof HTMLFieldSetElement)) control.disabled = closed;
    }
  }
}
