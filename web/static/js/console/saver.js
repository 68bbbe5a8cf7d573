/** Drives one self-saving form: one save at a time, tried again until it is on the server. Rules in autosave.js. */

import { WireError } from "../lib/socket.js";
import { EMPTY, accepted, begin, choose, conflicted, edit, failed, seen, unsaved, values } from "./autosave.js";

/** @typedef {import("./autosave.js").Form} Form */
/** @typedef {import("./autosave.js").Values} Values */
/** @typedef {{ rev: number, at: number }} Answer */
/**
 * @typedef {object} SaverOptions
 * @property {(rev: number, changes: Values, all: Values) => Promise<Answer>} save
 * @property {(data: Readonly<Record<string, unknown>>) => Values | null} current  what a refusal says is there now
 * @property {(form: Form) => boolean} [ready]  whether it can be saved at all yet
 * @property {() => void} changed
 */

const TYPING_MS = 700; // a pause in what is typed
const LONGEST_MS = 3000; // whoever types without a pause is saved after this all the same
const RETRY_MS = 3000;
const LATE_MS = 2000;
/** The session is not ours to write any more: another try cannot help until a snapshot says otherwise. */
const FINAL = new Set(["stale-epoch", "no-such-session", "illegal-transition", "forbidden", "wrong-role", "signed"]);
/** This content is refused: only another edit can help. */
const BAD = new Set(["bad-input", "bad-message", "unknown-code"]);

export class Saver {
  /** @param {SaverOptions} options */
  constructor(options) {
    this.options = options;
    /** @type {Form} */
    this.form = EMPTY;
    /** @type {WireError | null} why the last save was refused */
    this.error = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} until what was typed first is saved, pause or not */
    this.longest = undefined;
    this.sentAt = 0; // ms of performance.now()
    /** @type {Promise<void>} */
    this.running = Promise.resolve();
  }

  get values() {
    return values(this.form);
  }

  get unsaved() {
    return unsaved(this.form);
  }

  /** A save is on its way for so long that the connection is probably gone. */
  get late() {
    return this.form.flying !== null && performance.now() - this.sentAt > LATE_MS;
  }

  /** A snapshot came. @param {import("./autosave.js").Saved} saved */
  seen(saved) {
    this.form = seen(this.form, saved);
    if (this.error && FINAL.has(this.error.code)) this.error = null; // it may be ours again
    this.soon(0);
  }

  /**
   * @param {string} field @param {unknown} value
   * @param {{ typing: boolean }} how  typing: wait for a pause
   */
  edit(field, value, { typing }) {
    this.form = edit(this.form, field, value);
    this.error = null;
    this.options.changed();
    this.soon(typing ? TYPING_MS : 0);
    if (typing) this.longest ??= setTimeout(() => { void this.flush(); }, LONGEST_MS);
  }

  /** @param {"mine" | "theirs"} which */
  choose(which) {
    this.form = choose(this.form, which);
    this.options.changed();
    this.soon(0);
  }

  /** @param {number} ms */
  soon(ms) {
    clearTimeout(this.timer);
    if (unsaved(this.form)) this.timer = setTimeout(() => { void this.flush(); }, ms);
  }

  /**
   * Save now what can be saved, after what is on its way.
   * @returns {Promise<boolean>} whether everything is on the server afterwards
   */
  async flush() {
    clearTimeout(this.timer);
    clearTimeout(this.longest);
    this.longest = undefined;
    for (;;) {
      await this.running;
      if (this.form.flying !== null) continue; // whoever waited beside us has begun the next save
      const begun = this.#may() ? begin(this.form) : null;
      if (!begun) return !this.unsaved;
      this.form = begun.form;
      await this.#run(() => this.options.save(begun.rev, begun.changes, this.values));
      if (this.error !== null) return false;
    }
  }

  /**
   * A save of another kind, such as one that also sends: alone on its way, and numbered like the others.
   * @param {(rev: number, all: Values) => Promise<Answer>} save
   * @returns {Promise<boolean>} whether it was accepted
   */
  async directly(save) {
    do if (!(await this.flush())) return false;
    while (this.unsaved); // typed, or begun beside us, in the very moment between
    this.form = { ...this.form, flying: {} };
    await this.#run(() => save(this.form.rev, this.values));
    return this.error === null && !this.unsaved;
  }

  #may() {
    if (this.error && (FINAL.has(this.error.code) || BAD.has(this.error.code))) return false;
    return this.form.flying === null && (this.options.ready?.(this.form) ?? true);
  }

  /** @param {() => Promise<Answer>} save */
  async #run(save) {
    this.sentAt = performance.now();
    this.options.changed();
    const done = save().then(
      ({ rev, at }) => {
        this.form = accepted(this.form, rev, at);
        this.error = null;
      },
      (error) => {
        if (!(error instanceof WireError)) throw error;
        this.#refused(error);
      },
    );
    this.running = done;
    await done;
    this.options.changed();
  }

  /** @param {WireError} error */
  #refused(error) {
    if (error.code === "conflict") {
      const now = this.options.current(error.data);
      const rev = error.data["rev"];
      this.form = conflicted(this.form, now && typeof rev === "number" ? { rev, values: now, at: null } : null);
      this.error = null;
      this.soon(now ? 0 : RETRY_MS);
      return;
    }
    this.form = failed(this.form);
    this.error = error;
    if (!FINAL.has(error.code) && !BAD.has(error.code)) this.soon(RETRY_MS);
  }
}
