/**
 * The tablet's controller: takes the server's snapshots, sends the officer's commands, keeps what only this page knows,
 * and draws. What is shown is decided in state.js; how it is written, in render.js.
 */

import { assertive } from "../lib/announce.js";
import { DeviceKey } from "../lib/device_key.js";
import { find } from "../lib/dom.js";
import { refusal, t } from "../lib/i18n.js";
import { Line, WireError, randomKey } from "../lib/socket.js";
import * as sounds from "../lib/sounds.js";
import { WakeLock } from "../lib/wake_lock.js";
import { TabletMedia } from "./media.js";
import { PinPad } from "./pin.js";
import { keepFocus, render } from "./render.js";
import { Reporter } from "./report.js";
import { Scene } from "./scene.js";
import { SelfTest } from "./self_test.js";
import { SignSheet } from "./sign.js";
import { FRESH, differs, openSession, outcomeFor, toggleTile } from "./state.js";
import { MAX_TILES } from "./vocabulary.js";

/** @typedef {import("../lib/wire.js").PageMessage} PageMessage */
/** @typedef {import("../lib/wire.js").TabletView} TabletView */
/** @typedef {import("../lib/wire.js").TabletSession} TabletSession */
/**
 * @typedef {{ agency: string, unit: string, regionalLine: string, providerLine: string,
 *   keyByCode: boolean, build: string, languages: string[], otherwise: string[], bodyCamera: string[], flags: string[], relay: import("../lib/relay.js").Known }} TabletBoot
 */

const HOLD_TONE_SECONDS = 60;
const AGAIN_MS = 1000; // between tries of a press that the server could not write down
const LATER = "tablet.later"; // survives a reload of this page, not more
const CHOSEN = "chosen-outcome"; // "session disposition flags", while its reason is asked: a reload asks it again
const NOT_OURS = new Set(["not-enrolled", "not-signed-in", "tablet-revoked", "revoked", "login-expired", "wrong-role"]);
const AWAY = "record-away";
const SAID_BY_SNAPSHOT = new Set(["closed", "illegal-transition", "stale-epoch"]);

/** What was tapped as the outcome of which session before this page was loaded. */
function kept() {
  const [session, chosen, flags = ""] = sessionStorage.getItem(CHOSEN)?.split(" ") ?? [];
  return session && chosen ? { session, chosen, flags: flags.split(",").filter(Boolean) } : null;
}

export class Tablet {
  /** @param {import("../lib/dom.js").Boot & TabletBoot} given */
  constructor(given) {
    this.given = given;
    this.pin = new PinPad();
    this.wakeLock = new WakeLock();
    this.key = new DeviceKey();
    this.line = new Line({
      page: "tablet",
      prove: (challenge, stream) => this.key.prove(challenge, stream),
      url: given.ws,
      onMessage: (message) => this.#receive(message),
      onState: (state, info) => this.#lineIs(state, info),
      urgent: () => this.session !== null || this.model.local.press !== null,
    });
    this.media = new TabletMedia({
      line: this.line, session: () => this.session, relay: given.relay, changed: () => this.draw(),
    });
    this.selfTest = new SelfTest({ media: this.media, meter: find("#test-level", HTMLMeterElement), changed: () => this.draw(), ended: (found) => this.report.tested(found) });
    this.sign = new SignSheet((answer) => this.#signed(answer));
    this.scene = new Scene({ line: this.line, changed: () => this.draw(), trouble: (error) => this.trouble(error) });
    this.report = new Reporter({ line: this.line, build: given.build });
    /** @type {import("./render.js").Model} */
    this.model = {
      view: null, local: { ...FRESH, later: sessionStorage.getItem(LATER), chosen: kept()?.chosen ?? null, flags: kept()?.flags ?? [] }, line: "connecting", dismissed: null, given, media: this.media, selfTest: this.selfTest,
      now: this.line.serverNow(), tiles: [], asksCancel: false, asksEnd: false, chatOpen: false, chatSeen: 0,
      devices: { camera: true, microphone: true }, came: null, problem: null, officers: null,
    };
    /** @type {(() => void) | null} */
    this.stopRingback = null;
    /** @type {number | null} the minute of the hold for which the tone was heard */
    this.toned = null;
    /** @type {string | null} the session whose flag of naloxone was tapped by itself */
    this.flagged = null;
    /** @type {() => void} what the page does when the session changes: close what belonged to the old one */
    this.onSession = () => {};
  }

  /** @returns {TabletSession | null} the one that goes on */
  get session() {
    return openSession(this.model.view);
  }

  draw() {
    this.model.now = this.line.serverNow();
    this.selfTest.want(this.session?.test === true);
    const had = document.activeElement;
    render(this.model);
    this.sign.draw(this.session?.consent ?? null);
    this.scene.draw(this.model.local, this.model.tiles);
    keepFocus(had);
    this.#ringback();
    this.#holdTone();
  }

  /** @param {Partial<import("./render.js").Model>} changes */
  set(changes) {
    Object.assign(this.model, changes);
    this.draw();
  }

  /** @param {Partial<import("./state.js").Local>} changes */
  know(changes) {
    if (changes.chosen !== undefined) this.#keep(changes.chosen);
    this.set({ local: { ...this.model.local, ...changes } });
  }

  /** A reload asks for the reason again, not for what happened. @param {string | null} chosen */
  #keep(chosen) {
    const { view, local } = this.model;
    const session = view ? outcomeFor(view, local) : null;
    if (chosen !== null && session !== null) sessionStorage.setItem(CHOSEN, `${session} ${chosen} ${local.flags.join(",")}`);
    else sessionStorage.removeItem(CHOSEN);
  }

  // --- what comes in --------------------------------------------------------------------------------

  /** @param {import("../lib/socket.js").LineState} state @param {import("../lib/socket.js").LineInfo} info */
  #lineIs(state, info) {
    if (state === "open") {
      this.media.tell();
      void this.media.relay.fresh(); // before it is needed
      void this.#whoMayCheckOut();
      void this.key.mend();
      this.report.afresh();
    }
    if (info.final && info.reason !== "closed") { // sent away: another window has the call, or nobody
      this.media.stop();
      this.wakeLock.release();
    }
    this.set({ line: state, dismissed: info.final && info.reason !== "closed" ? info.reason : null });
  }

  /** Names are for a tablet that has proved itself, so they are not in the page. */
  async #whoMayCheckOut() {
    try {
      const { officers } = await this.line.send("shift.officers");
      this.set({ officers: /** @type {{ id: string, name: string }[]} */ (officers) });
    } catch (error) {
      this.trouble(error);
    }
  }

  /**
   * The server takes this browser for another device. Its store may have been slow to answer, or the answer to a set-up never
   * came: those are tried again. Else the key is lost, and the screen says so long before a press.
   */
  async #keyNeeded() {
    this.line.close();
    const slow = this.key.pair === null && await this.key.load();
    if (slow || await this.key.promote().catch(() => false)) {
      location.reload();
      return;
    }
    this.media.stop();
    this.know({ keyLost: true, press: null });
    find("#key-title", HTMLElement).focus();
  }

  /** @param {PageMessage} message */
  #receive(message) {
    if (message.type === "tablet") this.#take(message);
    else if (message.type === "media.rebuild") this.media.rebuild();
    else if (message.type === "still") void this.media.takeStill(message);
    else if (message.type === "error" && message.code === "tablet-key-needed") void this.#keyNeeded();
    else if (message.type === "error" && NOT_OURS.has(message.code)) {
      this.line.close();
      location.assign("/enrol");
    } else if (message.type === "error" && message.code !== AWAY) this.trouble(new WireError(message.code, message.message));
  }

  /** @param {TabletView} view */
  #take(view) {
    const model = this.model;
    const before = this.session;
    model.view = view;
    const after = this.session;
    this.scene.take(view);
    if (after?.id !== before?.id) this.#another(after);
    if (model.local.chosen !== null && kept()?.session !== outcomeFor(view, model.local)) model.local = { ...model.local, chosen: null };
    if (after) {
      model.local = { ...model.local, press: null, clinician: after.clinician ?? model.local.clinician };
      this.wakeLock.hold();
    } else this.wakeLock.release();
    const person = after?.phase === "handed_over";
    if (person) Object.assign(model, { asksEnd: false, chatOpen: false });
    if (person || after?.id !== before?.id) this.onSession();
    if (!person && before?.phase === "handed_over") this.pin.close();
    if (model.chatOpen) model.chatSeen = after?.chat.at(-1)?.no ?? model.chatSeen;
    this.media.follow(after);
    this.#sayChange(before, after);
    this.#naloxone(view);
    this.draw();
  }

  /** What the overdose card says is tapped already, once, when it is asked what happened. @param {TabletView} view */
  #naloxone(view) {
    const { local } = this.model;
    const owed = outcomeFor(view, local);
    if (owed === this.flagged || !this.scene.gaveNaloxone(owed)) return;
    this.flagged = owed;
    if (!local.flags.includes("naloxone_given")) this.model.local = { ...local, flags: [...local.flags, "naloxone_given"] };
  }

  /** Another session than before, or none: forget what belonged to the old one. @param {TabletSession | null} after */
  #another(after) {
    const model = this.model;
    const pressed = model.local.press !== null;
    const asksCancel = model.asksCancel && pressed && after !== null; // it was asked of this very press, a moment ago
    Object.assign(model, { asksCancel, asksEnd: false, chatOpen: false, chatSeen: 0, came: null, tiles: after?.intake ?? [] });
    model.local = { ...model.local, clinician: after?.clinician ?? null, chosen: null, flags: [], recordOwed: false };
    if (after) model.problem = null;
    // "Voice only" was tapped before the session was known.
    if (after && pressed && !this.media.cameraOn && !after.voice_only) void this.tell("session.voice", { voice_only: true });
  }

  /** @param {TabletSession | null} before @param {TabletSession | null} after */
  #sayChange(before, after) {
    if (!before || !after || before.id !== after.id) return;
    const name = after.clinician ?? this.model.local.clinician ?? t("tablet.clinician");
    if (after.state === "connected" && before.state !== "connected") sounds.join();
    const another = before.clinician !== null && after.clinician !== null && before.clinician !== after.clinician;
    if (another && before.state !== "waiting") {
      this.model.came = { name, at: this.line.serverNow() };
      sounds.join();
    } else if (before.state === "connected" && (after.state === "recovering" || after.state === "waiting")) {
      sounds.drop();
      assertive(t(after.handed_back ? "tablet.status.handed_back" : "tablet.status.requeued", { name }));
    }
    const last = after.chat.at(-1);
    const texted = last?.sender === "clinician" && last.no > (before.chat.at(-1)?.no ?? 0);
    if (texted || (after.card && after.card.rev !== before.card?.rev)) sounds.note();
  }

  /** Heard while somebody is alerted and until somebody answers; never in a test, never by the person. */
  #ringback() {
    const session = this.session;
    const wanted = session?.state === "waiting" && session.phase !== "handed_over" && !session.test
      && (session.requeued || session.step !== "call-instead") && sounds.ready() && this.model.dismissed === null;
    if (wanted) this.stopRingback ??= sounds.ringback();
    else {
      this.stopRingback?.();
      this.stopRingback = null;
    }
  }

  /** Once when the hold begins, then each minute, so that nobody takes the silence for the end. */
  #holdTone() {
    const since = this.session?.held_at ?? null;
    const minute = since === null ? null : Math.floor((this.model.now - since) / HOLD_TONE_SECONDS);
    if (minute !== null && minute !== this.toned && sounds.ready() && this.model.dismissed === null) sounds.waiting();
    this.toned = minute;
  }

  // --- what goes out --------------------------------------------------------------------------------

  /**
   * The press. The session first: it must exist before the camera is up. All that needs a press happens within it.
   * @param {boolean} test
   */
  press(test) {
    if (this.model.local.press) return;
    const pressed = { key: randomKey(), test, at: this.line.serverNow() };
    void this.line.suspect();
    const sent = this.#open(pressed);
    this.unlock();
    this.wakeLock.hold();
    this.media.capture({ camera: true });
    this.model.problem = null;
    this.know({ press: pressed });
    this.#made(pressed, sent);
  }

  /** @param {import("./state.js").Press} press */
  #open({ key, test }) {
    return this.line.send("session.open", { key, voice_only: false, test });
  }

  /**
   * No press is lost while the server's record is away: it stays, and is tried again until it is taken back.
   * @param {import("./state.js").Press} press @param {Promise<unknown>} sent
   */
  #made(press, sent) {
    sent.catch((error) => {
      const held = () => this.model.local.press?.key === press.key;
      if (error instanceof WireError && error.code === AWAY) {
        if (held()) this.know({ press: { ...press, away: true } });
        setTimeout(() => { if (held()) this.#made(press, this.#open(press)); }, AGAIN_MS);
        return;
      }
      this.know({ press: null });
      if (!this.session) this.media.stop();
      this.trouble(error);
    });
  }

  /** Sounds may be played from now on; to be called within a press. */
  unlock() {
    void sounds.unlock().then(() => this.draw());
    this.media.unlock();
  }

  /** @param {"cancelled_by_officer" | "moved_to_phone"} reason */
  async cancel(reason) {
    const pressed = this.model.local.press;
    this.set({ asksCancel: false });
    try {
      // Not yet in a snapshot: the same press again only asks which session it made.
      const made = !this.session && pressed
        ? await this.line.send("session.open", { key: pressed.key, voice_only: false, test: pressed.test }) : null;
      const id = this.session?.id ?? (made ? String(made["session"]) : null);
      if (id) await this.line.send("session.cancel", { session: id, reason });
      this.know({ press: null });
    } catch (error) {
      if (error instanceof WireError && error.code === AWAY && !this.session) this.#takeBack();
      else this.trouble(error);
    }
  }

  /** A press that is not written down yet; if it was, unheard, the next snapshot shows its session. */
  #takeBack() {
    this.media.stop();
    this.know({ press: null });
  }

  /** A press on Cancel: a test ends at once, a session asks first. @returns {boolean} whether it asks */
  asksBeforeCancel() {
    const test = this.session?.test ?? this.model.local.press?.test ?? false;
    if (test) void this.cancel("cancelled_by_officer");
    else this.set({ asksCancel: true });
    return !test;
  }

  /**
   * A command about the open session.
   * @param {string} type
   * @param {Readonly<Record<string, unknown>>} [fields]
   */
  async tell(type, fields = {}) {
    const session = this.session;
    if (!session) return;
    try {
      await this.line.send(type, { session: session.id, ...fields });
    } catch (error) {
      this.trouble(error);
    }
  }

  /** As `tell`, for commands that are fenced by the assignment. @param {string} type */
  tellFenced(type) {
    return this.tell(type, { epoch: this.session?.epoch ?? 0 });
  }

  /** @param {string} code */
  tapTile(code) {
    this.set({ tiles: toggleTile(this.model.tiles, code, MAX_TILES) });
    void this.tell("session.intake", { tiles: this.model.tiles });
  }

  toggleVoice() {
    const voice = this.media.cameraOn;
    void this.media.setCamera(!voice);
    void this.tell("session.voice", { voice_only: voice });
  }

  /** At most still pictures, both ways; or whatever the line carries. */
  toggleSaver() {
    void this.tell("media.saver", { saver: this.session?.saver !== true });
  }

  /** @param {boolean} open */
  showChat(open) {
    this.set({ chatOpen: open, chatSeen: this.session?.chat.at(-1)?.no ?? 0 });
  }

  /** @param {string} text */
  chat(text) {
    if (text.trim()) void this.tell("chat.send", { text: text.trim() });
  }

  acknowledge() {
    const session = this.model.view?.session;
    if (!session?.card) return;
    const mark = `${session.id}:${session.card.rev}`;
    this.know({ acknowledged: [...this.model.local.acknowledged, mark] });
    this.line.send("card.acknowledge", { session: session.id, rev: session.card.rev }).catch((error) => {
      this.know({ acknowledged: this.model.local.acknowledged.filter((one) => one !== mark) });
      this.trouble(error);
    });
  }

  /** @param {Readonly<Record<string, unknown>>} answer @returns {Promise<string | null>} why it was not taken */
  async #signed(answer) {
    const session = this.session;
    try {
      if (session) await this.line.send("consent.answer", { session: session.id, epoch: session.epoch, ...answer });
      return null;
    } catch (error) {
      return this.#sentence(error);
    }
  }

  /** What else is true: tapped before what happened, sent with it. @param {string} code */
  tapFlag(code) {
    const { flags } = this.model.local;
    this.know({ flags: flags.includes(code) ? flags.filter((one) => one !== code) : [...flags, code] });
  }

  /** What happened: the first tap; the second is only asked when it went differently from the advice. @param {string} actual */
  choose(actual) {
    const { view, local } = this.model;
    const ended = view?.session;
    const advised = ended && ended.id === outcomeFor(view, local) ? ended.recommended : null;
    if (differs(actual, advised)) this.know({ chosen: actual });
    else this.record(actual, null);
  }

  /** @param {string} actual @param {string | null} reason */
  record(actual, reason) {
    const { view, local } = this.model;
    const id = view ? outcomeFor(view, local) : null;
    if (!id) return;
    this.know({ chosen: null, recordOwed: false, recorded: [...local.recorded, id] });
    const number = find("#case-number", HTMLInputElement).value.trim();
    this.line.send("disposition.record", { session: id, actual, reason, flags: local.flags, number }).then(() => this.know({ flags: [] })).catch((error) => {
      const needsReason = error instanceof WireError && error.code === "reason-needed"; // the server knows better advice
      const recorded = this.model.local.recorded.filter((one) => one !== id);
      this.know({ recorded, recordOwed: true, chosen: needsReason ? actual : null });
      if (!needsReason) this.trouble(error);
    });
  }

  /** Put the outcome off; the ready screen reminds. */
  later() {
    const { view, local } = this.model;
    const id = view ? outcomeFor(view, local) : null;
    if (!id) return;
    sessionStorage.setItem(LATER, id);
    this.know({ later: id, recordOwed: false, chosen: null });
    this.line.send("disposition.later", { session: id }).catch((error) => this.trouble(error));
  }

  /** The officer takes the tablet back with the PIN, during the call or after it ended in the person's hands. */
  takeBack() {
    this.pin.ask({
      title: t("tablet.pin.take_back"),
      hint: t("tablet.pin.take_back.hint"),
      check: async (typed) => {
        const session = this.model.view?.session;
        if (!session) return null;
        try {
          await this.line.send("handover.end", { session: session.id, epoch: session.epoch, pin: typed });
        } catch (error) {
          // The PIN is checked first: a session that is over, or nobody on shift, is not a wrong PIN.
          const moot = error instanceof WireError && ["illegal-transition", "not-on-shift"].includes(error.code);
          if (!moot) return this.#sentence(error);
        }
        if (!this.session) this.know({ takenBack: [...this.model.local.takenBack, session.id] });
        return null;
      },
    });
  }

  /** @param {unknown} error */
  trouble(error) {
    if (error instanceof WireError && SAID_BY_SNAPSHOT.has(error.code)) return;
    this.set({ problem: this.#sentence(error) });
  }

  /** The sentence for a refusal: ours where there is one, else the server's. @param {unknown} error */
  #sentence(error) {
    if (!(error instanceof WireError)) throw error;
    return refusal("tablet", error);
  }
}
